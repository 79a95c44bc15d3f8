"""`kezuri check --fix` and `--diff`: what was mended and how that was proved, what was not and why."""

from errno import EBADF
from typing import TYPE_CHECKING

from kezuri.cli.console import Console
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Option, UsageError
from kezuri.diagnostics import Diagnostic, KezuriError, nearest

if TYPE_CHECKING:
    from kezuri.app.fixing import Fixer, FixRequest
    from kezuri.app.lint import CheckRequest, Checks
    from kezuri.check.mending import Tried
    from kezuri.check.rule import Fix

FIX_OPTIONS = (
    Option(("--diff",), "flag", "Show what --fix would write, as a diff, and write nothing"),
    Option(
        ("--fix",),
        "optional",
        "Mend what can be mended without changing the image; proved: also what changes it, built before and after",
        "safe|proved",
    ),
)


def fix(request: "CheckRequest", invocation: Invocation, code: int) -> int:
    """Mend the files; the exit code as docs/exit-codes.md has it: it tells of what is left (`code` where that is too
    much), with `--diff` also that something would be written."""
    from kezuri.app.fixing import Fixer
    from kezuri.app.lint import check_all

    parsed, console = invocation.parsed, invocation.console
    wanted = _fix_request(invocation)

    def proving(one: "Fix") -> None:
        if console.err.isatty():
            console.note(f"{console.words('building before and after')}: {console.words(one.title)}")

    fixer = Fixer(wanted, request.context, lambda: invocation.settings, lambda event: None, proving)
    checks = check_all(request, lambda: invocation.settings, fixer)
    _say_fixes(fixer, wanted.write, console)
    if not wanted.write:
        _say_diffs(fixer, console)
    elif "-" in request.paths:
        for file in fixer.files:
            if file.shown == "-":
                console.exactly(file.text)
                lost = getattr(console.out, "lost", None)
                if lost is not None and lost.errno == EBADF:
                    raise KezuriError.of("standard output is closed", exit_code=125)
    else:
        from kezuri.cli.check_text import say_checks

        say_checks(checks, parsed, console)
    if not wanted.write or "-" in request.paths:
        _say_unchecked(checks, console)
    changes = not wanted.write and any(file.changed for file in fixer.files)
    if checks.preferences.no_fail:
        return 0
    if checks.unread or changes:
        return 1
    if checks.failed:
        return code
    return 125 if any(sheet.defects for sheet in checks.sheets) else 0


def _say_unchecked(checks: "Checks", console: Console) -> None:
    """On standard error, where standard output has something else to tell: what could not be read or asked."""
    from kezuri.diagnostics.render import render

    colour, columns = console.colour(console.err), console.columns(console.err)
    for diagnostic in (*checks.unread, *(d.diagnostic for sheet in checks.sheets for d in sheet.defects)):
        console.note(render(diagnostic, colour, columns, console.words), styled=True)


def _fix_request(invocation: Invocation) -> "FixRequest":
    from kezuri.app.fixing import PROVED, SAFE, FixRequest
    from kezuri.cli.build_request import built_request

    parsed = invocation.parsed
    said = parsed.text("--fix", "true")
    known = {"true": SAFE, "safe": SAFE, "proved": PROVED}
    if said not in known:
        near = nearest(said, known)
        raise UsageError.because(f"--fix cannot be {said!r}", f"did you mean {near}?" if near else "safe or proved")
    build = built_request(parsed, invocation.console)
    if any(secret.kind == "stdin" for secret in build.secrets):
        raise UsageError.because(
            "--secret src=- can be read once, and a proof builds more than once",
            "give a file (src=) or a variable (env=)",
        )
    return FixRequest(known[said], not parsed.flag("--diff"), build)


def _say_fixes(fixer: "Fixer", written: bool, console: Console) -> None:
    """On standard error: each fix with what was proved, each one that was refused with the reason at its place."""
    from kezuri.diagnostics.render import render

    colour, columns = console.colour(console.err), console.columns(console.err)
    for file in fixer.files:
        for tried in file.kept:
            proof = "; ".join(map(console.words, tried.proved))
            done = console.words("mended") if written else console.words("would be mended")
            console.note(f"{_place(file.shown, tried)}: {done}: {console.words(tried.fix.title)} ({proof})")
        for tried in file.refused:
            console.note(render(_refusal(tried), colour, columns, console.words), styled=True)
        if not file.settled:
            console.note(f"{file.shown}: {console.words('there is more to mend: run it again')}")


def _place(shown: str, tried: "Tried") -> str:
    from kezuri.check.told import Told

    finding = tried.finding
    name = finding.rule.name
    return f"{finding.source.name}:{finding.line}: {name}" if isinstance(finding, Told) else f"{shown}: {name}"


def _refusal(tried: "Tried") -> Diagnostic:
    from kezuri.check.told import Told

    finding = tried.finding
    message = f"not mended: {tried.reasons[0]}"
    hint = "\n".join((*tried.reasons[1:], f"it was to be: {tried.fix.title}"))
    if isinstance(finding, Told):
        return finding.diagnostic._replace(severity="warning", message=message, hint=hint)
    return Diagnostic("warning", message, hint=hint, code=finding.rule.name)


def _say_diffs(fixer: "Fixer", console: Console) -> None:
    from kezuri.check.patch import unified

    for file in fixer.files:
        for changed in file.changed:
            console.exactly(unified(changed.before, changed.after, changed.shown))
