"""What BuildKit finds and what another linter finds, as one list: everything once, with the names that hold for it."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from kezuri.check.rule import Finding, Rule

if TYPE_CHECKING:
    from kezuri.check.subject import Subject


def merged(
    rule: Rule, subject: "Subject", found: Iterable[Finding], others: Iterable[Finding], theirs: str
) -> Iterator[Finding]:
    """`found` is what BuildKit finds, `others` what the other linter does: its name `theirs` holds for that only."""
    source = subject.dockerfile.source
    rest = {other.node.number: other for other in others if other.node is not None}
    mine = tuple(alias for alias in rule.aliases if alias != theirs)
    for finding in found:
        node = finding.node
        same = rest.pop(node.number, None) if node is not None and node.source is source else None
        if same is None:
            yield finding._replace(aliases=mine)
        else:
            yield finding._replace(aliases=rule.aliases, fix=finding.fix or same.fix)
    yield from (other._replace(aliases=rule.aliases) for other in rest.values())
