"""Versions of NuGet's packages: Semantic Versioning with up to four numbers, whose words do not mind their case
(https://learn.microsoft.com/nuget/concepts/package-versioning)."""

import re

from kezuri.versions.pieces import Key, Unordered, number
from kezuri.versions.semver import identifiers

_VERSION = re.compile(
    r"\s*[vV]?(?P<numbers>[0-9]+(?:\.[0-9]+){0,3})(?:-(?P<before>[0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?\s*"
)


def key(version: str) -> Key:
    """Unordered for what is no version of NuGet's."""
    found = _VERSION.fullmatch(version)
    if found is None:
        raise Unordered("NuGet", version)
    numbers = [number(each) for each in found["numbers"].split(".")]
    numbers += [number("")] * (4 - len(numbers))
    before = found["before"]
    return tuple(numbers), identifiers(before.lower()) if before else (1,)
