"""Two versions of a stage laid side by side: which step of the one is which step of the other."""

from collections.abc import Sequence
from typing import NamedTuple

_SIMILAR = 0.45
"""How much two instructions of one kind must have in common (0 to 1) to be one instruction that was edited."""


class Line(NamedTuple):
    """An instruction as far as it counts here."""

    kind: str
    text: str


def align(before: Sequence[Line], after: Sequence[Line]) -> tuple[int | None, ...]:
    """For each instruction of `after` the index of the one in `before` that it is, or None for a new one.

    Order is kept: no two pairs cross. Equal instructions go before edited ones, and an edited one keeps its kind.
    """
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    middle = [None if i is None else head + i for i in _best(old, new)]
    shift = len(before) - len(after)
    return (*range(head), *middle, *(i + shift for i in range(len(after) - tail, len(after))))


def _best(old: Sequence[Line], new: Sequence[Line]) -> list[int | None]:
    """The pairs whose likeness adds up to most; of equal sums, the earliest."""
    # sums[i][j]: the best for old[i:] and new[j:].
    rows, columns = len(old), len(new)
    sums = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    likeness = [[_likeness(a, b) for b in new] for a in old]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            pair = likeness[i][j] + sums[i + 1][j + 1] if likeness[i][j] else 0.0
            sums[i][j] = max(pair, sums[i + 1][j], sums[i][j + 1])
    found: list[int | None] = []
    i = j = 0
    while j < columns:
        if i < rows and likeness[i][j] and sums[i][j] == likeness[i][j] + sums[i + 1][j + 1]:
            found.append(i)
            i, j = i + 1, j + 1
        elif i < rows and sums[i][j] == sums[i + 1][j]:
            i += 1
        else:
            found.append(None)
            j += 1
    return found


def _likeness(one: Line, two: Line) -> float:
    if one == two:
        return 2.0
    if one.kind != two.kind:
        return 0.0
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, one.text, two.text, autojunk=False)
    if matcher.real_quick_ratio() < _SIMILAR or matcher.quick_ratio() < _SIMILAR:
        return 0.0
    ratio = matcher.ratio()
    return ratio if ratio >= _SIMILAR else 0.0
