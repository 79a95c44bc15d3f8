"""One instruction, written in rows: its tokens on the rows on which they stand, in one style."""

from collections.abc import Iterable

from kezuri.format.rows import Head
from kezuri.format.tokens import Token

INDENTATION = "    "


def lay_out(head: Head, tokens: list[Token], escape: str) -> list[str]:
    """The physical lines. A line break between two tokens stays where it is; what a body has in its own rows stays as
    it is, and gives the indentation of what stands above it. Rows of a JSON array whose first string stands on the row
    of its bracket begin below that string."""
    indentation, closing = _indentation(head, tokens), ""
    text = head.line.text
    lines: list[str] = []
    line = ""
    at = 0
    for place, token in enumerate(tokens):
        first, last = head.row(token.start), head.row(max(token.start, token.end - 1))
        said = token.text or text[token.start : token.end]
        if place and (token.breaks or first > at):
            lines.append(f"{line} {escape}")
            lines += (f"{indentation}{remark}" for remark in _remarks(head, range(at + 1, first + 1)))
            line = closing if token.array and said == "]" else indentation
        elif place and not token.glued:
            line += " "
        if first == last:
            line += said
        else:
            line += text[token.start : head.rows[first + 1].at]
            for number in range(first + 1, last + 1):
                row = head.rows[number]
                lines.append(f"{line}{escape}")
                lines += (f"{row.indentation}{remark}" for remark in row.remarks)
                line = row.text[: token.end - row.at]
        if token.array and said == "[" and head.row(tokens[place + 1].start) == first:
            indentation, closing = " " * len(line), " " * (len(line) - 1)
        at = last
    return [*lines, line]


def _remarks(head: Head, rows: Iterable[int]) -> list[str]:
    return [remark for row in rows for remark in head.rows[row].remarks]


def _indentation(head: Head, tokens: list[Token]) -> str:
    """The indentation of rows that may be moved: as in the body, where that has rows of its own."""
    for token in tokens:
        if token.body:
            first, last = head.row(token.start), head.row(max(token.start, token.end - 1))
            if first and head.rows[first].indentation == INDENTATION:
                return INDENTATION  # what goes on hangs below it
            return next((r.indentation for r in head.rows[first + 1 : last + 1] if r.indentation), INDENTATION)
    return INDENTATION
