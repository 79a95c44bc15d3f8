"""Findings as a table in Markdown, for the summary of a workflow or a comment below a change."""

from collections.abc import Sequence

from kezuri.check.told import LEVELS, Sheet, Told, counted
from kezuri.report.cells import cell, code
from kezuri.report.places import path

_MOST = 500
"""Rows of a table: a summary of GitHub's holds a mebibyte."""


def markdown(sheets: Sequence[Sheet]) -> str:
    """The count, and a row for each finding, the heavy ones first."""
    every = sorted((t for sheet in sheets for t in sheet.told), key=lambda t: LEVELS.index(t.level))
    files = f"{len(sheets)} file{'s' * (len(sheets) != 1)} checked"
    if not every:
        return f"### kezuri check\n\n{files}: nothing found"
    counts = [(level, sum(told.level == level for told in every)) for level in LEVELS]
    lines = [
        "### kezuri check",
        "",
        f"{files}: {', '.join(f'{n} {counted(level, n)}' for level, n in counts if n)}",
        "",
    ]
    lines += ["| level | place | rule | finding |", "|---|---|---|---|", *(_row(told) for told in every[:_MOST])]
    if len(every) > _MOST:
        lines += ["", f"(and {len(every) - _MOST} more)"]
    return "\n".join(lines)


def _row(told: Told) -> str:
    rule = f"[{told.rule.name}]({told.url})" if told.url else told.rule.name
    aliases = f" ({', '.join(told.aliases)})" if told.aliases else ""
    text = f"{told.message}: {told.hint}" if told.hint else told.message
    return f"| {told.level} | `{code(path(told.source))}:{told.line}` | {rule}{aliases} | {cell(text)} |"
