"""Findings as JSON: our own array, which has what hadolint's has and more, and GitLab's code quality report."""

from collections.abc import Iterable
from typing import Any

from kezuri.check.rule import Fix
from kezuri.check.told import Sheet, Told
from kezuri.diagnostics import SourceText, Span
from kezuri.report.places import fingerprinted, names, path, region

_SEVERITIES = {"error": "critical", "warning": "major", "info": "minor"}


def listed(sheets: Iterable[Sheet]) -> list[dict[str, Any]]:
    """One object for each finding. `line` to `endColumn` are those of the instruction, by which tools know it; `span`
    is the part of it that is meant."""
    return [document(told) for sheet in sheets for told in sheet.told]


def document(told: Told) -> dict[str, Any]:
    """One finding."""
    out: dict[str, Any] = {
        "file": told.source.name,
        **_position(told.source, told.whole),
        "level": told.level,
        "code": told.code,
        "rule": told.rule.name,
        "aliases": list(told.aliases),
        "message": told.message,
        "hint": told.hint,
        "url": told.url,
        "span": _position(told.source, told.span),
    }
    if told.fix is not None:
        out["fix"] = _fix(told.fix, told.source)
    return out


def gitlab(sheets: Iterable[Sheet]) -> list[dict[str, Any]]:
    """GitLab's report, which is Code Climate's with fingerprints."""
    found = []
    for told, fingerprint in fingerprinted(sheets):
        line, _, last, end = region(told.source, told.span)
        body = "\n\n".join(text for text in (told.hint, told.rule.why, told.url) if text)
        found.append(
            {
                "type": "issue",
                "check_name": told.code,
                "description": f"{names(told)}: {told.message}",
                "content": {"body": body},
                "categories": ["Style" if told.level == "style" else "Bug Risk"],
                "severity": _SEVERITIES.get(told.level, "info"),
                "fingerprint": fingerprint,
                "location": {
                    "path": path(told.source),
                    "lines": {"begin": line, "end": last - (end == 1 and last > line)},
                },
            }
        )
    return found


def _fix(made: Fix, source: SourceText) -> dict[str, Any]:
    """A fix as edits of texts, and files that it makes."""
    return {
        "title": made.title,
        "class": made.kind,
        "edits": [
            {"file": (edit.source or source).name, **_position(edit.source or source, edit.span), "text": edit.text}
            for edit in made.edits
        ],
        "files": [{"path": file.path, "text": file.text} for file in made.files],
    }


def _position(source: SourceText, span: Span | None) -> dict[str, int]:
    """Lines and columns from 1; the end is behind the last character."""
    if span is None:
        return {"line": 1, "column": 1, "endLine": 1, "endColumn": 1}
    line, column = source.position(span.start)
    last, end = source.position(max(span.start, span.end))
    return {"line": line, "column": column, "endLine": last, "endColumn": end}
