"""The figures that any two images have: what they weigh, and how much there is in them."""

from collections.abc import Callable, Mapping

from kezuri.anatomy.values import Anatomy
from kezuri.comparison.packages import count_packages
from kezuri.comparison.rows import figure
from kezuri.comparison.values import Figure, Reading

_OF: Mapping[str, Callable[[Anatomy], int]] = {
    "size.wire": lambda image: image.blob,
    "size.unpacked": lambda image: image.tar,
    "size.shown": lambda image: image.useful,
    "size.wasted": lambda image: image.wasted,
    "layers": lambda image: len(image.layers),
    "files": lambda image: image.files,
    "packages.system": lambda image: count_packages(image, "system"),
    "packages.language": lambda image: count_packages(image, "language"),
}
_OUTSIDE = ("size.wire", "layers")
"""What the manifest says."""


def size_figures(before: Anatomy, after: Anatomy) -> tuple[Figure, ...]:
    """The rows about what two images weigh."""
    return tuple(figure(key, (_reading(key, image) for image in (before, after))) for key in _OF)


def _reading(key: str, image: Anatomy) -> Reading:
    """What the image says; of what is in its layers nothing, where one of them could not be read."""
    if key not in _OUTSIDE and any(layer.unread for layer in image.layers):
        return Reading(absent="a layer could not be read")
    return Reading((_OF[key](image),))
