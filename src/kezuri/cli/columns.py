"""Tables whose second column is a text that takes the room there is, and whose other columns are figures."""

from collections.abc import Sequence

from kezuri.cli.screen_text import clip, width

_GAP = "  "


def widths(rows: Sequence[Sequence[str]], columns: int, least: int) -> list[int]:
    """How wide each column is, so that the longest cells of these rows, the heading among them, fit into lines of so
    many `columns`; the second one becomes narrower where they do not, but not than `least`."""
    wide = [max(width(row[column]) for row in rows) for column in range(len(rows[0]))]
    room = max(least, columns - sum(wide) + wide[1] - len(_GAP) * (len(wide) - 1))
    wide[1] = min(wide[1], room)
    return wide


def line(cells: Sequence[str], wide: Sequence[int]) -> str:
    """The cells under those of other lines: text to the left, figures to the right."""
    out = []
    for column, cell in enumerate(cells):
        cell = clip(cell, wide[column])
        gap = " " * (wide[column] - width(cell))
        out.append(cell + gap if column == 1 else gap + cell)
    return _GAP.join(out).rstrip()
