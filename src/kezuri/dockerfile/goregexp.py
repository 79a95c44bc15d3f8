"""Go's regular expressions, as far as an ignore pattern can spell them: read by Go's rules, written in Python's words.

There are no groups but moby's own `(.*/)?`: an expression is alternatives, each a row of atoms.
"""

import re
from typing import Final, Literal, NamedTuple

Range = tuple[int, int]

ANY_DEPTH: Final = "(.*/)?"
_LAST: Final = 0x10FFFF
_DIGITS: Final[list[Range]] = [(48, 57)]
_LETTERS: Final[list[Range]] = [(65, 90), (97, 122)]
_WORD: Final[list[Range]] = [*_DIGITS, *_LETTERS, (95, 95)]
_SPACES: Final[list[Range]] = [(9, 10), (12, 13), (32, 32)]
_PERL: Final = {"d": _DIGITS, "w": _WORD, "s": _SPACES}
_NAMED: Final[dict[str, list[Range]]] = {
    "alnum": [*_DIGITS, *_LETTERS],
    "alpha": _LETTERS,
    "ascii": [(0, 127)],
    "blank": [(9, 9), (32, 32)],
    "cntrl": [(0, 31), (127, 127)],
    "digit": _DIGITS,
    "graph": [(33, 126)],
    "lower": [(97, 122)],
    "print": [(32, 126)],
    "punct": [(33, 47), (58, 64), (91, 96), (123, 126)],
    "space": [(9, 13), (32, 32)],
    "upper": [(65, 90)],
    "word": _WORD,
    "xdigit": [*_DIGITS, (65, 70), (97, 102)],
}
_CONTROLS: Final = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_PLACES: Final = {"A": r"\A", "z": r"\Z", "b": r"(?a:\b)", "B": r"(?a:\B)"}
# Compiled when one is met: most builds have no such pattern.
_CODE: Final = r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})|(0[0-7]{0,2}|[1-7][0-7]{1,2})"
_COUNT: Final = r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}"
_MOST_REPEATS: Final = 1000


class BadExpression(ValueError):
    """An expression that Go refuses."""


class Atom(NamedTuple):
    """A part of an expression: a `char` from `low` to `high` times (-1: any), any directories (`depth`), a `place`."""

    kind: Literal["char", "depth", "place"]
    source: str
    low: int = 1
    high: int = 1


def read(expression: str) -> list[list[Atom]]:
    """The alternatives of an expression. Raises BadExpression."""
    alternatives: list[list[Atom]] = [[]]
    at, repeated = 0, False
    while at < len(expression):
        atoms = alternatives[-1]
        char = expression[at]
        count = re.compile(_COUNT).match(expression, at) if char == "{" else None
        if char == "*" or count is not None:
            if repeated or not atoms:
                raise BadExpression
            atoms[-1] = _repeat(atoms[-1], count)
            at += 1 if count is None else len(count.group())
            repeated = True
            continue
        repeated = False
        if char == "|":
            alternatives.append([])
            at += 1
        elif expression.startswith(ANY_DEPTH, at):
            atoms.append(Atom("depth", ""))
            at += len(ANY_DEPTH)
            repeated = True
        elif char in "^$":
            atoms.append(Atom("place", r"\A" if char == "^" else r"\Z"))
            at += 1
        elif char == "\\":
            at = _escaped(expression, at + 1, atoms)
        elif char == "[":
            source, at = _class(expression, at + 1)
            atoms.append(Atom("char", source))
        else:
            atoms.append(Atom("char", "." if char == "." else re.escape(char)))
            at += 1
    return alternatives


def write(atoms: list[Atom]) -> str:
    """The atoms as a regular expression of Python."""
    return "".join(map(_written, atoms))


def _written(atom: Atom) -> str:
    if atom.kind == "depth":
        return "(?:.*/)?"
    if (atom.low, atom.high) == (1, 1):
        return atom.source
    if (atom.low, atom.high) == (0, -1):
        return atom.source + "*"
    return f"{atom.source}{{{atom.low},{'' if atom.high < 0 else atom.high}}}"


def ends(atoms: list[Atom], text: str, positions: int) -> int:
    """Where a match may end that starts at one of these positions, both as bits; no pattern can make it take long."""
    masks: dict[str, int] = {}

    def of(source: str) -> int:
        if source not in masks:
            one = re.compile(source)
            masks[source] = sum(1 << at for at, char in enumerate(text) if one.match(char))
        return masks[source]

    for atom in atoms:
        if not positions:
            return 0
        if atom.kind == "place":
            here = re.compile(atom.source)
            positions &= sum(1 << at for at in range(len(text) + 1) if here.match(text, at))
        elif atom.kind == "depth":
            positions |= (_onwards(positions, of(".")) & of("/")) << 1
        else:
            for _ in range(atom.low):
                positions = (positions & of(atom.source)) << 1
            if atom.high < 0:
                positions = _onwards(positions, of(atom.source))
            for _ in range(atom.low, atom.high):
                positions |= (positions & of(atom.source)) << 1
    return positions


def _onwards(positions: int, within: int) -> int:
    """The positions, and all that follow one of them as long as every character in between is `within`: bit i of
    `within` says that character i is, so that one may step from position i to position i + 1.

    Three bitwise steps stand for a loop over the text. Adding `inside` to `within` adds a one at each position that may
    be left, and the carry runs up through the set bits of `within` to the first clear one: that is how far one gets. So
    within one run of set bits, the bits from the lowest position on turn to zero, and the clear bit above turns to one;
    the exclusive or with `within` shows what has changed, which is just this stretch with its end. Where a second
    position lies higher in the same run, its bit meets a carry and stays a one, and the exclusive or misses it: it is
    in `inside`, and is put back from there.
    """
    inside = positions & within
    return positions | ((inside + within) ^ within) | inside


def _repeat(atom: Atom, count: re.Match[str] | None) -> Atom:
    low, high = 0, -1
    if count is not None:
        first, comma, last = count.groups()
        low = int(first) if len(first) < 8 else _MOST_REPEATS + 1
        high = low if not comma else -1 if last is None else int(last) if len(last) < 8 else _MOST_REPEATS + 1
        if max(low, high) > _MOST_REPEATS or 0 <= high < low:
            raise BadExpression
    if atom.kind == "place":
        return atom if low else Atom("char", "", 0, 0)
    return atom._replace(low=low, high=high)


def _escaped(expression: str, at: int, atoms: list[Atom]) -> int:
    """What follows a backslash becomes atoms; returns where to go on."""
    char = expression[at : at + 1]
    if char in _PLACES:
        atoms.append(Atom("place", _PLACES[char]))
        return at + 1
    if char == "Q":  # everything up to \E stands for itself
        end = expression.find("\\E", at + 1)
        text = expression[at + 1 :] if end < 0 else expression[at + 1 : end]
        atoms.extend(Atom("char", re.escape(c)) for c in text)
        return len(expression) if end < 0 else end + 2
    if char.lower() in _PERL:
        atoms.append(Atom("char", _written_class(_PERL[char.lower()], char.isupper())))
        return at + 1
    code, at = _code(expression, at)
    atoms.append(Atom("char", re.escape(chr(code))))
    return at


def _code(expression: str, at: int) -> tuple[int, int]:
    """The character that an escape of one character means, from behind the backslash."""
    char = expression[at : at + 1]
    if char in _CONTROLS:
        return _CONTROLS[char], at + 1
    found = re.compile(_CODE).match(expression, at)
    if found is not None:
        two, braced, octal = found.groups()
        code = int(octal, 8) if octal else int(two or braced, 16)
        if code > _LAST:
            raise BadExpression
        return code, found.end()
    if not char or not char.isascii() or char.isalnum():
        raise BadExpression
    return ord(char), at + 1


def _class(expression: str, at: int) -> tuple[str, int]:
    """A bracket expression from behind its `[`; the first character may be a `]`."""
    negated = expression.startswith("^", at)
    if negated:
        at += 1
    ranges: list[Range] = []
    first = True
    while first or not expression.startswith("]", at):
        first = False
        if expression.startswith("[:", at):
            end = expression.find(":]", at + 2)
            if end >= 0:
                name = expression[at + 2 : end]
                if name.removeprefix("^") not in _NAMED:
                    raise BadExpression
                known = _NAMED[name.removeprefix("^")]
                ranges += _others(known) if name.startswith("^") else known
                at = end + 2
                continue
        letter = expression[at + 1 : at + 2] if expression.startswith("\\", at) else ""
        if letter and letter.lower() in _PERL:
            known = _PERL[letter.lower()]
            ranges += _others(known) if letter.isupper() else known
            at += 2
            continue
        low, at = _bound(expression, at)
        high = low
        if expression.startswith("-", at) and at + 1 < len(expression) and expression[at + 1] != "]":
            high, at = _bound(expression, at + 1)
            if high < low:
                raise BadExpression
        ranges.append((low, high))
    return _written_class(ranges, negated), at + 1


def _bound(expression: str, at: int) -> tuple[int, int]:
    if at >= len(expression):
        raise BadExpression
    if expression[at] == "\\":
        return _code(expression, at + 1)
    return ord(expression[at]), at + 1


def _others(ranges: list[Range]) -> list[Range]:
    """The characters that are in none of the ranges."""
    result: list[Range] = []
    next_one = 0
    for low, high in sorted(ranges):
        if low > next_one:
            result.append((next_one, low - 1))
        next_one = max(next_one, high + 1)
    if next_one <= _LAST:
        result.append((next_one, _LAST))
    return result


def _written_class(ranges: list[Range], negated: bool) -> str:
    if max(high for _, high in ranges) == _LAST:  # what is left out is less, and much quicker to compile
        others = _others(ranges)
        ranges, negated = (others, not negated) if others else (ranges, negated)
    return f"[{'^' if negated else ''}{''.join(f'{_point(low)}-{_point(high)}' for low, high in ranges)}]"


def _point(code: int) -> str:
    return f"\\U{code:08x}"
