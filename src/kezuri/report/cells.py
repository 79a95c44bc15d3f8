"""Text of others in the cells of tables, of Markdown and of spreadsheets: it is shown, and means nothing."""

from kezuri.diagnostics import visible

_ESCAPED = str.maketrans({**{char: f"\\{char}" for char in "\\`*_[]|#!~"}, "<": "&lt;", ">": "&gt;", "@": "&#64;"})


def code(text: str) -> str:
    """What stands between backticks."""
    return visible(text).replace("`", "'").replace("|", "\\|")


def cell(text: str) -> str:
    """What stands in a cell as it is, on one line."""
    return visible(" ".join(text.split("\n"))).translate(_ESCAPED)


def spreadsheet(text: str) -> str:
    """What stands in a field of CSV: no spreadsheet takes it for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
