"""Versions of Debian's packages: deb-version(7), as `dpkg --compare-versions` orders them."""

import re
from typing import Final

from kezuri.versions.pieces import Key, number

_PIECES = re.compile(r"([^0-9]*)([0-9]*)")
_EPOCH = re.compile(r"\s*([0-9]+):")


class _Places(dict[int, str]):
    """Letters stand where they are, `~` before the end of a part, all others behind the letters."""

    def __missing__(self, letter: int) -> str:
        place = chr(letter) if chr(letter).isascii() and chr(letter).isalpha() else chr(min(letter + 0x100, 0x10FFFF))
        self[letter] = place
        return place


_PLACES: Final = _Places({ord("~"): "\x01"})
_END: Final = "\x02"
_NOTHING: Final = (_END, (0, ""))


def key(version: str) -> Key:
    """Any text is a version to dpkg's comparison."""
    epoch = _EPOCH.match(version)
    version = version[epoch.end() :] if epoch else version.lstrip()
    upstream, dash, revision = version.rpartition("-")
    if not dash:
        upstream, revision = version, ""
    return number(epoch[1] if epoch else ""), _part(upstream), _part(revision.rstrip())


def _part(text: str) -> tuple[tuple[str, tuple[int, str]], ...]:
    """What is no digit and what is one, in turns; what is not there counts as nothing and 0."""
    found = [
        (before.translate(_PLACES) + _END, number(digits))
        for before, digits in _PIECES.findall(text)
        if before or digits
    ]
    while found and found[-1] == _NOTHING:
        found.pop()
    return (*found, _NOTHING)
