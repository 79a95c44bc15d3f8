"""Ranges of versions, as advisories have them: events along the order of versions."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from kezuri.versions.order import Scheme, key_of

Kind = Literal["introduced", "fixed", "last_affected", "limit"]


class Event(NamedTuple):
    """Something that happens at a version: the words are those of OSV (https://ossf.github.io/osv-schema/). The version
    `0` of `introduced` comes before all others."""

    kind: Kind
    version: str


_TURN: Final = {"fixed": 0, "introduced": 1, "last_affected": 2}
"""What comes first of several events at one version: a range may end where another begins, and one that begins and ends
at a version holds just this one."""


def holds(scheme: Scheme, events: Sequence[Event], version: str) -> bool:
    """Whether a version lies in the range that the events give, as the schema of OSV evaluates them. Unordered for a
    version, or an event, that the scheme does not know."""
    key = key_of(scheme)
    at = key(version)
    held, limited, within = False, False, False
    turns = []
    for event in events:
        if event.kind == "limit":
            limited = True
            within = within or event.version == "*" or at < key(event.version)
        elif event.kind == "introduced" and event.version == "0":
            held = True
        else:
            turns.append((key(event.version), _TURN[event.kind]))
    if limited and not within:
        return False
    for where, turn in sorted(turns):
        if turn == _TURN["introduced"]:
            held = held or where <= at
        elif turn == _TURN["fixed"]:
            held = held and at < where
        else:
            held = held and at <= where
    return held


def mending(scheme: Scheme, ranges: Sequence[Sequence[Event]], version: str) -> tuple[str, ...]:
    """The versions later than this one at which a range is mended, the nearest first: `1.21.0` where one ends before
    everything that leads to it (`1.21.0-0`). Unordered as `holds`."""
    key = key_of(scheme)
    at = key(version)
    found = {
        event.version.removesuffix("-0") if scheme in ("semver", "go") else event.version: key(event.version)
        for events in ranges
        for event in events
        if event.kind == "fixed"
    }
    return tuple(sorted((each for each, where in found.items() if at < where), key=found.__getitem__))
