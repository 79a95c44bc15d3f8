"""Text of others in the cells of a Markdown table: it is shown, and means nothing."""

from kezuri.diagnostics import visible

_MEANING = "\\`*_[]<>|#@!"
_NAMED = {"<": "&lt;", ">": "&gt;", "@": "&#64;"}


def code(text: str) -> str:
    """What stands between backticks."""
    return visible(text).replace("`", "'").replace("|", "\\|")


def cell(text: str) -> str:
    """What stands in a cell as it is, on one line."""
    text = visible(" ".join(text.split("\n")))
    for char in _MEANING:
        text = text.replace(char, _NAMED.get(char) or f"\\{char}")
    return text
