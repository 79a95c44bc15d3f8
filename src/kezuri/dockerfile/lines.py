"""Physical lines become logical lines: continuations joined, comments within them dropped, every offset remembered."""

import re
from bisect import bisect_right
from typing import NamedTuple

from kezuri.diagnostics import Span

# The blanks of Go's unicode.IsSpace: Python's own notion has four control characters more.
SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
BLANK = "\t\v\f\r "
LONGEST_LINE = 65535

_LONG = re.compile(rf"^[^\n]{{{LONGEST_LINE // 4},}}", re.MULTILINE)


class Line(NamedTuple):
    """One physical line: `text[start:end]` without its line ending, and where the next one starts."""

    start: int
    end: int
    after: int


class LogicalLine:
    """The text of one instruction, continued lines joined with nothing in between, and where each piece came from.

    `start` and `end` are offsets into the source, without the last line ending; `last` is the last physical line that
    was looked at; `has_gap` tells that a blank line stood within the continuation.
    """

    __slots__ = ("_origins", "_starts", "end", "has_gap", "last", "start", "text")

    def __init__(self, text: str, starts: list[int], origins: list[int], end: int, last: Line, has_gap: bool) -> None:
        self.text = text
        self._starts = starts
        self._origins = origins
        self.start = origins[0]
        self.end = end
        self.last = last
        self.has_gap = has_gap

    def origin(self, offset: int) -> int:
        """Where the character at `offset` of the logical line stands in the source."""
        piece = bisect_right(self._starts, offset) - 1
        return self._origins[piece] + offset - self._starts[piece]

    def span(self, start: int, end: int) -> Span:
        """The source span of `text[start:end]`, from its first to its last character."""
        first = self.origin(start)
        return Span(first, self.origin(end - 1) + 1 if end > start else first)


class Lines:
    """A source text, read line by line; `position` is where the next line starts."""

    __slots__ = ("_exact", "_indented", "position", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 1 if text.startswith("\ufeff") else 0
        self._exact: dict[str, list[int]] | None = None
        self._indented: dict[str, list[int]] | None = None

    def next(self) -> Line | None:
        """The next physical line, or None at the end of the file."""
        start, text = self.position, self.text
        if start >= len(text):
            return None
        newline = text.find("\n", start)
        end, after = (len(text), len(text)) if newline < 0 else (newline, newline + 1)
        self.position = after
        while end > start and text[end - 1] == "\r":
            end -= 1
        return Line(start, end, after)

    def join(self, first: Line, escape: str) -> LogicalLine:
        """The logical line that starts with `first`, whose leading blanks are dropped.

        Comment lines and blank lines within a continuation are passed over; leading blanks of continued lines stay.
        """
        raw = self.text[first.start : first.end]
        body = raw.lstrip(SPACE)
        starts, origins = [0], [first.end - len(body)]
        body, goes_on = continued(body, escape)
        parts, length, end, last, has_gap = [body], len(body), first.end, first, False
        while goes_on:
            line = self.next()
            if line is None:
                break
            last = line
            raw = self.text[line.start : line.end]
            bare = raw.lstrip(SPACE)
            if not bare:
                has_gap = True
                continue
            if bare[0] == "#":
                continue
            end = line.end
            raw, goes_on = continued(raw, escape)
            if raw:
                starts.append(length)
                origins.append(line.start)
                parts.append(raw)
                length += len(raw)
        return LogicalLine("".join(parts), starts, origins, end, last, has_gap)

    def find(self, content: str, after: int, indented: bool) -> Line | None:
        """The first line at or after `after` that equals `content`, leading tabs set aside where `indented` says so.

        The index is made once, so that a file of nothing but here-documents still takes linear time.
        """
        if indented:
            if self._indented is None:
                self._indented = self._index(True)
            places = self._indented.get(content)
        else:
            if self._exact is None:
                self._exact = self._index(False)
            places = self._exact.get(content)
        if not places:
            return None
        at = bisect_right(places, after - 1)
        if at == len(places):
            return None
        start = places[at]
        newline = self.text.find("\n", start)
        end, following = (len(self.text), len(self.text)) if newline < 0 else (newline, newline + 1)
        return Line(start, len(self.text[start:end].rstrip("\r")) + start, following)

    def _index(self, indented: bool) -> dict[str, list[int]]:
        index: dict[str, list[int]] = {}
        start = 0
        for raw in self.text.split("\n"):
            content = raw.rstrip("\r")
            index.setdefault(content.lstrip("\t") if indented else content, []).append(start)
            start += len(raw) + 1
        if start - 1 == len(self.text) and self.text.endswith("\n"):
            index[""].pop()  # what follows the last newline is no line
        return index


def long_lines(text: str) -> list[Span]:
    """The lines of more than 65535 bytes, which BuildKit refuses."""
    return [
        Span(found.start(), found.end())
        for found in _LONG.finditer(text)
        if len(found.group().encode("utf-8", "replace")) > LONGEST_LINE
    ]


def continued(raw: str, escape: str) -> tuple[str, bool]:
    """The line without its continuation mark, and whether there is one: a doubled escape character is none."""
    bare = raw.rstrip(" \t")
    if bare.endswith(escape) and not bare.endswith(escape + escape):
        return bare[:-1], True
    return raw, False
