"""The physical lines of one instruction, each with its place in the logical line and the comments above it."""

from bisect import bisect_right
from typing import NamedTuple

from kezuri.dockerfile.lines import SPACE, Lines, LogicalLine, continued


class Row(NamedTuple):
    """A line of an instruction without its continuation mark; it begins at `at` in the logical line. `remarks` are the
    comments between the line before and this one, without the blanks around them."""

    remarks: tuple[str, ...]
    text: str
    at: int

    @property
    def indentation(self) -> str:
        """The blanks that it begins with."""
        return self.text[: len(self.text) - len(self.text.lstrip(" \t"))]


class Head(NamedTuple):
    """An instruction without its here-documents: its logical line, its rows, where these begin in it, and where in the
    source it ends."""

    line: LogicalLine
    rows: tuple[Row, ...]
    starts: tuple[int, ...]
    end: int

    def row(self, offset: int) -> int:
        """The number of the row in which a character of the logical line stands."""
        return bisect_right(self.starts, offset) - 1


def read_head(source: str, start: int, escape: str) -> Head:
    """The head of the instruction whose first word is at `start`. Blank lines are left out, and lines that are nothing
    but a continuation mark: neither means anything."""
    lines = Lines(source)
    lines.position = start
    first = lines.next()
    assert first is not None
    line = lines.join(first, escape)
    text, goes_on = continued(source[first.start : first.end], escape)
    rows, at = [Row((), text, 0)], len(text)
    remarks: list[str] = []
    lines.position = first.after
    while goes_on:
        following = lines.next()
        if following is None:
            break
        raw = source[following.start : following.end]
        bare = raw.strip(SPACE)
        if not bare:
            continue
        if bare[0] == "#":
            remarks.append(bare)
            continue
        text, goes_on = continued(raw, escape)
        if text:
            rows.append(Row(tuple(remarks), text, at))
            at += len(text)
            remarks.clear()
    return Head(line, tuple(rows), tuple(row.at for row in rows), line.end)
