"""Offsets of a text as editors count them: lines from 0, and within a line bytes, UTF-16 units or characters."""

import re
from bisect import bisect_right
from typing import Literal, NamedTuple

from kezuri.diagnostics import Span

Unit = Literal["utf-8", "utf-16", "utf-32"]

_END = re.compile(r"\r\n|\n|\r")


class Point(NamedTuple):
    """A place between two characters; both are counted from 0."""

    line: int
    column: int


class Positions:
    """The points of one text. What an editor says of a place that is not there is the nearest that is."""

    def __init__(self, text: str, unit: Unit = "utf-16") -> None:
        self._text = text
        self._unit = unit
        self._starts, self._ends = [0], list[int]()
        for found in _END.finditer(text):
            self._ends.append(found.start())
            self._starts.append(found.end())
        self._ends.append(len(text))

    def point(self, offset: int) -> Point:
        """Where the character at the offset stands. Within a line ending it is the end of the line."""
        offset = min(max(offset, 0), len(self._text))
        line = bisect_right(self._starts, offset) - 1
        start, end = self._starts[line], min(offset, self._ends[line])
        return Point(line, self._width(self._text[start:end]))

    def offset(self, point: Point) -> int:
        """The offset of a point."""
        if point.line < 0:
            return 0
        if point.line >= len(self._starts):
            return len(self._text)
        start, end = self._starts[point.line], self._ends[point.line]
        if self._unit == "utf-32" or self._text[start:end].isascii():
            return min(start + max(point.column, 0), end)
        left = point.column
        for at in range(start, end):
            left -= self._width(self._text[at])
            if left < 0:
                return at
        return end

    def span(self, span: Span) -> tuple[Point, Point]:
        """Both ends of a span."""
        return self.point(span.start), self.point(max(span.start, span.end))

    def whole(self) -> tuple[Point, Point]:
        """Both ends of the text."""
        return Point(0, 0), self.point(len(self._text))

    def _width(self, text: str) -> int:
        if self._unit == "utf-32" or text.isascii():
            return len(text)
        if self._unit == "utf-8":
            return len(text.encode("utf-8", "surrogatepass"))
        return len(text) + sum(char > "\uffff" for char in text)
