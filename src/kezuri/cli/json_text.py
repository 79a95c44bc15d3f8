"""Values as JSON: letters of all languages as they are, everything that does not show escaped."""

import json
from typing import Any

from kezuri.diagnostics import visible


def json_text(value: Any, indent: int | None = None) -> str:
    """The value as JSON, on one line without `indent`. It reads back exactly, and is safe on a terminal."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=None if indent else (",", ":"))
    if all(line.isprintable() for line in text.split("\n")):
        return text
    return "".join(char if char == "\n" or visible(char) == char else json.dumps(char)[1:-1] for char in text)
