"""Which images are meant: `--filter` of `images` and `image prune`, as docker has it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from time import time
from typing import NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.dockerfile.wildcard import match
from kezuri.images.kept import Kept, choose
from kezuri.oci.config import ImageConfig
from kezuri.oci.dates import seconds
from kezuri.scalars import parse_bool
from kezuri.scalars.durations import parse_duration
from kezuri.store.store import Store

LISTING = ("before", "dangling", "id", "label", "label!", "reference", "since", "until")
PRUNING = ("dangling", "label", "label!", "until")

Test = Callable[[Kept, str, ImageConfig], bool]
"""Whether an image is meant: its entry, the digest of its config, and the config."""


class Filters(NamedTuple):
    """The filters, read: several of `reference` and `id` hold if one of them does, all others only together."""

    together: tuple[Test, ...]
    either: tuple[tuple[Test, ...], ...]

    def meet(self, image: Kept, identity: str, config: ImageConfig) -> bool:
        """Whether the image is meant."""
        return all(test(image, identity, config) for test in self.together) and all(
            any(test(image, identity, config) for test in some) for some in self.either
        )


def read_filters(store: Store, texts: Sequence[str], known: Sequence[str] = LISTING) -> Filters:
    """The filters that the texts say. KezuriError, exit code 2, for one that is not known or makes no sense; of
    `before` and `since` also where their image is not there."""
    together: list[Test] = []
    either: dict[str, list[Test]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if key not in known or not equals:
            near = nearest(key, known)
            raise KezuriError.of(
                f"unknown filter {text!r}",
                hint=f"did you mean {near}=…?" if near and near != key else f"there are {', '.join(known)}",
                exit_code=2,
            )
        test = _MAKERS[key](store, text, value)
        if key in ("reference", "id"):
            either.setdefault(key, []).append(test)
        else:
            together.append(test)
    return Filters(tuple(together), tuple(map(tuple, either.values())))


def _reference(_: Store, text: str, value: str) -> Test:
    def named(image: Kept, identity: str, config: ImageConfig) -> bool:
        reference = image.reference
        if reference is None:
            return False
        repository = reference._replace(tag="", digest="")
        return any(match(value, n) for r in (reference, repository) for n in (str(r), r.familiar))

    return named


def _id(_: Store, text: str, value: str) -> Test:
    digits = value.removeprefix("sha256:")
    return lambda image, identity, config: identity[7:].startswith(digits)


def _label(_: Store, text: str, value: str) -> Test:
    label, equals, wanted = value.partition("=")
    return lambda image, identity, config: label in config.labels and (not equals or config.labels[label] == wanted)


def _no_label(store: Store, text: str, value: str) -> Test:
    has = _label(store, text, value)
    return lambda image, identity, config: not has(image, identity, config)


def _dangling(_: Store, text: str, value: str) -> Test:
    dangling = parse_bool(value)
    if dangling is None:
        raise KezuriError.of(f"filter {text!r}: the value is true or false", exit_code=2)
    return lambda image, identity, config: (not image.name) == dangling


def _before(store: Store, text: str, value: str) -> Test:
    moment = _created(choose(store, value, "").config)
    return lambda image, identity, config: _created(config) < moment


def _since(store: Store, text: str, value: str) -> Test:
    moment = _created(choose(store, value, "").config)
    return lambda image, identity, config: _created(config) > moment


def _until(_: Store, text: str, value: str) -> Test:
    moment = _moment(value)
    if moment is None:
        raise KezuriError.of(
            f"filter {text!r}: neither an age nor a time",
            hint="for instance until=24h, until=2026-01-31 or until=2026-01-31T12:00:00",
            exit_code=2,
        )
    return lambda image, identity, config: _created(config) < moment


def _moment(value: str) -> float | None:
    """Seconds since the epoch: of an age before now, of a number of seconds, or of a time."""
    if value.replace(".", "", 1).isdecimal():
        return float(value)
    try:
        return time() - parse_duration(value, days=True) / 1e9
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.timestamp()  # A time without a zone is this machine's, as for docker.


def _created(config: ImageConfig) -> float:
    """When the image was made, in seconds since the epoch; 0 where it does not say."""
    return seconds(config.created) or 0.0


_MAKERS: dict[str, Callable[[Store, str, str], Test]] = {
    "before": _before,
    "dangling": _dangling,
    "id": _id,
    "label": _label,
    "label!": _no_label,
    "reference": _reference,
    "since": _since,
    "until": _until,
}
