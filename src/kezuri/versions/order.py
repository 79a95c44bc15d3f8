"""Versions in order: one comparison for each scheme, by the rules of the package manager that it is of."""

from collections.abc import Callable
from typing import Literal

Scheme = Literal["dpkg", "apk", "rpm", "pep440", "semver", "go", "maven", "gem", "composer", "nuget", "generic"]
"""`semver` orders versions of npm, crates.io and their like; `generic` runtimes and what has no rules of its own:
numbers by their size, words by their letters."""

Comparison = Callable[[str, str], int]
"""Less than 0, 0 or more than 0, as the first version is the earlier, the same or the later one."""


class Unordered(ValueError):
    """A text that is no version in its scheme: nothing can be said of where it stands."""


def comparison(scheme: Scheme) -> Comparison:
    """How versions of a scheme are compared. The comparison raises Unordered for a text that the scheme does not know;
    where the package manager itself takes any text (dpkg, rpm, Maven), none is unknown."""
    raise NotImplementedError(scheme)
