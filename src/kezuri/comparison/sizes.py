"""The figures that any two images have: what they weigh, and how much there is in them."""

from collections.abc import Callable

from kezuri.anatomy.values import Anatomy
from kezuri.comparison.packages import count_packages
from kezuri.comparison.values import Figure, Reading, Unit

_WIRE = "the layers as they travel, compressed as they are"
_UNPACKED = "the layers' tars without compression"
_SHOWN = "the bytes of all files that a container sees"
_WASTED = "bytes in layers that a container does not see: removed or replaced further up"
_FILES = "everything but directories that a container sees"
_SYSTEM = "installed packages of dpkg, apk and rpm"
_LANGUAGE = "packages of npm, PyPI, Go, Maven and the like"

_ROWS: tuple[tuple[str, str, Unit, str, Callable[[Anatomy], int]], ...] = (
    ("size.wire", "Size on the wire", "bytes", _WIRE, lambda image: image.blob),
    ("size.unpacked", "Size unpacked", "bytes", _UNPACKED, lambda image: image.tar),
    ("size.shown", "Bytes of its files", "bytes", _SHOWN, lambda image: image.useful),
    ("size.wasted", "Wasted bytes", "bytes", _WASTED, lambda image: image.wasted),
    ("layers", "Layers", "count", "", lambda image: len(image.layers)),
    ("files", "Files", "count", _FILES, lambda image: image.files),
    ("packages.system", "System packages", "count", _SYSTEM, lambda image: count_packages(image, "system")),
    ("packages.language", "Language packages", "count", _LANGUAGE, lambda image: count_packages(image, "language")),
)

_OUTSIDE = ("size.wire", "layers")
"""What the manifest says."""


def size_figures(before: Anatomy, after: Anatomy) -> tuple[Figure, ...]:
    """The rows about what two images weigh."""
    return tuple(
        Figure(key, title, unit, _reading(key, before, of), _reading(key, after, of), how)
        for key, title, unit, how, of in _ROWS
    )


def _reading(key: str, image: Anatomy, of: Callable[[Anatomy], int]) -> Reading:
    """What the image says; of what is in its layers nothing, where one of them could not be read."""
    if key not in _OUTSIDE and any(layer.unread for layer in image.layers):
        return Reading(absent="a layer could not be read")
    return Reading((of(image),))
