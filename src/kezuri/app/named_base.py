"""The base image of another one as a user names it, where nothing else tells which layers are the base's."""

from collections.abc import Sequence

from kezuri.anatomy.values import Maker
from kezuri.app.distant_image import DistantImage
from kezuri.app.image_files import located
from kezuri.app.layer_sources import Traffic
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError

_LONGEST = 10
"""Digits of a number of layers; what has more is a name."""


def with_base(
    session: Session, name: str, makers: Sequence[Maker], diff_ids: Sequence[str], base: str, platform: str
) -> tuple[Maker, ...]:
    """What made the layers of the image `name`, those of its base as such. `base` is an image's name, or how many of
    the lowest layers are the base's. KezuriError where there is no such image, or it has other layers."""
    if base.isascii() and base.isdecimal() and len(base) < _LONGEST:
        layers, called = int(base), ""
        if layers > len(diff_ids):
            raise KezuriError.of(f"{name} has {len(diff_ids)} layers, and its base cannot have {base}", exit_code=2)
    else:
        below = _diff_ids(session, base, platform)
        layers, called = len(below), base
        if tuple(diff_ids[:layers]) != below:
            same = next((n for n, pair in enumerate(zip(below, diff_ids)) if pair[0] != pair[1]), len(diff_ids))
            raise KezuriError.of(
                f"{name} does not stand on {base}: layer {same + 1} is another one",
                hint="it may stand on an earlier one: --base N says how many of its layers are the base's",
            )
    return tuple(
        maker._replace(of_base=number < layers, base=(called or maker.base) if number < layers else "")
        for number, maker in enumerate(makers)
    )


def _diff_ids(session: Session, name: str, platform: str) -> tuple[str, ...]:
    """The layers of an image, found as `kezuri ls` finds it; no more of it than its documents is read."""
    with session.store.scratch("base") as scratch, located(session, name, platform, Traffic(), scratch) as found:
        return found.config().diff_ids if isinstance(found, DistantImage) else found.kept.config.diff_ids
