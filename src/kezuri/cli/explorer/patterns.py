"""Regular expressions that users type: whatever they are, the explorer goes on."""

import re
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from kezuri.anatomy.listing_tree import FileTree

_SECONDS = 2.0


class TooLong(Exception):
    """An expression was given up, because it takes too long."""


class Limited:
    """A context that is left with TooLong after a while. The main thread must enter it: while an expression is looked
    for no other thread runs, and only in the main one it lets itself be interrupted."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._before: Any = None

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGALRM, self._end)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, self._before)

    def _end(self, number: int, frame: FrameType | None) -> None:
        raise TooLong


def compiled(pattern: str) -> Callable[[str], object]:
    """The search for an expression; capitals count if it has any. re.error where it is none, or too large."""
    try:
        return re.compile(pattern, 0 if any(char.isupper() for char in pattern) else re.IGNORECASE).search
    except (OverflowError, RecursionError) as error:
        raise re.error(str(error)) from error


def matched(pattern: str, tree: FileTree) -> bytearray:
    """By the number of each node whether the expression is found in its path, with the slash in front. re.error where
    the pattern is none, TooLong where it takes too long."""
    search = compiled(pattern)
    found = bytearray(len(tree.nodes))
    paths = [""] * len(tree.nodes)
    with Limited():
        for node in tree.nodes:
            if node.parent is not None:
                number = node.number
                path = paths[number] = f"{paths[node.parent.number]}/{node.name}"
                found[number] = search(path) is not None
    return found
