"""Versions of Alpine's packages, as apk-tools 2.14 and 3 order them: `1.2.3b_rc4_p1~c0ffee-r5`."""

import re
from typing import Final

from kezuri.versions.pieces import Key, Unordered, number

_VERSION = re.compile(
    r"(?P<first>[0-9]+)(?P<more>(?:\.[0-9]+)*)(?P<letter>[a-z]?)"
    r"(?P<suffixes>(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*)(?:~(?P<hash>[0-9a-fA-F]+))?(?:-r(?P<revision>[0-9]+))?"
)
_SUFFIX = re.compile(r"_([a-z]+)([0-9]*)")
_SUFFIXES: Final = {
    name: place for place, name in enumerate(("alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"))
}
_NONE: Final = _SUFFIXES[""]

# Where two versions go on differently, that one is the later whose kind of piece comes sooner in a version; one that
# goes on with a suffix of a version to come is the earlier. So each kind has a place, from the lowest:
_BEFORE, _END, _REVISION, _HASH, _COUNT, _AFTER, _LETTER, _NUMBER = range(8)


def key(version: str) -> Key:
    """Unordered for what apk calls invalid."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise Unordered("apk", version)
    pieces: list[tuple[object, ...]] = [number(found["first"])]
    # After the first, numbers that begin with 0 are fractions: they are compared by their letters.
    pieces += [
        (_NUMBER, 0, 0, digits) if digits[0] == "0" else (_NUMBER, 1, *number(digits))
        for digits in found["more"].split(".")[1:]
    ]
    if found["letter"]:
        pieces.append((_LETTER, found["letter"]))
    for name, count in _SUFFIX.findall(found["suffixes"]):
        place = _SUFFIXES[name]
        pieces.append((_BEFORE if place < _NONE else _AFTER, place))
        if count:
            pieces.append((_COUNT, *number(count)))
    if found["hash"]:
        pieces.append((_HASH, found["hash"]))
    if found["revision"]:
        pieces.append((_REVISION, *number(found["revision"])))
    return (*pieces, (_END,))
