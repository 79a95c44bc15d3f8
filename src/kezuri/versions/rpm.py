"""Versions of rpm's packages: epoch, version and release, each as rpmvercmp(3) orders them."""

import re
from typing import Final

from kezuri.versions.pieces import Key, number

_PIECES = re.compile(r"([0-9]+)|([A-Za-z]+)|([~^])")
_TILDE: Final = (0,)
_END: Final = (1,)
_CARET: Final = (2,)


def key(version: str) -> Key:
    """Any text is a version to rpm: what is neither letter nor digit only separates. Without a release, a version comes
    before all that have one."""
    epoch, colon, rest = version.partition(":")
    if not colon or not epoch.strip().isdigit():
        epoch, rest = "", version if not colon or epoch.strip() else rest
    own, dash, release = rest.rpartition("-")
    if not dash:
        return number(epoch.strip()), _part(rest), ()
    return number(epoch.strip()), _part(own), _part(release)


def _part(text: str) -> tuple[object, ...]:
    found: list[object] = []
    for digits, letters, sign in _PIECES.findall(text):
        if digits:
            found.append((4, *number(digits)))
        elif letters:
            found.append((3, letters))
        else:
            found.append(_TILDE if sign == "~" else _CARET)
    return (*found, _END)
