"""The name that was probably meant, chosen as BuildKit chooses it."""

from collections.abc import Iterable


def suggest(name: str, choices: Iterable[str]) -> str:
    """The first of the choices that are fewest edits away, and fewer than three; empty when there is none."""
    best, fewest = "", 3
    for choice in choices:
        if abs(len(choice) - len(name)) < fewest:
            distance = _distance(name, choice, fewest)
            if distance < fewest:
                best, fewest = choice, distance
    return best


def _distance(a: str, b: str, limit: int) -> int:
    """The number of insertions, deletions and changes, or `limit` where there are that many."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        corner, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (x != y))
        if min(row) >= limit:
            return limit
    return row[-1]
