"""What `kezuri check` says to people: every finding with its place, and the count."""

import os
from typing import TYPE_CHECKING

from kezuri.cli.console import Console
from kezuri.cli.options import Parsed

if TYPE_CHECKING:
    from kezuri.app.lint import Checks


def say_checks(checks: "Checks", parsed: Parsed, console: Console) -> None:
    """The findings on standard output, where they are wanted as text; on standard error what could not be checked."""
    from kezuri.check.told import reaches
    from kezuri.diagnostics.render import render

    if parsed.text("--format", "text") == "text":
        level = parsed.text("--level", "info")
        colour, columns = console.colour(console.out), console.columns(console.out)
        every = [told for sheet in checks.sheets for told in sheet.told]
        shown = [told for told in every if reaches(told.level, level)]
        blocks = [render(told.diagnostic, colour, columns, console.words) for told in shown]
        blocks.append(_summary(len(checks.sheets), [told.level for told in every], len(every) - len(shown), console))
        console.say("\n\n".join(blocks), styled=True)
    colour, columns = console.colour(console.err), console.columns(console.err)
    console.out.flush()
    for diagnostic in (*checks.unread, *(d.diagnostic for sheet in checks.sheets for d in sheet.defects)):
        console.note(render(diagnostic, colour, columns, console.words), styled=True)
    if parsed.flag("--debug") or os.environ.get("KEZURI_DEBUG", "") not in ("", "0", "false"):
        for sheet in checks.sheets:
            for defect in sheet.defects:
                console.note(defect.trace)


def _summary(files: int, levels: list[str], hidden: int, console: Console) -> str:
    counts = [(level, levels.count(level)) for level in ("error", "warning", "info", "style")]
    said = ", ".join(f"{count} {console.words(level)}" for level, count in counts if count)
    head = console.phrase("{} files checked", files) if files != 1 else console.words("1 file checked")
    if not said:
        return f"{head}: {console.words('nothing found')}"
    tail = f" ({console.phrase('{} not shown: --level style shows them', hidden)})" if hidden else ""
    return f"{head}: {said}{tail}"
