"""Wildcards of COPY and ADD sources: Go's `filepath.Match`."""

import re
from functools import lru_cache

from kezuri.diagnostics import KezuriError

_BAD = "syntax error in pattern"


class BadPattern(ValueError):
    """A pattern that Go or moby calls malformed."""


def has_wildcard(pattern: str) -> bool:
    """Whether the pattern holds a `*`, `?` or `[` that no backslash stands before."""
    at = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
        elif pattern[at] in "*?[":
            return True
        at += 1
    return False


def match(pattern: str, name: str) -> bool:
    """Whether the whole `name` matches. `*` and `?` do not cross a `/`; `[a-z]` and `[^a-z]` are one character.

    Raises KezuriError for a malformed pattern, if the name matches up to the star before what is wrong.
    """
    try:
        return matches(pattern, name)
    except BadPattern:
        raise KezuriError.of(
            f"{_BAD}: {pattern}", hint="close every [, and write \\ before a character that shall stand for itself"
        ) from None


def matches(pattern: str, name: str) -> bool:
    """As `match`. Raises BadPattern."""
    expression, is_whole = _compiled(pattern)
    found = expression.match(name) is not None
    if found and not is_whole:
        raise BadPattern
    return found


def verify(pattern: str, name: str) -> None:
    """Raises BadPattern where `matches` would; what is well-formed is not even compiled."""
    try:
        _read(pattern, [[]])
    except BadPattern:
        matches(pattern, name)


@lru_cache(256)
def _compiled(pattern: str) -> tuple[re.Pattern[str], bool]:
    """The pattern as a regular expression, and whether it is one for all of it or for what is well-formed.

    What stands between two stars is taken where it first fits, which is all that is needed, and never given back: so
    the time is bounded by the product of both lengths.
    """
    chunks: list[list[str]] = [[]]
    try:
        _read(pattern, chunks)
    except BadPattern:
        return re.compile(_joined(chunks[:-1]), re.DOTALL), False
    first, *rest = chunks
    if not rest:
        return re.compile("".join(first) + r"\Z", re.DOTALL), True
    return re.compile(f"{_joined(chunks[:-1])}[^/]*{''.join(rest[-1])}\\Z", re.DOTALL), True


def _joined(chunks: list[list[str]]) -> str:
    """What is between stars, from the start of a name."""
    first, *rest = ("".join(chunk) for chunk in chunks or [[]])
    return first + "".join(f"(?>[^/]*?{chunk})" for chunk in rest if chunk)


def _read(pattern: str, chunks: list[list[str]]) -> None:
    """Fill the expressions between the stars of the pattern, until something is wrong."""
    at, size = 0, len(pattern)
    while at < size:
        char = pattern[at]
        if char == "*":
            chunks.append([])
            at += 1
        elif char == "?":
            chunks[-1].append("[^/]")
            at += 1
        elif char == "[":
            piece, at = _bracket(pattern, at + 1)
            chunks[-1].append(piece)
        else:
            literal, at = (char, at + 1) if char != "\\" else _escaped(pattern, at)
            chunks[-1].append(re.escape(literal))


def _escaped(pattern: str, at: int) -> tuple[str, int]:
    if at + 1 >= len(pattern):
        raise BadPattern
    return pattern[at + 1], at + 2


def _bound(pattern: str, at: int) -> tuple[str, int]:
    """One end of a range within brackets."""
    if at >= len(pattern) or pattern[at] in "-]":
        raise BadPattern
    char, at = (pattern[at], at + 1) if pattern[at] != "\\" else _escaped(pattern, at)
    if at >= len(pattern):
        raise BadPattern
    return char, at


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    negated = pattern.startswith("^", at)
    if negated:
        at += 1
    ranges: list[str] = []
    count = 0
    while True:
        if pattern.startswith("]", at) and count:
            break
        low, at = _bound(pattern, at)
        high = low
        if pattern.startswith("-", at):
            high, at = _bound(pattern, at + 1)
        count += 1
        if low <= high:  # a range that is upside down holds nothing
            ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    if not ranges:
        return ("." if negated else "(?!)"), at + 1
    return f"[{'^' if negated else ''}{''.join(ranges)}]", at + 1
