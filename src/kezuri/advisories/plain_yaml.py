"""The YAML that advisories are mostly written in, read many times faster than YAML in general can be.

Lines of keys and items whose values are one line, or go on in lines that are indented further. Whatever else there is,
is left to a reader of YAML.
"""

import re
from typing import Any

_KEY = re.compile(r"([A-Za-z_0-9][A-Za-z0-9_.+~:/-]*):(?: +|$)")
_PLAIN = re.compile(r"[A-Za-z0-9_(/\\<^~=.$+][^\t\r\x00-\x1f\x7f-\x9f]*$")
_MEANT = re.compile(r": |:$| #")
"""What has a meaning in a scalar without quotes."""
_DOUBLE = re.compile(r'"([^"\\\n]*)"$')
_SINGLE = re.compile(r"'((?:[^'\n]|'')*)'$")
_DEEPEST = 40


class _Odd(Exception):
    """Not of the kind that is read here."""


def plain_yaml(text: str) -> Any | None:
    """The value of a document, all scalars as texts; None where it is not of this kind."""
    lines = text.split("\n")
    if lines and lines[0].rstrip() == "---":
        lines[0] = ""
    reader = _Reader(lines)
    try:
        value = reader.block(0, 0)
        return value if reader.peek() is None else None
    except (_Odd, IndexError):
        return None


class _Reader:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._row = 0

    def peek(self) -> tuple[int, str] | None:
        """The indentation and the text of the next line that is not blank."""
        while self._row < len(self._lines):
            line = self._lines[self._row]
            body = line.lstrip(" ")
            if body and not body.isspace():
                if body[0] == "#" or body[0] == "\t" or "\r" in body or body[:3] in ("---", "..."):
                    raise _Odd
                return len(line) - len(body), body
            self._row += 1
        return None

    def block(self, indent: int, depth: int) -> Any:
        """The mapping or sequence that begins at the next line, which is indented so far."""
        if depth > _DEEPEST:
            raise _Odd
        found = self.peek()
        if found is None or found[0] != indent:
            raise _Odd
        if found[1].startswith("- "):
            return self._sequence(indent, depth)
        return self._mapping(indent, depth)

    def _sequence(self, indent: int, depth: int) -> list[Any]:
        items: list[Any] = []
        while (found := self.peek()) is not None and found[0] == indent and found[1].startswith("- "):
            body = found[1][2:].lstrip(" ")
            inner = indent + len(found[1]) - len(body)
            if _KEY.match(body):
                # The item's first key stands in the line of the dash: as if it stood in a line of its own.
                self._lines[self._row] = " " * inner + body
                items.append(self._mapping(inner, depth + 1))
            else:
                items.append(self._scalar(body, indent + 1))
        return items

    def _mapping(self, indent: int, depth: int) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while (found := self.peek()) is not None and found[0] == indent:
            key = _KEY.match(found[1])
            if key is None or key[1] in pairs:
                raise _Odd
            rest = found[1][key.end() :].strip(" ")
            if rest:
                pairs[key[1]] = self._scalar(rest, indent + 1)
                continue
            self._row += 1
            below = self.peek()
            if below is not None and (below[0] > indent or (below[0] == indent and below[1].startswith("- "))):
                if below[0] > indent and not below[1].startswith("- ") and not _KEY.match(below[1]):
                    raise _Odd
                pairs[key[1]] = self.block(below[0], depth + 1)
            else:
                pairs[key[1]] = ""
        if found is not None and found[0] > indent:
            raise _Odd
        return pairs

    def _scalar(self, first: str, indent: int) -> str:
        """A value that begins so, with the lines that it goes on in: those indented at least so far."""
        parts = [first.rstrip(" ")]
        self._row += 1
        while self._row < len(self._lines):
            line = self._lines[self._row]
            body = line.strip(" ")
            if not body:
                # A blank line within a value is a line of its own.
                following = self._following()
                if following is None or following < indent:
                    break
                raise _Odd
            if len(line) - len(line.lstrip(" ")) < indent:
                break
            parts.append(body)
            self._row += 1
        whole = " ".join(parts)
        if quoted := _DOUBLE.match(whole) or _SINGLE.match(whole):
            return quoted[1] if whole[0] == '"' else quoted[1].replace("''", "'")
        if _PLAIN.match(whole) is None or _MEANT.search(whole):
            raise _Odd
        return whole

    def _following(self) -> int | None:
        """The indentation of the next line that is not blank."""
        for row in range(self._row, len(self._lines)):
            line = self._lines[row]
            body = line.lstrip(" ")
            if body.strip():
                return len(line) - len(body)
        return None
