"""Requirements of npm and Cargo (`^1.2 || >=2 <2.5`) as ranges of events: what they take in and what they leave out."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from kezuri.versions.intervals import (
    EVERYTHING,
    START,
    Cut,
    Interval,
    Intervals,
    complement,
    intersection,
    ranges_of,
    union,
)
from kezuri.versions.pieces import Unordered
from kezuri.versions.ranges import Event

Ranges = tuple[tuple[Event, ...], ...]

_ONE = re.compile(
    r"(?P<sign>[<>]=?|=|\^|~>?)?\s*[v=]*\s*"
    r"(?P<major>[0-9]+|[xX*])(?:\.(?P<minor>[0-9]+|[xX*])(?:\.(?P<patch>[0-9]+|[xX*]))?)?"
    r"(?P<before>-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
)
_BETWEEN = re.compile(r"[\s,]+")
_SIGN = re.compile(r"([<>]=?|=|\^|~>?)\s+")
_LONGEST: Final = 10_000
_ANY: Final = ("x", "X", "*", None)


def npm(text: str) -> Ranges:
    """What a range of npm takes in (https://docs.npmjs.com/cli/configuring-npm/package-json#dependencies). Versions to
    come count by their place in the order, whether npm would install them or not. Unordered for what is no range."""
    return tuple(ranges_of(npm_intervals(text)))


def cargo(text: str) -> Ranges:
    """What a requirement of Cargo takes in (https://doc.rust-lang.org/cargo/reference/specifying-dependencies.html).
    Unordered for what is none."""
    return tuple(ranges_of(cargo_intervals(text)))


def outside_of_cargo(patched: Iterable[str], unaffected: Iterable[str] = ()) -> Ranges:
    """What none of these requirements of Cargo takes in: affected is, to RustSec, what is neither patched nor
    unaffected. A range that ends where the unaffected begin ends in a `limit`: what was never broken mends nothing."""
    sound = union(*map(cargo_intervals, patched))
    affected = complement(union(sound, *map(cargo_intervals, unaffected)))
    return tuple(ranges_of(affected, {each.low for each in sound}))


def npm_without(vulnerable: str, patched: str) -> Ranges:
    """What the first range takes in and the second does not: the way in which the Node group's advisories have both."""
    return tuple(ranges_of(intersection(npm_intervals(vulnerable), complement(npm_intervals(patched)))))


def npm_intervals(text: str) -> Intervals:
    """A range of npm as intervals. Unordered as `npm`."""
    found = []
    for choice in _spaced(text).split("||"):
        ends = choice.strip().split(" - ")
        if len(ends) == 2:
            low, high = (_piece(end, text) for end in ends)
            found.append(intersection(_from(low), _to(high)))
        else:
            words = _SIGN.sub(r"\1", choice).strip()
            parts = [_interval(_piece(word, text), "=") for word in _BETWEEN.split(words) if word]
            found.append(intersection(*parts) if parts else EVERYTHING)
    return union(*found)


def cargo_intervals(text: str) -> Intervals:
    """A requirement of Cargo as intervals. Unordered as `cargo`."""
    words = [word.strip() for word in _spaced(text).split(",") if word.strip()]
    if not words:
        raise Unordered("Cargo", text)
    # A number left open says how far it goes: `1.2.*` is not `1.2`.
    return intersection(*(_interval(_piece(word, text), "=" if "*" in word else "^") for word in words))


class _Piece(NamedTuple):
    """One comparison: its sign, the numbers that are said, and what stands after the `-`."""

    sign: str
    numbers: tuple[str, ...]
    before: str

    @property
    def version(self) -> str:
        """The lowest version that is meant."""
        return ".".join((*self.numbers, "0", "0", "0")[:3]) + self.before

    def above(self, place: int) -> Cut:
        """Before all versions in which the number at this place is a higher one."""
        numbers = [*self.numbers[:place], str(int(self.numbers[place]) + 1)]
        return Cut(".".join((*numbers, "0", "0")[:3]) + "-0")


def _spaced(text: str) -> str:
    """The text with one blank for each stretch of them, so that no expression goes over them again and again."""
    if len(text) > _LONGEST:
        raise Unordered("npm", text)
    return " ".join(text.split())


def _piece(word: str, text: str) -> _Piece:
    found = _ONE.fullmatch(word.strip())
    if found is None or any(len(found[name] or "") > 300 for name in ("major", "minor", "patch")):
        raise Unordered("npm", text)
    numbers: list[str] = []
    for name in ("major", "minor", "patch"):
        if found[name] in _ANY:
            break
        numbers.append(found[name])
    before = found["before"] or "" if len(numbers) == 3 else ""
    return _Piece(found["sign"] or "", tuple(numbers), before)


def _from(piece: _Piece) -> Intervals:
    """All from the lowest version on that is meant."""
    return (Interval(Cut(piece.version) if piece.numbers else START, None),)


def _to(piece: _Piece) -> Intervals:
    """All up to the highest version that is meant."""
    return (Interval(START, _end(piece)),)


def _end(piece: _Piece) -> Cut | None:
    if not piece.numbers:
        return None
    if len(piece.numbers) == 3:
        return Cut(piece.version, True)
    return piece.above(len(piece.numbers) - 1)


def _interval(piece: _Piece, otherwise: str) -> Intervals:
    """What a comparison takes in; `otherwise` is the sign of one that has none."""
    sign = piece.sign or otherwise
    numbers = piece.numbers
    if not numbers:
        # Nothing is less or greater than any version.
        return () if sign in ("<", ">") else EVERYTHING
    if sign == ">=":
        return _from(piece)
    if sign == ">":
        return (Interval(_end(piece) or START, None),)
    if sign == "<":
        return (Interval(START, Cut(piece.version)),)
    if sign == "<=":
        return _to(piece)
    if sign == "^":
        place = next((place for place, each in enumerate(numbers) if each.strip("0")), len(numbers) - 1)
        return (Interval(Cut(piece.version), piece.above(place)),)
    if sign in ("~", "~>"):
        return (Interval(Cut(piece.version), piece.above(min(1, len(numbers) - 1))),)
    return (Interval(Cut(piece.version), _end(piece)),)
