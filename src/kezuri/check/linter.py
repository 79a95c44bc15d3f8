"""Asks the rules about a Dockerfile and collects what they find."""

from collections.abc import Iterable
from typing import NamedTuple

from kezuri.check.options import CheckOptions
from kezuri.check.rule import Finding, Rule
from kezuri.check.rules import RULES
from kezuri.check.subject import Subject
from kezuri.diagnostics import Diagnostic, KezuriError, Place
from kezuri.dockerfile.parser import Dockerfile

ARGUMENT = "BUILDKIT_DOCKERFILE_CHECK"


class Report(NamedTuple):
    """The findings in the order of the file, and whether they shall fail a build."""

    findings: tuple[Finding, ...]
    error: bool

    def verdict(self) -> KezuriError | None:
        """The error that `error=true` makes of findings."""
        if not self.error or not self.findings:
            return None
        names = sorted({finding.rule.name for finding in self.findings})
        return KezuriError(
            Diagnostic(
                "error",
                f"lint violation found for rules: {', '.join(names)}",
                hint="the check option error=true makes warnings fail the build",
            )
        )


def read_options(dockerfile: Dockerfile, argument: str | None) -> CheckOptions:
    """The options of the build argument, or else of the file's `# check=` line; KezuriError when they are wrong."""
    if argument is not None:
        try:
            return CheckOptions.parse(argument)
        except KezuriError as error:
            first = error.diagnostics[0]
            raise KezuriError(first._replace(message=f"build argument {ARGUMENT}: {first.message}")) from None
    for directive in dockerfile.directives:
        if directive.name == "check":
            try:
                return CheckOptions.parse(directive.value)
            except KezuriError as error:
                first = error.diagnostics[0]
                said = first._replace(message=f"failed to parse check options: {first.message}")
                raise KezuriError(said).at(Place(dockerfile.source, directive.span)) from None
    return CheckOptions()


def lint(subject: Subject, options: CheckOptions, rules: Iterable[Rule] = RULES) -> Report:
    """What the rules find, each thing once, without what the options and the comments leave out."""
    found: dict[tuple[str, str, object], Finding] = {}
    for rule in rules:
        # A comment above an instruction can switch an experimental rule on for it, so that such a rule is always asked
        # and its findings are filtered by the comments above them.
        if not rule.experimental and not options.ask(rule):
            continue
        for finding in rule.look(subject):
            said = finding.judged or finding.node
            comments = said.comment if said is not None and not rule.file_wide else ()
            if (options.below(comments) if comments else options).ask(rule):
                found.setdefault((rule.name, finding.message, finding.node), finding)
    ordered = sorted(found.values(), key=_place)
    return Report(tuple(ordered), options.error)


def _place(finding: Finding) -> int:
    span = finding.about or (finding.node.span if finding.node is not None else None)
    return span.start if span is not None else -1
