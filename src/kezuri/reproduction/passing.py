"""Differences that a user lets pass, by patterns of paths."""

from collections.abc import Sequence

from kezuri.reproduction.values import Reproduction
from kezuri.tree.below import below


def without(found: Reproduction, patterns: Sequence[str]) -> tuple[Reproduction, int]:
    """The comparison without what the patterns match, and how many differences these were. In a pattern `*` and `?`
    stop at a slash, `**` does not; what lies below a match is matched, too. `created`, `history` and the fields of the
    config are matched by their names."""
    if not patterns:
        return found, 0
    matchers = [below(pattern) for pattern in patterns]
    steps, passed = [], 0
    for step in found.steps:
        left = tuple(each for each in step.found if not any(m.fullmatch(each.path) for m in matchers))
        passed += len(step.found) - len(left)
        if left:
            steps.append(step._replace(found=left))
    return found._replace(steps=tuple(steps)), passed
