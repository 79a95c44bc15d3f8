"""One pattern of an ignore file, as moby's patternmatcher reads it (section 1.6).

A pattern is first turned into the expression that moby would build, and that one is then read with Go's rules: so its
odd corners (`[*]`, `^`, `\\d`) mean here what they mean there.
"""

import os
import re
from typing import Final, Literal, NamedTuple

Kind = Literal["exact", "prefix", "suffix", "regex"]

_LETTERS: Final = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "s": r"[\t\n\f\r ]",
    "S": r"[^\t\n\f\r ]",
    "w": "[0-9A-Za-z_]",
    "W": "[^0-9A-Za-z_]",
    "a": r"\x07",
    "f": r"\f",
    "n": r"\n",
    "r": r"\r",
    "t": r"\t",
    "v": r"\v",
}
_PLACES: Final = {"A": r"\A", "z": r"\Z", "b": r"(?a:\b)", "B": r"(?a:\B)"}
_ANY_DEPTH: Final = "(.*/)?"
_HEXADECIMAL: Final = re.compile("x([0-9A-Fa-f]{2})")
_MOST_STEPS: Final = 1_000_000
_FREE_QUANTIFIERS: Final = 2


class BadPattern(ValueError):
    """A pattern that moby refuses."""


class Atom(NamedTuple):
    """A part of an expression: `one` character, `many` of it, `depth` (any directories or none) or a `place`."""

    kind: Literal["one", "many", "depth", "place"]
    source: str


def clean(path: str) -> str:
    """The shortest path of the same meaning, as Go's `filepath.Clean`."""
    path = os.path.normpath(path) if path else "."
    return path[1:] if path.startswith("//") else path


class PathPattern:
    """A compiled pattern; `text` is the cleaned pattern without `!`.

    `components` are the expressions of its path components, where it can be taken apart at its slashes; `floating` says
    that any directories may come before them. `leading` are the components before the first `**`.
    """

    __slots__ = (
        "_atoms",
        "_hard",
        "_parents",
        "_regex",
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
        self._atoms: list[Atom] = []
        self._regex: re.Pattern[str] | None = None
        self._parents: re.Pattern[str] | None = None
        self.components: tuple[str, ...] | None = None
        self.floating = False
        self.leading: tuple[str, ...] = ()
        if self.kind == "regex":
            self._atoms = _read(expression)
            self.source = _write(self._atoms)
            self._hard = sum(atom.kind in ("many", "depth") for atom in self._atoms)
            try:
                self._regex = re.compile(self.source + r"\Z")
                self._parents = re.compile(self.source + r"(?=/|\Z)")
            except re.error:
                raise BadPattern from None
            self._take_apart()

    @property
    def is_simple(self) -> bool:
        """Whether a regular expression cannot take long, so that it may be joined with others."""
        return self._hard <= _FREE_QUANTIFIERS

    def hits(self, path: str) -> bool:
        """Whether the pattern matches the path itself."""
        literal = self.literal
        if self.kind == "exact":
            return path == literal
        if self.kind == "prefix":
            return path.startswith(literal)
        if self.kind == "suffix":
            return path.endswith(literal) or (literal.startswith("/") and path == literal[1:])
        if self._is_slow(path) or self._regex is None:
            return bool(_simulate(self._atoms, path) >> len(path))
        return self._regex.match(path) is not None

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
        if self._is_slow(path) or self._parents is None:
            ends = _simulate(self._atoms, path) & ~1
            return any(ends >> at & 1 and path[at : at + 1] in ("", "/") for at in range(len(path) + 1))
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

    def _take_apart(self) -> None:
        """Find the components, unless a character of the expression could be a slash that the pattern does not show."""
        for atom in self._atoms:
            if atom.kind == "place" or (atom.source not in ("/", ".", "") and re.match(atom.source, "/")):
                return
        if "\\/" in self.text:
            return
        names = self.text.split("/")
        expressions = [None if "**" in name else _write(_read(_moby_expression(name))) for name in names]
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
        return "suffix", pattern[2:], ""
    return kind, pattern if kind == "exact" else "", expression


def _moby_expression(pattern: str) -> str:
    return _scan(pattern)[0]


def _scan(pattern: str) -> tuple[str, Kind]:
    parts: list[str] = []
    kind: Kind = "exact"
    at, size, first = 0, len(pattern), True
    while at < size:
        char = pattern[at]
        at += 1
        if char == "*" and pattern.startswith("*", at):
            at += 1
            if pattern.startswith("/", at):
                at += 1
            if at < size:
                parts.append(_ANY_DEPTH)
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
        elif char in ".+()|{}$\\":
            parts.append("\\" + char)
        else:
            parts.append(char)
            if char in "[]":
                kind = "regex"
        first = False
    return "".join(parts), kind


def _read(expression: str) -> list[Atom]:
    """Read an expression with the rules of Go's regexp. Raises BadPattern."""
    atoms: list[Atom] = []
    at, size = 0, len(expression)
    while at < size:
        char = expression[at]
        if expression.startswith(_ANY_DEPTH, at):
            atoms.append(Atom("depth", ""))
            at += len(_ANY_DEPTH)
            continue
        if char == "^":
            atoms.append(Atom("place", r"\A"))
            at += 1
            continue
        if char == "\\" and expression[at + 1 : at + 2] in _PLACES:
            atoms.append(Atom("place", _PLACES[expression[at + 1]]))
            at += 2
            continue
        if char == "[":
            source, at = _class(expression, at + 1)
        elif char == "\\":
            source, at = _escape(expression, at + 1)
        elif char == ".":
            source, at = ".", at + 1
        elif char == "*":
            raise BadPattern
        else:
            source, at = re.escape(char), at + 1
        many = expression.startswith("*", at)
        atoms.append(Atom("many" if many else "one", source))
        at += many
    return atoms


def _escape(expression: str, at: int) -> tuple[str, int]:
    """What an escaped character means, from behind the backslash: some letters are classes, as in Go."""
    char = expression[at : at + 1]
    if char in _LETTERS:
        return _LETTERS[char], at + 1
    hexadecimal = _HEXADECIMAL.match(expression, at)
    if hexadecimal is not None:
        return re.escape(chr(int(hexadecimal.group(1), 16))), hexadecimal.end()
    if not char or (char.isascii() and char.isalnum()):
        raise BadPattern
    return re.escape(char), at + 1


def _class(expression: str, at: int) -> tuple[str, int]:
    """A bracket expression from behind its `[`; the first character may be a `]`."""
    parts = ["["]
    if expression.startswith("^", at):
        parts.append("^")
        at += 1
    first = True
    while first or not expression.startswith("]", at):
        if at >= len(expression):
            raise BadPattern
        char = expression[at]
        at += 1
        if char == "\\":
            known, at = _escape(expression, at)
            if known.startswith("[^"):
                raise BadPattern
            parts.append(known[1:-1] if known.startswith("[") else known)
        else:
            parts.append("-" if char == "-" else re.escape(char))
        first = False
    return "".join(parts) + "]", at + 1


def _write(atoms: list[Atom]) -> str:
    marks = {"one": "", "many": "*", "depth": "(?:.*/)?", "place": ""}
    return "".join(atom.source + marks[atom.kind] for atom in atoms)


def _simulate(atoms: list[Atom], path: str) -> int:
    """The positions where a match that starts at 0 may end, as bits: for patterns that backtracking would drown in."""
    masks: dict[str, int] = {}

    def of(source: str) -> int:
        if source not in masks:
            one = re.compile(source)
            masks[source] = sum(1 << at for at, char in enumerate(path) if one.match(char))
        return masks[source]

    positions = 1
    for atom in atoms:
        if atom.kind == "place":
            here = re.compile(atom.source)
            positions &= sum(1 << at for at in range(len(path) + 1) if here.match(path, at))
        elif atom.kind == "one":
            positions = (positions & of(atom.source)) << 1
        else:
            within = of("." if atom.kind == "depth" else atom.source)
            inside = positions & within
            reached = positions | ((inside + within) ^ within) | inside
            positions = reached if atom.kind == "many" else positions | (reached & of("/")) << 1
    return positions
