"""Values as JSON: letters of all languages as they are, everything that does not show escaped."""

import json
from json.encoder import encode_basestring
from typing import Any

from kezuri.diagnostics import visible


def json_text(value: Any, indent: int | None = None) -> str:
    """The value as JSON, on one line without `indent`. It reads back exactly, and is safe on a terminal."""
    text = _indented(value, indent) if indent else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if text.replace("\n", "").isprintable():
        return text
    return "".join(char if char == "\n" or visible(char) == char else json.dumps(char)[1:-1] for char in text)


def _indented(value: Any, indent: int) -> str:
    """What `json.dumps` gives, in half the time: with `indent` it takes its slower way."""
    parts: list[str] = []
    _write(value, "\n", " " * indent, parts)
    return "".join(parts)


def _write(value: Any, start: str, step: str, parts: list[str]) -> None:
    """Add the value; `start` is what a line begins with where it stands."""
    inner = start + step
    if isinstance(value, str):
        parts.append(encode_basestring(value))
    elif isinstance(value, dict) and value:
        before = "{" + inner
        for key, each in value.items():
            name = encode_basestring(key) if isinstance(key, str) else json.dumps({key: 0})[1:-4]
            parts += (before, name, ": ")
            _write(each, inner, step, parts)
            before = "," + inner
        parts += (start, "}")
    elif isinstance(value, list | tuple) and value:
        before = "[" + inner
        for each in value:
            parts.append(before)
            _write(each, inner, step, parts)
            before = "," + inner
        parts += (start, "]")
    else:
        parts.append(json.dumps(value, ensure_ascii=False))
