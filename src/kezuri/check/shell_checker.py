"""The door to a program that checks shell scripts, and what it says."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

OFF = frozenset((1090, 1091, 2187))
"""What is not asked, as in hadolint: files that a script sources are not there to be read, and that ash is checked as
dash is known."""


class Replacement(NamedTuple):
    """Put a text in the place of a part of the script, from one line and column to another, both from 1; `before`
    tells of an insertion that belongs to what stands before it."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    before: bool


class Remark(NamedTuple):
    """What is said about a script: the code is ShellCheck's without `SC`, lines and columns count from 1."""

    code: int
    level: Literal["error", "warning", "info", "style"]
    message: str
    line: int
    column: int
    end_line: int
    end_column: int
    replacements: tuple[Replacement, ...] = ()


class ShellChecker(Protocol):
    """Checks scripts, which name their shell in a `#!` line."""

    def check(self, scripts: Sequence[str]) -> tuple[tuple[Remark, ...], ...]:
        """What is said about each of them, in their order. KezuriError where it cannot be asked."""
        ...
