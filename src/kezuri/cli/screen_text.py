"""Text for a terminal: control sequences taken out, widths in cells, pieces cut to fit."""

from kezuri.diagnostics import unsteered


def plain(text: str) -> str:
    """What a program printed, or a name, as a terminal may show it (`unsteered`).

    Tabs become blanks to the next multiple of eight.
    """
    text = unsteered(text)
    if "\t" in text:
        before, *rest = text.split("\t")
        for piece in rest:
            before += " " * (8 - width(before) % 8) + piece
        text = before
    return text


def one_line(text: str) -> str:
    """A step's name as one line: runs of white space, line ends included, become one blank."""
    return text if text.isprintable() and "  " not in text else plain(" ".join(text.split()))


def width(text: str) -> int:
    """How many cells of a terminal the printable text takes (UAX #11: wide and full-width characters take two)."""
    if text.isascii():
        return len(text)
    return sum(map(_cells, text))


def clip(text: str, cells: int, mark: str = "…") -> str:
    """The text if it fits into so many cells, else its beginning and an ellipsis (`mark`)."""
    if (len(text) * 2 <= cells) or width(text) <= cells:
        return text
    if cells <= 0:
        return ""
    out, used = [], 0
    for char in text:
        step = _cells(char)
        if used + step > cells - len(mark):
            break
        out.append(char)
        used += step
    return "".join(out) + mark[:cells]


def _cells(char: str) -> int:
    if char.isascii():
        return 1
    from unicodedata import category, combining, east_asian_width

    if combining(char) or category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
