"""`kezuri check`: what there is to say about Dockerfiles and what lies around them, without building."""

from typing import TYPE_CHECKING

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

if TYPE_CHECKING:
    from kezuri.check.selection import Selection

COMMAND = Command(
    "check",
    "Check Dockerfiles and what lies around them",
    (
        Option(
            ("--build-arg",), "repeated", "Set a build argument; without =VALUE that of the environment", "NAME[=VALUE]"
        ),
        Option(
            ("--context",), "text", "The build context (default: the file's directory)", "DIR", completes="directory"
        ),
        Option(
            ("--failure-threshold", "-t"),
            "choice",
            "Fail on findings of this level and above (default warning)",
            "LEVEL",
            ("error", "warning", "info", "style", "ignore", "none"),
        ),
        Option(("--format", "-f"), "choice", "How to print (default text)", "FORMAT", ("text", "json")),
        Option(("--ignore",), "repeated", "Leave out the findings of a rule, by any of its names", "RULE"),
        Option(
            ("--level",),
            "choice",
            "The lightest findings that are printed as text (default info)",
            "LEVEL",
            ("error", "warning", "info", "style"),
        ),
        Option(("--no-fail",), "flag", "Exit with 0 whatever is found"),
        Option(("--online",), "flag", "Ask registries for base images that are not in the store"),
        Option(("--platform",), "text", "Check for this platform", "OS/ARCH"),
        Option(("--rule",), "repeated", "Ask only this rule, by any of its names", "RULE"),
        Option(("--target",), "text", "Check what this stage needs only", "STAGE", completes="stage"),
    ),
    operands="[PATH | -]...",
    most=-1,
    completes="file",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Print what was found; the exit code as docs/exit-codes.md has it."""
    from kezuri.app.lint import CheckRequest, check_all
    from kezuri.check.told import reaches
    from kezuri.cli.build_request import build_arguments
    from kezuri.cli.check_text import say_checks
    from kezuri.oci.platform import Platform

    parsed, console = invocation.parsed, invocation.console
    platform = parsed.text("--platform")
    request = CheckRequest(
        parsed.operands or (".",),
        parsed.text("--context"),
        parsed.text("--target"),
        Platform.parse(platform) if platform else None,
        build_arguments(parsed, console.environ),
        parsed.flag("--online"),
        _selection(parsed.all("--rule"), parsed.all("--ignore")),
    )
    if request.paths.count("-") > 1:
        raise UsageError.because("standard input can be read once only")
    checks = check_all(request, lambda: invocation.settings)
    if parsed.text("--format") == "json":
        from kezuri.cli.json_text import json_text
        from kezuri.report.json_list import documents

        console.say(json_text(documents(checks.sheets), 2))
    say_checks(checks, parsed, console)
    threshold = parsed.text("--failure-threshold", "warning")
    if parsed.flag("--no-fail"):
        return 0
    if checks.unread or any(reaches(told.level, threshold) for sheet in checks.sheets for told in sheet.told):
        return 1
    return 125 if any(sheet.defects for sheet in checks.sheets) else 0


def _selection(rules: tuple[str, ...], ignored: tuple[str, ...]) -> "Selection":
    from kezuri.check.selection import Selection

    return Selection(_names("--rule", rules) if rules else None, ignored=_names("--ignore", ignored))


def _names(option: str, given: tuple[str, ...]) -> frozenset[str]:
    """Names of rules in lower case; UsageError for one that no rule has."""
    from kezuri.check.catalogue import by_name
    from kezuri.diagnostics import nearest

    known = by_name()
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    for name in names:
        if name.lower() not in known:
            near = nearest(name, (n for rule in known.values() for n in (rule.name, *rule.aliases)))
            hint = f"did you mean {near}?" if near else "`kezuri check --list` shows the rules"
            raise UsageError.because(f"{option}: there is no rule {name!r}", hint)
    return frozenset(name.lower() for name in names)
