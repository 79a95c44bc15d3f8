"""Versions in order: one comparison for each scheme, by the rules of the package manager that it is of."""

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Literal

from kezuri.versions.pieces import Key, Unordered

__all__ = ["Comparison", "Key", "Scheme", "Unordered", "comparison", "key_of"]

Scheme = Literal["dpkg", "apk", "rpm", "pep440", "semver", "go", "maven", "gem", "composer", "nuget", "generic"]
"""`semver` orders versions of npm, crates.io and their like; `generic` runtimes and what has no rules of its own:
numbers by their size, words by their letters."""

Comparison = Callable[[str, str], int]
"""Less than 0, 0 or more than 0, as the first version is the earlier, the same or the later one."""

_KEPT = 16384
_SHORT = 200
"""Versions no longer than this are remembered with their key, so that memory stays bounded whatever somebody writes."""


def comparison(scheme: Scheme) -> Comparison:
    """How versions of a scheme are compared. The comparison raises Unordered for a text that the scheme does not know;
    where the package manager itself takes any text (dpkg, rpm, Maven), none is unknown."""
    key = key_of(scheme)

    def compared(first: str, second: str) -> int:
        one, other = key(first), key(second)
        return -1 if one < other else int(other < one)

    return compared


@cache
def key_of(scheme: Scheme) -> Callable[[str], Key]:
    """What orders versions of a scheme: a function that gives a key of each, and raises Unordered as `comparison`."""
    key = _key_of(scheme)
    remembered = lru_cache(maxsize=_KEPT)(key)
    return lambda version: remembered(version) if len(version) <= _SHORT else key(version)


def _key_of(scheme: Scheme) -> Callable[[str], Key]:
    from importlib import import_module

    module, name = _PLACES[scheme]
    found: Callable[[str], Key] = getattr(import_module(f"kezuri.versions.{module}"), name)
    return found


_PLACES = {
    "dpkg": ("dpkg", "key"),
    "apk": ("apk", "key"),
    "rpm": ("rpm", "key"),
    "pep440": ("pep440", "key"),
    "semver": ("semver", "key"),
    "go": ("semver", "go_key"),
    "maven": ("maven", "key"),
    "gem": ("gem", "key"),
    "composer": ("composer", "key"),
    "nuget": ("nuget", "key"),
    "generic": ("generic", "key"),
}
