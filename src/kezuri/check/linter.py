"""Asks the rules about a Dockerfile, as the `check=` options say, and collects what they find."""

from collections.abc import Iterable
from typing import NamedTuple

from kezuri.check.rule import Finding, Rule
from kezuri.check.rules import RULES
from kezuri.check.subject import Subject
from kezuri.diagnostics import Diagnostic, KezuriError, Place
from kezuri.dockerfile.parser import Dockerfile
from kezuri.scalars import parse_bool

ARGUMENT = "BUILDKIT_DOCKERFILE_CHECK"


class CheckOptions(NamedTuple):
    """What `check=` says: at the top of a file, above an instruction, or by a build argument. `error` makes findings
    fail a build."""

    skip: frozenset[str] = frozenset()
    skip_all: bool = False
    experimental: frozenset[str] = frozenset()
    experimental_all: bool = False
    error: bool = False

    @classmethod
    def parse(cls, text: str) -> "CheckOptions":
        """From `skip=A,B;experimental=all;error=true`; KezuriError when it is something else."""
        text = text.strip()
        options = cls()
        for part in text.split(";", 2) if text else ():
            key, equals, value = part.partition("=")
            key, value = key.strip(), value.strip()
            if not equals or key not in ("skip", "experimental", "error"):
                said = key if equals else part
                raise KezuriError.of(
                    f'invalid check option "{said}"', hint="write skip=RULE,RULE;experimental=RULE,RULE;error=true"
                )
            if key == "error":
                error = parse_bool(value)
                if error is None:
                    raise KezuriError.of(f'failed to parse check option "{part}"', hint="error is true or false")
                options = options._replace(error=error)
                continue
            names = frozenset() if value == "all" else frozenset(name.strip() for name in value.split(","))
            if key == "skip":
                options = options._replace(skip=names, skip_all=value == "all")
            else:
                options = options._replace(experimental=names, experimental_all=value == "all")
        return options

    def below(self, comments: tuple[str, ...]) -> "CheckOptions":
        """The options for an instruction with these comments above it: the first `check=` among them is added."""
        for comment in comments:
            name, _, value = comment.partition("=")
            value = value.strip()
            if name.rstrip().lower() != "check" or not value:
                continue
            try:
                more = CheckOptions.parse(value.partition(" ")[0])
            except KezuriError:
                return self
            return self._replace(
                skip=self.skip | more.skip,
                skip_all=self.skip_all or more.skip_all,
                experimental=self.experimental | more.experimental,
                experimental_all=self.experimental_all or more.experimental_all,
            )
        return self

    def ask(self, rule: Rule) -> bool:
        """Whether the rule's findings count."""
        if rule.experimental:
            return self.experimental_all or rule.name in self.experimental
        return not self.skip_all and rule.name not in self.skip


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


def lint(subject: Subject, options: CheckOptions, rules: Iterable[Rule] = RULES, beyond: bool = False) -> Report:
    """What the rules find, each thing once, without what the options and the comments leave out; with `beyond` also
    what is not BuildKit's to find."""
    found: dict[tuple[str, str, object], Finding] = {}
    for rule in rules:
        # A comment above an instruction can switch an experimental rule on for it, so that such a rule is always asked
        # and its findings are filtered by the comments above them.
        if not rule.experimental and not options.ask(rule):
            continue
        for finding in rule.all(subject) if beyond else rule.look(subject):
            said = finding.judged or finding.node
            comments = said.comment if said is not None and not rule.file_wide else ()
            if (options.below(comments) if comments else options).ask(rule):
                found.setdefault((rule.name, finding.message, finding.node or finding.place), finding)
    ordered = sorted(found.values(), key=_place)
    return Report(tuple(ordered), options.error)


def _place(finding: Finding) -> int:
    span = finding.about or (finding.node.span if finding.node is not None else None)
    return span.start if span is not None else -1
