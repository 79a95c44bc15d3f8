"""Rules are asked about their subjects; one that raises takes nobody down."""

from collections.abc import Iterable, Iterator
from typing import Any

from kezuri.check.rule import Finding, Rule, RulePage
from kezuri.check.told import Defect


class Asking:
    """Asks rules and keeps what went wrong with them."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.defects: list[Defect] = []

    def __call__(self, rules: Iterable[RulePage], subject: object) -> Iterator[Finding]:
        """What the rules find, each thing once. They are asked what BuildKit does not ask, too."""
        for rule in rules:
            seen: set[tuple[str, object, object]] = set()
            try:
                for finding in _found(rule, subject):
                    key = (finding.message, finding.node.number if finding.node is not None else None, finding.place)
                    if key not in seen:
                        seen.add(key)
                        yield finding
            except (MemoryError, KeyboardInterrupt):
                raise
            except Exception as error:
                self.defects.append(_defect(rule, self._source, error))


def _found(rule: Any, subject: object) -> Iterator[Finding]:
    yield from rule.look(subject)
    if isinstance(rule, Rule):
        yield from rule.beyond(subject)  # type: ignore[arg-type]


def _defect(rule: RulePage, source: str, error: Exception) -> Defect:
    from traceback import format_exception

    said = " ".join(str(error).split())[:200]
    return Defect(
        rule.name, source, f"{type(error).__name__}: {said}".rstrip(": "), "".join(format_exception(error)).rstrip()
    )
