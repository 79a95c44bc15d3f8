"""Rows as a table, as JSON lines, or through a template: what every listing command does with `--format`."""

from collections.abc import Mapping, Sequence
from typing import Any

from kezuri.cli.console import Console
from kezuri.cli.options import Option
from kezuri.cli.screen_text import width
from kezuri.diagnostics import visible

FORMAT = Option(("--format",), "text", "How to print: table, json, table TEMPLATE, or a Go template", "FORMAT")
_GAP, _LEAST = 3, 10
"""Blanks after the longest cell of a column, and the least width of a column with them: docker's."""

Row = Mapping[str, Any]


def listing(
    console: Console,
    form: str,
    rows: Sequence[Row],
    columns: Mapping[str, str],
    headings: Row,
    *,
    headed: bool = True,
) -> None:
    """Print the rows. `columns` are the default table's fields and headings; `headings` name every field there is. Not
    `headed`: tables have rows only."""
    if form in ("", "table"):
        lines = [tuple(columns.values())] + [tuple(str(row[field]) for field in columns) for row in rows]
        _say(console, aligned(lines), headed)
        return
    from kezuri.cli.template import Template, as_json, escapes

    if form == "json":
        for row in rows:
            console.say(as_json(row))
        return
    tabular = form.startswith("table ")
    template = Template(escapes(form.removeprefix("table ") if tabular else form))
    # Rendered before anything is printed, and once with the headings even for no rows: a wrong field is always found.
    head = template.render(headings)
    texts = [template.render(row) for row in rows]
    if tabular:
        _say(console, aligned([tuple(text.split("\t")) for text in (head, *texts)]), headed)
    else:
        for text in texts:
            console.data(text)


def check_format(form: str, headings: Row) -> None:
    """UsageError for a form that `listing` would refuse, before anything is done whose result it is to show."""
    if form not in ("", "table", "json"):
        from kezuri.cli.template import Template, escapes

        Template(escapes(form.removeprefix("table "))).render(headings)


def _say(console: Console, lines: Sequence[str], headed: bool) -> None:
    for line in lines if headed else lines[1:]:
        console.say(line)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows with their cells under each other; the last cell of a row is not padded."""
    widths: list[int] = []
    rows = [[visible(cell) for cell in row] for row in rows]
    for row in rows:
        for i, cell in enumerate(row):
            if i == len(widths):
                widths.append(_LEAST)
            widths[i] = max(widths[i], width(cell) + _GAP)
    out = []
    for row in rows:
        padded = [cell + " " * (widths[i] - width(cell)) for i, cell in enumerate(row[:-1])]
        out.append("".join((*padded, *row[-1:])).rstrip())
    return out
