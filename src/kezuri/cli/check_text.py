"""What `kezuri check` prints: the findings in the form that is asked for, and what could not be checked."""

from typing import TYPE_CHECKING

from kezuri.cli.console import Console
from kezuri.cli.options import Parsed
from kezuri.diagnostics import visible

if TYPE_CHECKING:
    from kezuri.app.lint import Checks


def say_checks(checks: "Checks", parsed: Parsed, console: Console) -> None:
    """The findings on standard output; on standard error what could not be checked. Under GitHub's Actions, where no
    form is asked for, annotations come after the text, and a table goes into the summary of the step."""
    form = checks.preferences.format
    actions = not form and console.environ.get("GITHUB_ACTIONS", "") == "true"
    form = form or "text"
    file = parsed.text("--output")
    if file and file != "-":
        from io import StringIO

        from kezuri.export.destination import write_text

        text = StringIO()
        say_findings(checks, form, parsed, Console(text, console.err, {**console.environ, "NO_COLOR": "1"}))
        write_text(file, text.getvalue().encode("utf-8", "backslashreplace"))
    else:
        say_findings(checks, form, parsed, console)
    if actions and any(sheet.told for sheet in checks.sheets):
        say_findings(checks, "github", parsed, console)
    if form == "github" or actions:
        _summarise(checks, console)
    _say_troubles(checks, parsed, console)


def say_findings(checks: "Checks", form: str, parsed: Parsed, console: Console) -> None:
    """The findings in one form."""
    from kezuri.report.forms import data, written

    if form == "text":
        from kezuri.report.text import text

        level = parsed.text("--level", "info")
        colour = console.colour(console.out) and not parsed.flag("--no-color")
        columns = console.columns(console.out)
        if shown := text(checks.sheets, level, colour, columns, console.words, console.phrase):
            console.say(shown, styled=True)
        return
    value = data(form, checks.sheets)
    if value is not None:
        from kezuri.cli.json_text import json_text

        console.data(json_text(value, 2))
    elif said := written(form, checks.sheets):
        console.say(said)


def _summarise(checks: "Checks", console: Console) -> None:
    """The table for the summary of the step, where GitHub wants it."""
    path = console.environ.get("GITHUB_STEP_SUMMARY", "")
    if not path:
        return
    from kezuri.report.markdown import markdown

    try:
        with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(markdown(checks.sheets) + "\n\n")
    except OSError as error:
        console.warn(f"cannot write the summary of the step: {error.strerror}")


def _say_troubles(checks: "Checks", parsed: Parsed, console: Console) -> None:
    from kezuri.diagnostics.render import render

    if checks.faults:
        from kezuri.cli.scan_line import line

        for name, faults in checks.faults:
            console.note(line(faults, visible(name), console.phrase), styled=True)
    defects = [defect for sheet in checks.sheets for defect in sheet.defects]
    colour, columns = console.colour(console.err), console.columns(console.err)
    console.out.flush()
    for diagnostic in (*checks.warnings, *checks.unread, *(defect.diagnostic for defect in defects)):
        console.note(render(diagnostic, colour, columns, console.words), styled=True)
    if parsed.flag("--debug"):
        for defect in defects:
            console.note(defect.trace)
