"""Findings as SARIF 2.1.0, with what code scanning shows of rules, fingerprints that last, and fixes."""

from collections.abc import Sequence
from typing import Any

from kezuri import __version__
from kezuri.check.rule import Edit, Fix, RulePage
from kezuri.check.told import LEVELS, Defect, Sheet, Told
from kezuri.diagnostics import SourceText
from kezuri.report.places import fingerprinted, path, region

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS = 25_000
"""What GitHub takes of a run."""

_HOME = "https://pypi.org/project/kezuri/"
_LEVELS = {"error": "error", "warning": "warning"}
_SEVERITIES = {"error": "error", "warning": "warning"}
_SCORES = {"error": "8.0", "warning": "5.5", "info": "3.0", "style": "1.0", "ignore": "1.0"}
_SECURITY = ("DS-", "CIS-DI-", "DKL-", "AVD-")


def document(sheets: Sequence[Sheet]) -> dict[str, Any]:
    """The whole log, with one run."""
    found = fingerprinted(sheets)
    notes = [_defect(defect) for sheet in sheets for defect in sheet.defects]
    if len(found) > MOST_RESULTS:
        found.sort(key=lambda one: LEVELS.index(one[0].level))
        notes.append({"level": "warning", "message": {"text": f"{len(found) - MOST_RESULTS} results are left out"}})
        found = found[:MOST_RESULTS]
    rules = {told.rule.name: told.rule for told, _ in found}
    numbers = {name: number for number, name in enumerate(rules)}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "kezuri",
                "semanticVersion": __version__,
                "version": __version__,
                "informationUri": _HOME,
                "rules": [rule(page) for page in rules.values()],
            }
        },
        "automationDetails": {"id": "kezuri/check/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "where kezuri was called"}}},
        "invocations": [{"executionSuccessful": not notes, "toolExecutionNotifications": notes}],
        "results": [_result(told, numbers[told.rule.name], fingerprint) for told, fingerprint in found],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def rule(page: RulePage) -> dict[str, Any]:
    """What is said of a rule."""
    summary = page.summary.rstrip(".") + "."
    text = f"{page.why}\n\nBad:\n\n{page.bad.text}\nGood:\n\n{page.good.text}"
    markdown = f"{page.why}\n\nBad:\n\n{_fenced(page.bad.text)}\n\nGood:\n\n{_fenced(page.good.text)}"
    security = any(alias.startswith(_SECURITY) for alias in page.aliases)
    properties: dict[str, Any] = {
        "tags": ["security" if security else "maintainability", *page.shown_aliases],
        "precision": "high",
        "problem.severity": _SEVERITIES.get(page.severity, "recommendation"),
    }
    if security:
        properties["security-severity"] = _SCORES[page.severity]
    return {
        "id": page.name,
        "shortDescription": {"text": summary},
        "fullDescription": {"text": page.why},
        "help": {"text": text, "markdown": markdown},
        "helpUri": page.url or f"{_HOME}#{page.name}",
        "defaultConfiguration": {"level": _LEVELS.get(page.severity, "note")},
        "properties": properties,
    }


def _result(told: Told, number: int, fingerprint: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": told.rule.name,
        "ruleIndex": number,
        "level": _LEVELS.get(told.level, "note"),
        "message": {"text": f"{told.message}\n{told.hint}" if told.hint else told.message},
        "locations": [
            {"physicalLocation": {"artifactLocation": _artifact(told.source), "region": _region(told)}},
        ],
        "partialFingerprints": {"primaryLocationLineHash": fingerprint},
        "properties": {"level": told.level, "aliases": list(told.aliases)},
    }
    if told.fix is not None and told.fix.edits:
        result["fixes"] = [_fix(told.fix, told.source)]
    return result


def _region(told: Told) -> dict[str, Any]:
    line, column, last, end = region(told.source, told.span)
    return {"startLine": line, "startColumn": column, "endLine": last, "endColumn": end}


def _artifact(source: SourceText) -> dict[str, str]:
    from urllib.parse import quote

    name = path(source)
    quoted = quote(name, errors="surrogateescape")
    return {"uri": f"file://{quoted}"} if name.startswith("/") else {"uri": quoted, "uriBaseId": "%SRCROOT%"}


def _fix(fix: Fix, source: SourceText) -> dict[str, Any]:
    changes: dict[str, list[Edit]] = {}
    sources: dict[str, SourceText] = {}
    for edit in fix.edits:
        of = edit.source or source
        sources[of.name] = of
        changes.setdefault(of.name, []).append(edit)
    return {
        "description": {"text": fix.title},
        "artifactChanges": [
            {
                "artifactLocation": _artifact(sources[name]),
                "replacements": [_replacement(e, sources[name]) for e in edits],
            }
            for name, edits in changes.items()
        ],
    }


def _replacement(edit: Edit, source: SourceText) -> dict[str, Any]:
    line, column = source.position(edit.span.start)
    last, end = source.position(max(edit.span.start, edit.span.end))
    deleted = {"startLine": line, "startColumn": column, "endLine": last, "endColumn": end}
    return {"deletedRegion": deleted, "insertedContent": {"text": edit.text}}


def _defect(defect: Defect) -> dict[str, Any]:
    return {"level": "error", "message": {"text": defect.diagnostic.message}, "descriptor": {"id": "defect"}}


def _fenced(text: str) -> str:
    return f"```dockerfile\n{text.rstrip()}\n```"
