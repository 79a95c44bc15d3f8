"""`kezuri check`: what there is to say about Dockerfiles and what lies around them, without building."""

from time import strftime

from kezuri.cli.check_fixes import FIX_OPTIONS
from kezuri.cli.check_options import OPTIONS
from kezuri.cli.html_page import HTML
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, UsageError
from kezuri.report.forms import FORMATS

COMMAND = Command(
    "check",
    "Check Dockerfiles and what lies around them",
    tuple(sorted((*OPTIONS, *FIX_OPTIONS, HTML), key=lambda option: option.key)),
    operands="[PATH | IMAGE | -]...",
    most=-1,
    completes="file",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Print what was found; the exit code as docs/exit-codes.md has it."""
    from kezuri.app.lint import CheckRequest, check_all
    from kezuri.cli.build_request import build_arguments, built_request
    from kezuri.cli.check_settings import command_preferences, settings_preferences
    from kezuri.cli.check_text import say_checks
    from kezuri.cli.html_page import findings_page
    from kezuri.cli.progress import open_progress
    from kezuri.oci.platform import Platform

    parsed, console = invocation.parsed, invocation.console
    if parsed.given("--explain") or parsed.flag("--list"):
        from kezuri.cli.check_pages import say_list, say_page

        if parsed.given("--explain"):
            say_page(parsed.text("--explain"), console)
        else:
            say_list(parsed.text("--format"), console)
        return 0
    code = _exit_code(parsed.text("--exit-code", "1"))
    platform = parsed.text("--platform").partition(",")[0]
    request = CheckRequest(
        parsed.operands or (".",),
        parsed.text("--context"),
        parsed.text("--target"),
        Platform.parse(platform) if platform else None,
        build_arguments(parsed, console.environ),
        parsed.flag("--online"),
        command_preferences(parsed),
        settings_preferences(parsed, console.environ),
        console.environ,
        FORMATS,
        strftime("%Y-%m-%d"),
        parsed.text("--file-path-in-report", "-"),
        built_request(parsed, console) if parsed.flag("--built") else None,
    )
    if request.paths.count("-") > 1:
        raise UsageError.because("standard input can be read once only")
    if parsed.given("--fix") or parsed.flag("--diff"):
        if parsed.given("--html"):
            raise UsageError.because("--html writes what a check found: it goes with neither --fix nor --diff")
        from kezuri.cli.check_fixes import fix

        return fix(request, invocation, code)
    with open_progress("" if request.build is not None and console.live(console.err) else "quiet", console) as progress:
        checks = check_all(request, lambda: invocation.settings, None, progress)
    say_checks(checks, parsed, findings_page(invocation, checks))
    if checks.preferences.no_fail:
        return 0
    if checks.unread:
        return 1
    if checks.failed:
        return code
    return 125 if any(sheet.defects for sheet in checks.sheets) else 0


def _exit_code(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) < 256:
        return int(text)
    raise UsageError.because(f"--exit-code is a number from 0 to 255, not {text!r}")
