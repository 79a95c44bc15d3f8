"""One pattern of an ignore file, as moby's patternmatcher reads it.

A pattern is first turned into the expression that moby would build, and that one is then read with Go's rules: so its
odd corners (`[*]`, `^`, `a|b`, `\\d`) mean here what they mean there.
"""

import os
import re
from collections.abc import Callable
from typing import Final, Literal

from kezuri.dockerfile.goregexp import ANY_DEPTH, Atom, BadExpression, ends, read, write
from kezuri.dockerfile.wildcard import BadPattern

Kind = Literal["exact", "prefix", "suffix", "regex"]

_START: Final = Atom("place", r"\A")
_END: Final = Atom("place", r"\Z")
_CODES: Final = re.compile(r"\\[xQ0-7]")
_MOST_STEPS: Final = 1_000_000
_FREE_QUANTIFIERS: Final = 2
_MOST_COMPILED: Final = 500


def clean(path: str) -> str:
    """The shortest path of the same meaning, as Go's `filepath.Clean`."""
    path = os.path.normpath(path) if path else "."
    return path[1:] if path.startswith("//") else path


class PathPattern:
    """A compiled pattern; BadPattern for one that moby refuses. `text` is the cleaned pattern without `!`.

    `components` are the expressions of its path components, where it can be taken apart at its slashes; `floating` says
    that any directories may come before them. `leading` are the components before the first `**`.
    """

    __slots__ = (
        "_alternatives",
        "_find",
        "_hard",
        "_parents",
        "components",
        "floating",
        "kind",
        "leading",
        "literal",
        "source",
        "text",
    )

    def __init__(self, text: str) -> None:
        self.text = text
        self.kind, self.literal, expression = _moby(text)
        self.source = ""
        self._hard = 0
        self._alternatives: list[list[Atom]] = []
        self._find: Callable[[str], object] | None = None
        self._parents: re.Pattern[str] | None = None
        self.components: tuple[str, ...] | None = None
        self.floating = False
        self.leading: tuple[str, ...] = ()
        if self.kind == "regex":
            try:
                self._alternatives = read(f"^{expression}$")
            except BadExpression:
                raise BadPattern from None
            self._compile()

    def _compile(self) -> None:
        """A pattern with a `|` is tied to the start of a path on its first side only, and to the end on its last.

        A very long one is not compiled: that would take longer than to try it.
        """
        every = [atom for row in self._alternatives for atom in row]
        self._hard = sum(atom.low != atom.high or atom.kind == "depth" for atom in every)
        if len(every) > _MOST_COMPILED:
            return
        try:
            atoms = self._whole()
            if atoms is None:
                self._hard += 1
                self.source = "|".join(f"(?:{write(row)})" for row in self._alternatives)
                self._find = re.compile(self.source).search
                return
            self.source = write(atoms)
            self._find = re.compile(self.source + r"\Z").match
            if all(atom.kind != "place" for atom in atoms):
                self._parents = re.compile(self.source + r"(?=/|\Z)")
        except (re.error, OverflowError):
            raise BadPattern from None
        self._take_apart(atoms)

    def _whole(self) -> list[Atom] | None:
        """What stands between the start and the end of a path, where the pattern is tied to both."""
        if len(self._alternatives) != 1 or self._alternatives[0][0] != _START or self._alternatives[0][-1] != _END:
            return None
        return self._alternatives[0][1:-1]

    @property
    def is_simple(self) -> bool:
        """Whether its expression can be joined with others: it is tied to both ends of a path, and cannot take long."""
        return self._parents is not None and self._hard <= _FREE_QUANTIFIERS

    def hits(self, path: str) -> bool:
        """Whether the pattern matches the path itself."""
        literal = self.literal
        if self.kind == "exact":
            return path == literal
        if self.kind == "prefix":
            return path.startswith(literal)
        if self.kind == "suffix":
            return path.endswith(literal) or (literal.startswith("/") and path == literal[1:])
        if self._find is None or self._is_slow(path):
            everywhere = (1 << (len(path) + 1)) - 1
            return any(ends(row, path, everywhere) for row in self._alternatives)
        return self._find(path) is not None

    def covers(self, path: str) -> bool:
        """Whether the pattern matches the path or any directory above it."""
        literal = self.literal
        if self.kind == "exact":
            return path.startswith(literal) and (len(path) == len(literal) or path[len(literal)] == "/")
        if self.kind == "prefix":
            return path.startswith(literal)
        if self.kind == "suffix":
            closed = path + "/"
            return literal + "/" in closed or (literal.startswith("/") and closed.startswith(literal[1:] + "/"))
        if self._parents is None:
            return any(self.hits(path[:at]) for at in range(len(path) + 1) if path[at : at + 1] in ("", "/"))
        if self._is_slow(path):
            found = ends(self._alternatives[0][:-1], path, 1) & ~1
            return any(found >> at & 1 and path[at : at + 1] in ("", "/") for at in range(len(path) + 1))
        return self._parents.match(path) is not None

    def may_hit_below(self, directory: str) -> bool:
        """Whether some path below `directory` could be matched; says yes when in doubt."""
        below = directory + "/"
        if self.kind == "exact":
            return self.literal.startswith(below)
        if self.kind == "prefix":
            return below.startswith(self.literal) or self.literal.startswith(below)
        if self.kind == "suffix" or self.floating:
            return True
        names = directory.split("/")
        if self.components is not None and len(self.components) <= len(names):
            return False
        expressions = self.components or self.leading
        return all(re.fullmatch(expression, name) is not None for expression, name in zip(expressions, names))

    def _is_slow(self, path: str) -> bool:
        return self._hard > _FREE_QUANTIFIERS and len(path) ** self._hard > _MOST_STEPS

    def _take_apart(self, atoms: list[Atom]) -> None:
        """Find the components, unless a character of the expression could be a slash that the pattern does not show."""
        for atom in atoms:
            if atom.kind == "place" or (atom.source not in ("/", ".", "") and re.match(atom.source, "/")):
                return
        if "\\/" in self.text or "/{" in self.text or _CODES.search(self.text):
            return
        names = self.text.split("/")
        try:
            expressions = [None if "**" in name else write(read(_scan(name)[0])[0]) for name in names]
        except BadExpression:  # a slash within brackets
            return
        floating = names[0] == "**"
        if floating:
            expressions = expressions[1:]
        known = [expression for expression in expressions if expression is not None]
        if len(known) == len(expressions):
            if self.is_simple:
                self.components, self.floating = tuple(known), floating
        elif floating or expressions[0] is None:
            self.floating = True
        else:
            self.leading = tuple(known[: expressions.index(None)])


def _moby(pattern: str) -> tuple[Kind, str, str]:
    """How moby would match the pattern: by which means, with which literal, or with which expression.

    The last special part decides: only a pattern that starts with `**` and holds nothing special after it is a suffix,
    only one that ends in its first `**` is a prefix.
    """
    expression, kind = _scan(pattern)
    if kind == "prefix":
        return "prefix", pattern[:-2], ""
    if kind == "suffix":
        # behind a byte order mark, which the expression does without, two bytes are cut off, not two stars
        return "suffix", "\udcbf" + pattern[1:] if pattern.startswith("\ufeff") else pattern[2:], ""
    return kind, pattern if kind == "exact" else "", expression


def _scan(pattern: str) -> tuple[str, Kind]:
    parts: list[str] = []
    kind: Kind = "exact"
    at, size, first = 1 if pattern.startswith("\ufeff") else 0, len(pattern), True
    while at < size:
        char = pattern[at]
        at += 1
        if char == "*" and pattern.startswith("*", at):
            at += 1
            if pattern.startswith("/", at):
                at += 1
            if at < size:
                parts.append(ANY_DEPTH)
                kind = "regex"
            elif kind == "exact":
                kind = "prefix"
            else:
                parts.append(".*")
                kind = "regex"
            if first:
                kind = "suffix"
        elif char == "*" or char == "?":
            parts.append("[^/]*" if char == "*" else "[^/]")
            kind = "regex"
        elif char == "\\" and at < size:
            parts.append("\\" + pattern[at])
            at += 1
            kind = "regex"
        elif char in ".+()$":  # not | { }: moby means to, but they are beyond its table
            parts.append("\\" + char)
        else:
            parts.append(char)
            if char in "[]":
                kind = "regex"
        first = False
    return "".join(parts), kind
