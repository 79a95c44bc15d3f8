"""Findings of check as a section of the page, each with the lines that it is about. Pages are handed on: what looks
like a secret in these lines is blotted out."""

from collections.abc import Callable, Sequence
from typing import Any

from kezuri.check.image.secret import blotted
from kezuri.check.told import LEVELS, Sheet, Told
from kezuri.diagnostics import visible
from kezuri.report.places import path, region

_AROUND = 2
_MOST_LINES = 12
_LONGEST = 400


def findings_section(
    sheets: Sequence[Sheet], told: Sequence[str] = (), japanese: Callable[[str], str] = str
) -> dict[str, Any]:
    """What was found in files, the heavy ones first. `told` is what could not be checked; `japanese` says a sentence of
    ours in Japanese."""
    return {
        "kind": "findings",
        "told": [visible(text) for text in told],
        "sheets": [
            {
                "name": visible(path(sheet.source)),
                "silenced": sheet.silenced,
                "told": [
                    _finding(each, japanese)
                    for each in sorted(sheet.told, key=lambda each: (LEVELS.index(each.level), each.line))
                ],
            }
            for sheet in sheets
        ],
    }


def _finding(told: Told, japanese: Callable[[str], str]) -> dict[str, Any]:
    placed = told.span or told.whole
    found: dict[str, Any] = {
        "rule": told.rule.name,
        "aliases": list(told.aliases),
        "level": told.level,
        "url": told.url,
        "line": told.line if placed is not None else 0,
        "span": list(region(told.source, placed)) if placed is not None else None,
        "excerpt": _excerpt(told) if placed is not None else [],
        "fix": visible(told.fix.title) if told.fix is not None else "",
    }
    for name, text in (("message", told.message), ("hint", told.hint), ("fix", found["fix"])):
        found[name] = visible(text, "\n")
        if text and (other := japanese(text)) != text:
            found[f"{name}_ja"] = visible(other, "\n")
    return found


def _excerpt(told: Told) -> list[list[Any]]:
    """The lines of what is meant and a few around it, with their numbers."""
    placed = told.span or told.whole
    if placed is None:
        return []
    source = told.source
    line, _, last, end = region(source, placed)
    last = max(line, last - (end == 1))
    lines = []
    for number in range(max(1, line - _AROUND), min(last, line + _MOST_LINES) + _AROUND + 1):
        text = source.line(number)
        if text or number <= last:
            lines.append([number, visible(blotted(text[:_LONGEST]), "\t")])
    return lines
