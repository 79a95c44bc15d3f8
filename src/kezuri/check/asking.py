"""Rules are asked about their subjects; one that raises takes nobody down."""

from collections.abc import Callable, Iterable, Iterator

from kezuri.check.rule import Finding, RulePage
from kezuri.check.told import Defect

Asked = Callable[[RulePage], Iterable[Finding]]
"""Asks one rule about the subject at hand."""


class Asking:
    """Asks rules and keeps what went wrong with them."""

    def __init__(self, source: str) -> None:
        self._source = source
        self.defects: list[Defect] = []

    def __call__(self, rules: Iterable[RulePage], ask: Asked) -> Iterator[Finding]:
        """What the rules find, each thing once."""
        for rule in rules:
            seen: set[tuple[str, object, object]] = set()
            try:
                for finding in ask(rule):
                    key = (finding.message, finding.node.number if finding.node is not None else None, finding.place)
                    if key not in seen:
                        seen.add(key)
                        yield finding
            except (MemoryError, KeyboardInterrupt):
                raise
            except Exception as error:
                self.defects.append(defect(rule.name, self._source, error))


def defect(rule: str, source: str, error: Exception) -> Defect:
    """What is said of a rule that raised; with an empty name, of everything about a source."""
    from traceback import format_exception

    said = " ".join(str(error).split())[:200]
    return Defect(
        rule, source, f"{type(error).__name__}: {said}".rstrip(": "), "".join(format_exception(error)).rstrip()
    )
