"""Versions of Ruby's gems, as Gem::Version orders them (https://docs.ruby-lang.org/en/master/Gem/Version.html)."""

import re
from functools import cmp_to_key

from kezuri.versions.pieces import Key, Unordered, number

_VERSION = re.compile(r"(?:[0-9]+(?:\.[0-9a-zA-Z]+)*(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?")
_PIECES = re.compile(r"([0-9]+)|([a-zA-Z]+)")

Segment = tuple[int, int, str]
_ZERO: Segment = (1, 0, "")


def key(version: str) -> Key:
    """An empty text is 0, as it is to RubyGems. Unordered for what RubyGems calls malformed."""
    if not _VERSION.fullmatch(version.strip()):
        raise Unordered("RubyGems", version)
    found: list[Segment] = [
        (1, *number(digits)) if digits else (0, 0, letters)
        for digits, letters in _PIECES.findall(version.replace("-", ".pre."))
    ]
    start = next((place for place, segment in enumerate(found) if not segment[0]), len(found))
    return cmp_to_key(_compared)((*_without_zeros(found[:start]), *_without_zeros(found[start:])))


def _without_zeros(segments: list[Segment]) -> list[Segment]:
    """Zeros at the end say nothing, neither of the whole nor of what comes before the first word."""
    last = len(segments)
    while last and segments[last - 1] == _ZERO:
        last -= 1
    return segments[:last]


def _compared(one: tuple[Segment, ...], other: tuple[Segment, ...]) -> int:
    """One by one, words before numbers; where one version has ended, the other is held against zeros."""
    for place in range(max(len(one), len(other))):
        first = one[place] if place < len(one) else _ZERO
        second = other[place] if place < len(other) else _ZERO
        if first != second:
            return -1 if first < second else 1
    return 0
