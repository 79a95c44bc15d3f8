"""Text of others in the cells of a Markdown table: it is shown, and means nothing."""

from kezuri.diagnostics import visible

_ESCAPED = str.maketrans({**{char: f"\\{char}" for char in "\\`*_[]|#!~"}, "<": "&lt;", ">": "&gt;", "@": "&#64;"})


def code(text: str) -> str:
    """What stands between backticks."""
    return visible(text).replace("`", "'").replace("|", "\\|")


def cell(text: str) -> str:
    """What stands in a cell as it is, on one line."""
    return visible(" ".join(text.split("\n"))).translate(_ESCAPED)
