"""Versions of Maven's packages (https://maven.apache.org/pom.html#version-order-specification), as its class
ComparableVersion orders them."""

from functools import cmp_to_key
from typing import Final, NamedTuple

from kezuri.versions.pieces import Key, Unordered, number

_LONGEST: Final = 256
"""Longer than that, Maven takes none."""

_ALIASES: Final = {"cr": "rc"}
_LETTERS: Final = {"a": "alpha", "b": "beta", "m": "milestone"}
_QUALIFIERS: Final = {
    "alpha": 0,
    "beta": 1,
    "milestone": 2,
    "rc": 3,
    "snapshot": 4,
    "": 5,
    "ga": 5,
    "final": 5,
    "release": 5,
    "sp": 6,
}
_RELEASE: Final = (5, "")
_OTHER: Final = 7


class _Number(NamedTuple):
    """A number, as what orders it."""

    size: tuple[int, str]


class _Word(NamedTuple):
    """A qualifier."""

    text: str

    @property
    def rank(self) -> tuple[int, str]:
        place = _QUALIFIERS.get(self.text)
        return (_OTHER, self.text) if place is None else (place, "")


class _Counted(NamedTuple):
    """A qualifier with a number: `rc1`, `rc-1`."""

    word: _Word
    digits: _Number


class _Part:
    """What comes after a hyphen, or after a change from digits to letters or back: a version within the version."""

    __slots__ = ("items",)

    def __init__(self) -> None:
        self.items: list[_Item] = []


_Item = _Number | _Word | _Counted | _Part
_ZERO: Final = _Number(number(""))


def key(version: str) -> Key:
    """Any text that is no longer than Maven itself takes."""
    if len(version) > _LONGEST:
        raise Unordered("Maven", version)
    return cmp_to_key(_compared)(_parsed(version.lower()))


def _parsed(version: str) -> _Part:
    whole = part = _Part()
    parts = [whole]

    def deeper() -> None:
        nonlocal part
        inner = _Part()
        part.items.append(inner)
        parts.append(inner)
        part = inner

    digits = counted = False
    start = 0
    for place, letter in enumerate(version):
        if letter == ".":
            part.items.append(_item(version[start:place], digits, counted) if place > start else _ZERO)
            counted = False
            start = place + 1
        elif letter == "-":
            if place == start:
                part.items.append(_ZERO)
            else:
                if not digits and version[place + 1 : place + 2].isdigit():
                    # `rc-1` is what `rc1` is.
                    counted = True
                    continue
                part.items.append(_item(version[start:place], digits, counted))
            start = place + 1
            deeper()
            counted = False
        elif letter in "0123456789":
            if not digits and place > start:
                counted = True
                if part.items:
                    deeper()
            digits = True
        else:
            if digits and place > start:
                part.items.append(_item(version[start:place], True, counted))
                start = place
                deeper()
                counted = False
            digits = False
    if len(version) > start:
        if not digits and part.items:
            deeper()
        part.items.append(_item(version[start:], digits, counted))
    for each in reversed(parts):
        _tidy(each)
    return whole


def _item(text: str, digits: bool, counted: bool) -> _Item:
    if counted:
        text = text.replace("-", "")
        split = next((place for place, letter in enumerate(text) if letter.isdigit()), 0)
        word = text[:split]
        return _Counted(_Word(_LETTERS.get(word, _ALIASES.get(word, word))), _Number(number(text[split:])))
    return _Number(number(text)) if digits else _Word(_ALIASES.get(text, text))


def _nothing(item: _Item) -> bool:
    if isinstance(item, _Part):
        return not item.items
    return item in (_ZERO, _Word(""))


def _tidy(part: _Part) -> None:
    """Zeros are dropped at the end of a part, and before a qualifier."""
    items = part.items
    for place in range(len(items) - 1, -1, -1):
        if not _nothing(items[place]):
            continue
        after = items[place + 1] if place + 1 < len(items) else None
        first = after.items[0] if isinstance(after, _Part) and after.items else None
        if after is None or isinstance(after, _Word) or isinstance(first, _Word | _Counted):
            del items[place]
    if len(items) == 1 and isinstance(items[0], _Part):
        part.items = items[0].items


def _compared(one: _Item | None, other: _Item | None) -> int:
    if one is None:
        return 0 if other is None else -_compared(other, None)
    if isinstance(one, _Number):
        if other is None:
            return int(one != _ZERO)
        return _by(one.size, other.size) if isinstance(other, _Number) else 1
    if isinstance(one, _Word):
        return _word_compared(one, other)
    if isinstance(one, _Counted):
        return _counted_compared(one, other)
    return _part_compared(one, other)


def _word_compared(one: _Word, other: _Item | None) -> int:
    if other is None:
        return _by(one.rank, _RELEASE)
    if isinstance(other, _Number):
        return -1
    if isinstance(other, _Word):
        return _by(one.rank, other.rank)
    if isinstance(other, _Counted):
        found = _by(one.rank, other.word.rank)
        if found or one.rank != _RELEASE:
            return found or -1
        return -_compared(other.digits, None)
    return -_compared(other, one)


def _counted_compared(one: _Counted, other: _Item | None) -> int:
    if other is None:
        return _by(one.word.rank, _RELEASE) or _compared(one.digits, None)
    if isinstance(other, _Number):
        return -1
    if isinstance(other, _Counted):
        return _by(one.word.rank, other.word.rank) or _by(one.digits.size, other.digits.size)
    return -_compared(other, one)


def _part_compared(one: _Part, other: _Item | None) -> int:
    if isinstance(other, _Number):
        return -1
    if isinstance(other, _Part):
        for place in range(max(len(one.items), len(other.items))):
            first = one.items[place] if place < len(one.items) else None
            second = other.items[place] if place < len(other.items) else None
            if found := _compared(first, second):
                return found
        return 0
    if other is not None and not one.items:
        return -_compared(other, None)
    for place, item in enumerate(one.items):
        if found := _compared(item, None if place else other):
            return found
    return 0


def _by(one: tuple[int, str], other: tuple[int, str]) -> int:
    return -1 if one < other else int(other < one)
