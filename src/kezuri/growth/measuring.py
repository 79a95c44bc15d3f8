"""A measurement made of an image's anatomy."""

from typing import NamedTuple

from kezuri.anatomy.values import Anatomy
from kezuri.growth.values import Measurement, PackageSize, StepSize

_MOST_PACKAGES = 40
_LONGEST_STEP = 300


class Occasion(NamedTuple):
    """When and of what a measurement is made: the name that its measurements are found by, the time, the commit and
    the branch (empty where nobody told)."""

    name: str
    at: str
    commit: str = ""
    branch: str = ""


def measured(anatomy: Anatomy, occasion: Occasion) -> Measurement:
    """The image in a few figures, with the steps and the largest packages that they come from."""
    own = [layer for layer in anatomy.layers if not layer.maker.of_base]
    packages = [
        share for share in anatomy.owners if share.owner.kind not in ("application", "nobody") and share.owner.name
    ]
    figures = {
        "unpacked": anatomy.tar,
        "shown": anatomy.useful,
        "wasted": anatomy.wasted,
        "own": sum(layer.tar for layer in own),
        "leftovers": sum(leftover.heap.size for leftover in anatomy.leftovers),
        "layers": len(anatomy.layers),
        "files": anatomy.files,
        "packages": len([owner for owner in anatomy.held if owner.name]),
    }
    if all(layer.blob for layer in anatomy.layers):
        figures["wire"] = anatomy.blob
    steps = [
        StepSize(
            _clipped(layer.maker.text),
            layer.tar,
            layer.wasted,
            layer.maker.dockerfile,
            layer.maker.line,
            layer.maker.of_base,
        )
        for layer in anatomy.layers
    ]
    return Measurement(
        occasion.name,
        occasion.at,
        occasion.commit,
        occasion.branch,
        anatomy.platform,
        anatomy.digest,
        figures,
        tuple(steps),
        tuple(
            PackageSize(share.owner.ecosystem, share.owner.name, share.owner.version, share.size)
            for share in packages[:_MOST_PACKAGES]
        ),
    )


def _clipped(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_STEP else text[: _LONGEST_STEP - 1] + "…"
