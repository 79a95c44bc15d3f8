"""Patterns of `${v#p}`, `${v%p}` and `${v/p/r}`: `*` and `?` over a value, in time that no pattern can make explode.

The set of positions that a pattern may have reached is one big integer (bit i: position i), so a pattern of m marks
over a value of n characters costs m shifts of n bits, whatever the marks are. `*` and `?` stop at a newline, as in Go's
regexp.
"""

import re
from collections.abc import Iterator
from typing import Final

_ANY: Final = ""
_STAR: Final = "**"
_PAIR: Final = re.compile(r"\\.|.", re.DOTALL)


class BadPattern(ValueError):
    """A backslash before a character that needs none."""


class TooLong(ValueError):
    """The result would be longer than is allowed."""


def trim_prefix(value: str, pattern: str, longest: bool) -> str:
    """`${v#p}` and `${v##p}`."""
    return value[_end(value, _marks(pattern), longest) or 0 :]


def trim_suffix(value: str, pattern: str, longest: bool) -> str:
    """`${v%p}` and `${v%%p}`: the same on the reversed text, with the pattern reversed as BuildKit does it."""
    end = _end(value[::-1], _marks(_reversed(pattern)), longest) or 0
    return value[: len(value) - end]


def replace_first(value: str, pattern: str, replacement: str) -> str:
    """`${v/p/r}`: the replacement is taken as it stands."""
    for start, end in _matches(value, _marks(pattern)):
        return value[:start] + replacement + value[end:]
    return value


def replace_all(value: str, pattern: str, template: str, most: int) -> str:
    """`${v//p/r}`: in the replacement `$0`, `${0}` and `$$` mean what Go's ReplaceAllString makes of them.

    Raises TooLong before the result has more than `most` characters.
    """
    pieces = _template(template)
    parts: list[str] = []
    fixed, times = sum(len(piece) for piece in pieces if piece is not None), pieces.count(None)
    at, fresh, length = 0, True, len(value)
    for start, end in _matches(value, _marks(pattern)):
        parts.append(value[at:start])
        if end > at or fresh:  # an empty match right behind another one is passed over
            length += fixed + times * (end - start)
            if length > most:
                raise TooLong
            match = value[start:end]
            parts += [match if piece is None else piece for piece in pieces]
        at, fresh = end, False
    parts.append(value[at:])
    return "".join(parts)


def _marks(pattern: str) -> list[str]:
    """The pattern as characters, _ANY and _STAR; runs of `*` are one."""
    marks: list[str] = []
    at, size = 1 if pattern.startswith("\ufeff") else 0, len(pattern)
    while at < size:
        char = pattern[at]
        at += 1
        if char == "*":
            if not marks or marks[-1] is not _STAR:
                marks.append(_STAR)
            continue
        if char == "?":
            marks.append(_ANY)
            continue
        if char == "\\":
            char = pattern[at : at + 1]
            if char not in ("*", "?", "\\", "}", "/"):
                raise BadPattern(f"invalid escape '\\{char}'")
            at += 1
        marks.append(char)
    return marks


def _reversed(pattern: str) -> str:
    """The pattern from its end, escaped characters kept together; a backslash at its end escapes what came before."""
    return "".join(reversed(_PAIR.findall(pattern)))


def _end(value: str, marks: list[str], longest: bool) -> int | None:
    """Where a match that starts at 0 ends, or None."""
    if _ANY not in marks and _STAR not in marks:
        return len(marks) if value.startswith("".join(marks)) else None
    found = _advance(1, _Masks(value), marks)
    if not found:
        return None
    return found.bit_length() - 1 if longest else (found & -found).bit_length() - 1


class _Masks:
    """For each character of the pattern, at which positions of the text it stands."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.everywhere = (1 << len(text)) - 1
        self._known: dict[str, int] = {}
        self.within = self.everywhere & ~self.of("\n")  # the positions that `*` and `?` may pass

    def of(self, char: str) -> int:
        mask = self._known.get(char)
        if mask is None:
            mask = 0
            if char in self.text:
                table = _Table({ord(char): "1"})
                mask = int(self.text[::-1].translate(table), 2)
            self._known[char] = mask
        return mask


class _Table(dict[int, str]):
    def __missing__(self, key: int) -> str:
        self[key] = "0"
        return "0"


def _advance(positions: int, masks: _Masks, marks: list[str], shift: int = 0) -> int:
    """The positions after the pattern, of which `positions` are those before; both counted from `shift`."""
    within = masks.within >> shift
    for mark in marks:
        if mark is _STAR:
            inside = positions & within
            positions |= ((inside + within) ^ within) | inside  # the carry runs through to the end of each line
        elif mark is _ANY:
            positions = (positions & within) << 1
        else:
            positions = (positions & (masks.of(mark) >> shift)) << 1
        if not positions:
            return 0
    return positions


def _matches(value: str, marks: list[str]) -> Iterator[tuple[int, int]]:
    """The leftmost, longest matches, one after the other, as Go finds them (empty ones too)."""
    starred = _STAR in marks
    if not starred and _ANY not in marks:
        yield from _literal_matches(value, "".join(marks))
        return
    size = len(value)
    backward = _advance((1 << (size + 1)) - 1, _Masks(value[::-1]), marks[::-1])
    starts = [i for i, bit in enumerate(bin(backward)[2:].rjust(size + 1, "0")) if bit == "1"]
    masks = _Masks(value)
    across = "\n" in marks
    at = 0
    for start in starts:
        if start < at:
            continue
        if not starred:
            end = start + len(marks)
        else:
            limit = size if across else value.find("\n", start)
            if limit < 0:
                limit = size
            window = _Masks(value[start:limit]) if not across else None
            found = _advance(1, window, marks) if window is not None else _advance(1, masks, marks, start)
            end = start + found.bit_length() - 1
        yield start, end
        at = end if end > start else start + 1


def _literal_matches(value: str, literal: str) -> Iterator[tuple[int, int]]:
    if not literal:
        yield from ((i, i) for i in range(len(value) + 1))
        return
    at = value.find(literal)
    while at >= 0:
        yield at, at + len(literal)
        at = value.find(literal, at + len(literal))


def _template(template: str) -> list[str | None]:
    """The pieces of a replacement; None stands for the match. There are no groups, so other names are empty."""
    pieces: list[str | None] = []
    before, dollar, rest = template.partition("$")
    pieces.append(before)
    while dollar:
        if rest.startswith("$"):
            pieces.append("$")
            rest = rest[1:]
        else:
            braced = rest.startswith("{")
            end = start = 1 if braced else 0
            while end < len(rest) and (rest[end].isalpha() or rest[end].isdecimal() or rest[end] == "_"):
                end += 1
            if end == start or (braced and not rest.startswith("}", end)):
                pieces.append("$")
            else:
                if rest[start:end] == "0":
                    pieces.append(None)
                rest = rest[end + 1 :] if braced else rest[end:]
        before, dollar, rest = rest.partition("$")
        pieces.append(before)
    return pieces
