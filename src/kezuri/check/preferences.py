"""What files of settings, variables and the command line say about checks, as values that are laid over each other."""

from collections.abc import Mapping
from typing import NamedTuple

from kezuri.check.policy import Policy
from kezuri.check.rule import Level
from kezuri.check.selection import Selection
from kezuri.diagnostics import Diagnostic

THRESHOLDS = ("error", "warning", "info", "style", "ignore", "none")
"""From which level on findings fail the command."""

USUAL_THRESHOLD = "warning"


class Preferences(NamedTuple):
    """What one source says; what it does not say is None or empty. Names of rules are in their canonical form.
    `warnings` are about what it says and nobody understands."""

    ignored: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    also: frozenset[str] = frozenset()
    levels: Mapping[str, Level] = {}
    threshold: str = ""
    format: str = ""
    no_fail: bool | None = None
    heed: bool | None = None
    policy: Policy = Policy()
    warnings: tuple[Diagnostic, ...] = ()

    def over(self, other: "Preferences") -> "Preferences":
        """Both together: where both say something that can hold but once, this one does. What is left out is left out
        by either."""
        return Preferences(
            self.ignored | other.ignored,
            other.only if self.only is None else self.only,
            self.also | other.also,
            {**other.levels, **self.levels},
            self.threshold or other.threshold,
            self.format or other.format,
            other.no_fail if self.no_fail is None else self.no_fail,
            other.heed if self.heed is None else self.heed,
            _policies(self.policy, other.policy),
            (*other.warnings, *self.warnings),
        )

    @property
    def selection(self) -> Selection:
        """Which rules are asked."""
        return Selection(self.only, self.also, self.ignored, self.levels)


def _policies(one: Policy, other: Policy) -> Policy:
    """Of each thing that is asked, what the first one says, or else the second."""
    return Policy(
        one.trusted_registries or other.trusted_registries,
        one.label_schema or other.label_schema,
        one.strict_labels or other.strict_labels,
        one.required_labels or other.required_labels,
        one.forbidden_instructions or other.forbidden_instructions,
        one.forbidden_bases or other.forbidden_bases,
    )
