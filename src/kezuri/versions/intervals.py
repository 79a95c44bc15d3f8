"""Sets of versions by Semantic Versioning as stretches of their order: joined, cut, and what lies outside."""

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from kezuri.versions.order import key_of
from kezuri.versions.pieces import Key
from kezuri.versions.ranges import Event, Kind


class Cut(NamedTuple):
    """A place between two versions: before `version`, or right `after` it."""

    version: str
    after: bool = False


class Interval(NamedTuple):
    """The versions between two cuts; without an upper one, all from the lower one on."""

    low: Cut
    high: Cut | None


START: Final = Cut("0")
"""Before all versions."""

Intervals = tuple[Interval, ...]
EVERYTHING: Final[Intervals] = (Interval(START, None),)


def _place(cut: Cut) -> Key:
    if cut == START:
        return (0,)
    return (1, key_of("semver")(cut.version), cut.after)


def union(*sets: Sequence[Interval]) -> Intervals:
    """What one of them has at least."""
    found: list[Interval] = []
    for each in sorted((interval for one in sets for interval in one), key=lambda each: _place(each.low)):
        if each.high is not None and _place(each.high) <= _place(each.low):
            continue
        last = found[-1] if found else None
        if last is None or (last.high is not None and _place(last.high) < _place(each.low)):
            found.append(each)
        elif last.high is not None and (each.high is None or _place(last.high) < _place(each.high)):
            found[-1] = Interval(last.low, each.high)
    return tuple(found)


def complement(one: Sequence[Interval]) -> Intervals:
    """What it has not."""
    found = []
    low: Cut | None = START
    for each in union(one):
        if low is not None and _place(low) < _place(each.low):
            found.append(Interval(low, each.low))
        low = each.high
    if low is not None:
        found.append(Interval(low, None))
    return tuple(found)


def intersection(*sets: Sequence[Interval]) -> Intervals:
    """What all of them have."""
    return complement(union(*map(complement, sets)))


def ranges_of(intervals: Iterable[Interval], mending: Container[Cut] | None = None) -> Iterator[tuple[Event, ...]]:
    """Intervals as the events that OSV writes: `fixed` is the first version that is no longer in one, `last_affected`
    the last that is. Where it is told which cuts are `mending`, an interval ends at another in a `limit`."""
    for low, high in intervals:
        introduced = next_after(low.version) if low.after else low.version
        start = Event("introduced", introduced)
        if high is None:
            yield (start,)
        else:
            end: Kind = "fixed" if mending is None or high in mending else "limit"
            yield start, Event("last_affected" if high.after else end, high.version)


def next_after(version: str) -> str:
    """The first version after another in the order of Semantic Versioning, so that none lies between the two: `1.2.4-0`
    after `1.2.3`, `1.2.3-rc.0` after `1.2.3-rc`. Unordered for what is no version."""
    key_of("semver")(version)
    version = version.strip().lstrip("=v ").partition("+")[0]
    numbers, dash, before = version.partition("-")
    if dash and before:
        return f"{version}.0"
    parts = [*numbers.split("."), "0", "0"][:3]
    if len(parts[2]) > 300:
        # Whoever writes such a number means no version that there is; the next one is not missed.
        return numbers
    return f"{parts[0]}.{parts[1]}.{int(parts[2]) + 1}-0"
