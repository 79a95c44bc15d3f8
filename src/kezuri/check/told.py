"""Findings as they are told: with the level that holds, and everything that was found in one file."""

from typing import NamedTuple

from kezuri.check.rule import Finding, Fix, Level, RulePage
from kezuri.diagnostics import Diagnostic, Severity, SourceText, Span

LEVELS: tuple[Level, ...] = ("error", "warning", "info", "style", "ignore")
"""The heaviest first."""


def reaches(level: Level, threshold: str) -> bool:
    """Whether a finding of the level weighs as much as the threshold, which may be `none`: nothing does."""
    return threshold != "none" and LEVELS.index(level) <= LEVELS.index(threshold)


def counted(level: Level, count: int) -> str:
    """The level behind a number: `2 warnings`."""
    return f"{level}s" if count != 1 and level in ("error", "warning") else level


class Told(NamedTuple):
    """One finding. `span` is the part to show and `whole` what tools know it by; both are None where it stands nowhere
    in the text. `aliases` are the names of other tools that hold for it."""

    rule: RulePage
    level: Level
    message: str
    source: SourceText
    span: Span | None
    whole: Span | None
    hint: str = ""
    url: str = ""
    aliases: tuple[str, ...] = ()
    fix: Fix | None = None

    @classmethod
    def of(cls, finding: Finding, source: SourceText, level: Level) -> "Told":
        """A rule's finding in this text, or in the text that it names."""
        diagnostic = finding.diagnostic(source)
        return cls(
            finding.rule,
            level,
            diagnostic.message,
            diagnostic.source or source,
            diagnostic.span,
            diagnostic.about or diagnostic.span,
            diagnostic.hint,
            diagnostic.url,
            finding.names[1:],
            finding.fix,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """Every name by which it can be meant: the rule's own first."""
        return (self.rule.name, *self.aliases)

    @property
    def code(self) -> str:
        """What hadolint calls it, where that has it, else the rule's name."""
        return next((alias for alias in self.aliases if alias.startswith(("DL", "SC"))), self.rule.name)

    @property
    def line(self) -> int:
        """The line that it is known by, from 1: that on which its instruction begins."""
        return 1 if self.whole is None else self.source.position(self.whole.start)[0]

    @property
    def diagnostic(self) -> Diagnostic:
        """The finding as it is shown."""
        severity: Severity = "style" if self.level == "ignore" else self.level
        return Diagnostic(
            severity, self.message, self.source, self.span, self.hint, self.rule.name, "", self.url, self.whole
        )


class Defect(NamedTuple):
    """A rule that raised: a mistake of kezuri's. `error` says what, `trace` where. Where `rule` is empty, the source
    could not be read for any rule."""

    rule: str
    source: str
    error: str
    trace: str

    @property
    def diagnostic(self) -> Diagnostic:
        """What is said about it."""
        text = f"defect of kezuri: the rule {self.rule} could not be asked about {self.source}: {self.error}"
        if not self.rule:
            text = f"defect of kezuri: {self.source} could not be checked: {self.error}"
        return Diagnostic("warning", text, hint="everything else was checked; KEZURI_DEBUG=1 shows where, for a report")


class Sheet(NamedTuple):
    """What was found in one file: the findings in the order of the text, and how many were silenced. `unknown` says of
    which images nothing was known, and why."""

    source: SourceText
    told: tuple[Told, ...]
    defects: tuple[Defect, ...] = ()
    silenced: int = 0
    unknown: tuple[Diagnostic, ...] = ()
