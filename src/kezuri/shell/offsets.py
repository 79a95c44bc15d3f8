"""Places of a text by characters and by the bytes that a parser counts."""

from bisect import bisect_right
from typing import TYPE_CHECKING

from kezuri.diagnostics import Span

if TYPE_CHECKING:
    from tree_sitter import Node


class Offsets:
    """A text as the bytes that a parser is given, and the way back. What is no character (half of a surrogate pair, as
    bytes that are no UTF-8 are read) and NUL are given as U+FFFD: places stay what they are."""

    __slots__ = ("_ends", "_extra", "data")

    def __init__(self, text: str) -> None:
        if not text.isascii() or "\0" in text:
            text = "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)
        self.data = text.encode()
        self._ends: list[int] = []
        self._extra: list[int] = []
        if len(self.data) != len(text):
            at = extra = 0
            for character in text:
                size = 1 if character < "\x80" else len(character.encode())
                at += size
                if size > 1:
                    extra += size - 1
                    self._ends.append(at)
                    self._extra.append(extra)

    def at(self, offset: int) -> int:
        """The place, in characters, of a byte offset."""
        index = bisect_right(self._ends, offset)
        return offset - self._extra[index - 1] if index else offset

    def span(self, node: "Node") -> Span:
        """The span of a node."""
        return Span(self.at(node.start_byte), self.at(node.end_byte))
