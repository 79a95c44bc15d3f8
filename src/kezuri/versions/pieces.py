"""What versions consist of, whatever their scheme: numbers of any length, and texts that are no versions."""

from typing import Any

Key = Any
"""What stands for a version: keys of one scheme are compared by `<` and `==`, and by nothing else."""


class Unordered(ValueError):
    """A text that is no version in its scheme: nothing can be said of where it stands."""

    def __init__(self, scheme: str, version: str) -> None:
        shown = version if len(version) <= 80 else f"{version[:80]}…"
        super().__init__(f"{shown!r} is no version that {scheme} orders")
        self.scheme, self.version = scheme, version


def number(digits: str) -> tuple[int, str]:
    """Digits as what orders them by their size. A number that somebody made a million digits long costs no more than to
    read it, which `int` would refuse."""
    digits = digits.lstrip("0")
    return len(digits), digits
