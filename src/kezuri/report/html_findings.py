"""Findings of check as a section of the page, each with the lines that it is about. Pages are handed on: what looks
like a secret in these lines is blotted out."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from kezuri.check.image.blotting import blotted
from kezuri.check.sensitive import secret_name
from kezuri.check.told import LEVELS, Sheet, Told
from kezuri.diagnostics import visible
from kezuri.report.places import path, region

_MOST_LINES = 5000
_LONGEST = 400
_ASSIGNED = re.compile(r"""\b([A-Za-z_][A-Za-z0-9_]*)=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'$][^\s"']*)""")


def findings_section(
    sheets: Sequence[Sheet], told: Sequence[str] = (), japanese: Callable[[str], str] = str
) -> dict[str, Any]:
    """What was found in files, in the order of their lines. `told` is what could not be checked; `japanese` says a
    sentence of ours in Japanese."""
    return {
        "kind": "findings",
        "told": [visible(blotted(text)) for text in told],
        "sheets": [
            {
                "name": visible(path(sheet.source)),
                "silenced": sheet.silenced,
                "lines": _lines(sheet),
                "told": [
                    _finding(each, sheet, japanese)
                    for each in sorted(sheet.told, key=lambda each: (each.line, LEVELS.index(each.level)))
                ],
            }
            for sheet in sheets
        ],
    }


def _lines(sheet: Sheet) -> list[str]:
    """The lines of the file, if any finding stands in it."""
    lines = [told.line for told in sheet.told if told.whole is not None and told.source == sheet.source]
    if not lines:
        return []
    # Blotted before anything is cut: a key goes over lines, and half a token is still half a secret.
    text = blotted(sheet.source.text, lines=True).split("\n")
    if not text[-1]:
        text.pop()
    kept = (_ASSIGNED.sub(_kept, line.removesuffix("\r")) for line in text[:_MOST_LINES])
    return [visible(line[:_LONGEST], "\t") for line in kept]


def _kept(assigned: re.Match[str]) -> str:
    """What a page may show of `NAME=value`: of a secret by its name, that alone, unless its value is a variable."""
    secret = secret_name(assigned[1]) and assigned[2].strip("\"'")[:1] not in ("", "$")
    return f"{assigned[1]}=*****" if secret else assigned[0]


def _finding(told: Told, sheet: Sheet, japanese: Callable[[str], str]) -> dict[str, Any]:
    placed = told.span or told.whole
    found: dict[str, Any] = {
        "rule": told.rule.name,
        "aliases": list(told.aliases),
        "level": told.level,
        "url": told.url,
        "line": told.line if placed is not None else 0,
        "span": list(region(told.source, placed)) if placed is not None else None,
        "elsewhere": "" if told.source == sheet.source else visible(path(told.source)),
    }
    for name, text in (
        ("message", told.message),
        ("hint", told.hint),
        ("fix", told.fix.title if told.fix is not None else ""),
    ):
        found[name] = visible(blotted(text), "\n")
        if text and (other := japanese(text)) != text:
            found[f"{name}_ja"] = visible(blotted(other), "\n")
    if found["span"] is not None and found["span"][0] > _MOST_LINES:
        found["span"] = None
    return found
