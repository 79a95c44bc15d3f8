"""The word that somebody probably meant."""

from collections.abc import Iterable


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice closest to `word` by edit distance, or None when nothing is close enough to be a slip.

    Case is ignored. A third of the word's letters, and at least one, may differ.
    """
    best: str | None = None
    limit = max(1, len(word) // 3) + 1
    low = word.lower()
    for choice in choices:
        distance = _distance(low, choice.lower(), limit)
        if distance < limit:
            best, limit = choice, distance
    return best


def _distance(a: str, b: str, limit: int) -> int:
    if abs(len(a) - len(b)) >= limit:
        return limit
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        older, before = before, row
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        if min(row) >= limit:
            return limit
    return row[-1]
