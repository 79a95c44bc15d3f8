"""What `kezuri compare` prints: the table for people, as Markdown, as CSV; and how it was measured."""

from collections.abc import Iterator

from kezuri.cli.figures import chance, comparison_rows, headings, markdown_table, reason, row, title
from kezuri.cli.phrase import Phrase
from kezuri.cli.screen_text import one_line, width
from kezuri.comparison.values import Comparison, Figure, Reading, Side
from kezuri.report.cells import spreadsheet

_GREEN, _RED, _RESET = "\x1b[32m", "\x1b[31m", "\x1b[0m"


def text(comparison: Comparison, phrase: Phrase, colour: bool) -> str:
    """The table with its heading, the cells under each other, and the conditions."""
    rows = comparison_rows(comparison, phrase)
    widths = [max(width(each[column]) for each in rows) for column in range(4)]
    lines = [f"- {_named(comparison.before)}", f"+ {_named(comparison.after)}", ""]
    for number, each in enumerate(rows):
        cells = [cell + " " * (widths[i] - width(cell)) for i, cell in enumerate(each)]
        figure = comparison.figures[number - 1] if number else None
        cells[3] = _coloured(each[3], figure, colour)
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, "", *_conditions(comparison, phrase)])


def markdown(comparison: Comparison, phrase: Phrase) -> str:
    """The table as in articles, and the conditions below it."""
    rows: list[tuple[str, ...]] = [headings(phrase)]
    rows += [_in_code(figure, row(figure, phrase, spread=False)) for figure in comparison.figures]
    names = phrase("Before: {}, after: {}", _code(comparison.before.name), _code(comparison.after.name))
    notes = [f"- {line}" for line in _conditions(comparison, phrase)]
    return "\n".join([*markdown_table(rows), "", names, "", *notes]).rstrip()


def csv(comparison: Comparison) -> str:
    """A line for each figure, for spreadsheets: numbers in bytes, counts and seconds, every run of both sides."""
    from csv import writer
    from io import StringIO

    out = StringIO()
    lines = writer(out, lineterminator="\n")
    lines.writerow(("key", "title", "unit", "before", "after", "saved", "certain", "runs_before", "runs_after"))
    for figure in comparison.figures:
        saved = "" if figure.saved is None else f"{figure.saved:.4f}"
        cells = (_value(figure.before), _value(figure.after), saved, str(figure.certain).lower())
        lines.writerow((figure.key, figure.title, figure.unit, *cells, _runs(figure.before), _runs(figure.after)))
    return out.getvalue().rstrip("\n")


def _value(reading: Reading) -> str:
    middle = reading.median
    return f"{middle:.10g}" if middle is not None else spreadsheet(reading.text)


def _runs(reading: Reading) -> str:
    return " ".join(f"{value:.10g}" for value in reading.values)


def _in_code(figure: Figure, cells: tuple[str, ...]) -> tuple[str, ...]:
    if figure.unit != "text":
        return cells
    return (cells[0], *(one_line(cell) for cell in cells[1:3]), cells[3])


def _conditions(comparison: Comparison, phrase: Phrase) -> Iterator[str]:
    """How it was measured, a sentence in a line."""
    under = comparison.conditions
    timed = any(figure.unit == "seconds" for figure in comparison.figures)
    if timed and under.runs == 1:
        yield phrase("Times were measured once, on {} processors ({}).", under.processors, under.system)
    elif timed:
        yield phrase("Times are medians of {} runs on {} processors ({}).", under.runs, under.processors, under.system)
    if under.registry:
        if under.bandwidth or under.rtt:
            yield phrase(
                "Pulled from a registry on this machine ({}) over a line of {} with a round trip of {}.",
                under.registry,
                bits(under.bandwidth, phrase),
                f"{under.rtt * 1000:g} ms",
            )
        else:
            yield phrase("Pulled from a registry on this machine ({}), not held back.", under.registry)
    if under.edited:
        yield phrase("The one-line edit is a comment in {}.", ", ".join(map(one_line, dict.fromkeys(under.edited))))
    if chance(comparison.figures):
        yield phrase("~: the runs of both sides overlap, or there is only one: the difference may be chance.")
    for figure in comparison.figures:
        for reading in dict.fromkeys((figure.before, figure.after)):
            if reading.absent and reading.absent != "an image is not built":
                yield f"{title(figure, phrase)}: {one_line(reason(reading.absent, phrase))}"


def bits(bandwidth: int, phrase: Phrase) -> str:
    """A bandwidth as people say it."""
    if not bandwidth:
        return phrase("any bandwidth")
    for unit, size in (("Gbit/s", 10**9), ("Mbit/s", 10**6), ("kbit/s", 10**3)):
        if bandwidth >= size:
            return f"{bandwidth / size:g} {unit}"
    return f"{bandwidth} bit/s"


def _coloured(cell: str, figure: Figure | None, colour: bool) -> str:
    if not colour or figure is None or figure.saved is None or not figure.certain or not figure.saved:
        return cell
    return f"{_GREEN if figure.saved > 0 else _RED}{cell}{_RESET}"


def _named(side: Side) -> str:
    return "  ".join(word for word in (one_line(side.name), side.digest[:19], side.platform) if word)


def _code(name: str) -> str:
    return f"`{one_line(name).replace('`', chr(39))}`"
