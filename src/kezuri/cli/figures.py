"""Figures of comparisons as people read them, in their language: titles, readings with their spread, what was saved."""

from kezuri.cli.phrase import Phrase
from kezuri.cli.quantities import size
from kezuri.comparison.values import Comparison, Figure, Reading, Unit

_MANIFOLD = -9
"""What grew more than tenfold is better said as a factor."""


def title(figure: Figure, phrase: Phrase) -> str:
    """The row's title."""
    words = {
        "size.wire": phrase("Size on the wire"),
        "size.unpacked": phrase("Size unpacked"),
        "size.shown": phrase("Bytes of its files"),
        "size.wasted": phrase("Wasted bytes"),
        "layers": phrase("Layers"),
        "files": phrase("Files"),
        "packages.system": phrase("System packages"),
        "packages.language": phrase("Language packages"),
        "build.cold": phrase("Build, cold"),
        "build.unchanged": phrase("Build, nothing changed"),
        "build.edit": phrase("Build after a one-line edit"),
        "context": phrase("Build context"),
        "pull": phrase("Pull"),
        "user": phrase("User"),
        "setid": phrase("Set-id files"),
        "faults": phrase("Known faults"),
        "faults.severe": phrase("Known faults, critical and high"),
        "findings.dockerfile": phrase("Findings in the Dockerfile"),
        "findings.image": phrase("Findings in the image"),
    }
    return words.get(figure.key, figure.title)


def headings(phrase: Phrase, *, change: bool = False) -> tuple[str, str, str, str]:
    """The four columns of the table; the last one says what was saved, or with `change` by how much it changed."""
    if change:
        return phrase("Item"), phrase("Old"), phrase("New"), phrase("Change")
    return phrase("Item"), phrase("Before"), phrase("After"), phrase("Saved")


def row(figure: Figure, phrase: Phrase, *, change: bool = False, spread: bool = True) -> tuple[str, str, str, str]:
    """The row of a figure."""
    before, after = (reading(each, figure.unit, phrase, spread=spread) for each in (figure.before, figure.after))
    return title(figure, phrase), before, after, changed(figure) if change else saved(figure)


def reading(each: Reading, unit: Unit, phrase: Phrase, *, spread: bool = True) -> str:
    """What was measured: the median, and with `spread` the lowest and the highest run where they look different."""
    if not each.known:
        return "-"
    middle = each.median
    if middle is None:
        return each.text
    if unit == "bytes":
        return size(round(middle))
    if unit == "count":
        return f"{round(middle):,}"
    shown = seconds(middle, phrase)
    if not spread or len(each.values) < 2:
        return shown
    low, high = seconds(min(each.values), phrase), seconds(max(each.values), phrase)
    return shown if low == high else f"{shown} ({low} – {high})"


def seconds(value: float, phrase: Phrase) -> str:
    """A time as people say it."""
    if value < 0.0995:
        return phrase("{} s", f"{value:.3f}")
    if value < 9.95:
        return phrase("{} s", f"{value:.2f}" if value < 0.995 else f"{value:.1f}")
    whole = round(value)
    if whole < 60:
        return phrase("{} s", whole)
    if whole < 3600:
        return phrase("{} min {} s", whole // 60, f"{whole % 60:02}")
    return phrase("{} h {} min", whole // 3600, f"{whole % 3600 // 60:02}")


def reason(absent: str, phrase: Phrase) -> str:
    """Why nothing was measured."""
    words = {
        "a layer could not be read": phrase("a layer could not be read"),
        "no source file of the context is read": phrase("no source file of the context is read"),
        "it was not measured": phrase("it was not measured"),
    }
    return words.get(absent, absent)


def saved(figure: Figure) -> str:
    """Which part is gone, `85%`; below zero for what grew; with `~` where it may be chance."""
    part = figure.saved
    if part is None:
        return "-"
    return f"{'' if figure.certain else '~'}{percent(part)}"


def changed(figure: Figure) -> str:
    """By which part it grew, `+12%`, or shrank, `-85%`."""
    part = figure.saved
    if part is None:
        return "-"
    text = percent(part) if part < _MANIFOLD else percent(-part)
    if text.startswith("×"):
        return text
    return text if text.startswith(("-", "0")) and text[:2] != "0." else f"+{text}"


def percent(part: float) -> str:
    """A part as percent, to a decimal place where that says something; `×50` for what became fifty times as much."""
    if part < _MANIFOLD:
        return f"×{1 - part:,.0f}"
    hundredths = part * 100
    close = abs(hundredths) < 9.95 or 98.95 <= abs(hundredths) < 99.95
    text = f"{hundredths:.1f}" if close else f"{hundredths:.0f}"
    return "0%" if text in ("0.0", "-0.0") else f"{text.removesuffix('.0')}%"


def chance(figures: tuple[Figure, ...]) -> bool:
    """Whether a row has the mark for what may be chance."""
    return any(figure.saved is not None and not figure.certain for figure in figures)


def markdown_table(rows: list[tuple[str, ...]]) -> list[str]:
    """The rows as a table of Markdown, the first one its heading, the cells under each other."""
    from kezuri.cli.screen_text import width

    cells = [[_cell(cell) for cell in each] for each in rows]
    widths = [max(3, *(width(each[column]) for each in cells)) for column in range(len(cells[0]))]
    lines = [
        "| " + " | ".join(cell + " " * (w - width(cell)) for cell, w in zip(each, widths)) + " |" for each in cells
    ]
    rule = "| " + " | ".join("-" * w for w in widths) + " |"
    return [lines[0], rule, *lines[1:]]


def _cell(text: str) -> str:
    r"""A text that breaks no table: `|` is written `\|`, and a line stays one."""
    from kezuri.cli.screen_text import one_line

    return one_line(text).replace("\\", "\\\\").replace("|", "\\|").replace("`", "\\`").replace("<", "&lt;")


def comparison_rows(comparison: Comparison, phrase: Phrase, *, spread: bool = True) -> list[tuple[str, str, str, str]]:
    """The table of a comparison with its heading."""
    return [headings(phrase), *(row(figure, phrase, spread=spread) for figure in comparison.figures)]
