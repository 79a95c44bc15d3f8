"""Versions of what has no rules of its own, as runtimes: numbers by their size, words by their letters."""

import re
from typing import Final

from kezuri.versions.pieces import Key, Unordered, number

_PIECES = re.compile(r"([0-9]+)|([A-Za-z]+)")
_BEFORE: Final = frozenset(("alpha", "beta", "dev", "ea", "milestone", "pre", "preview", "rc", "cr", "snapshot"))
"""Words of a version that is still to come."""
_EARLY, _END, _WORD, _NUMBER = range(4)


def key(version: str) -> Key:
    """`1.2` and `1.2.0` are the same; a word that is not one of a version to come makes a version later (`1.1.1a`,
    `8u292`). Unordered for a text without a number."""
    found: list[tuple[object, ...]] = []
    zeros = 0
    for digits, word in _PIECES.findall(version.lower().removeprefix("v")):
        if digits:
            size, text = number(digits)
            if not size:
                zeros += 1
                continue
        elif not found and not zeros:
            raise Unordered("kezuri", version)
        early = word in _BEFORE
        if not early:
            # Zeros count where something follows that they put further back.
            found += [(_NUMBER, 0, "")] * zeros
        zeros = 0
        found.append((_NUMBER, size, text) if digits else (_EARLY if early else _WORD, word))
    if not found and not zeros:
        raise Unordered("kezuri", version)
    return (*found, (_END,))
