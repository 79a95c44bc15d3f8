"""A scan as SARIF 2.1.0, for code scanning: each finding at the line of the Dockerfile that brought it."""

from typing import Any, Final

from kezuri import __version__
from kezuri.diagnostics import visible
from kezuri.report.sarif import MOST_RESULTS, SCHEMA
from kezuri.report.scan_words import (
    HOME,
    about,
    brought,
    clipped,
    counting,
    fingerprint,
    links,
    named,
    page,
    place,
    relative,
    repository,
    rule,
    score,
    solution,
    unversioned,
)
from kezuri.scan.values import Finding, Report

_LEVELS: Final = {"critical": "error", "high": "error", "medium": "warning"}
_MOST_TEXT: Final = 1000
"""Of a description code scanning shows 1,024 characters."""
_RULES: Final = {
    "vulnerability": "KnownVulnerability",
    "end-of-life": "EndOfLife",
    "secret": "Secret",
    "misconfiguration": "Misconfiguration",
    "licence": "Licence",
}


def document(report: Report) -> dict[str, Any]:
    """The whole log, with one run: the heaviest findings first, no more than code scanning takes."""
    found = list(counting(report))
    notes = [{"level": "warning", "message": {"text": visible(text)}} for text in report.told]
    if len(found) > MOST_RESULTS:
        notes.append({"level": "warning", "message": {"text": f"{len(found) - MOST_RESULTS} results are left out"}})
        found = found[:MOST_RESULTS]
    worst: dict[str, Finding] = {}
    for finding in found:
        id = rule(finding)
        if id not in worst or score(finding) > score(worst[id]):
            worst[id] = finding
    numbers = {id: number for number, id in enumerate(worst)}
    seen: dict[str, int] = {}
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "kezuri",
                "fullName": "kezuri scan",
                "semanticVersion": __version__,
                "version": __version__,
                "informationUri": HOME,
                "rules": [_rule(finding) for finding in worst.values()],
            }
        },
        "automationDetails": {"id": f"kezuri/scan/{relative(repository(report.name))}/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "where kezuri was called"}}},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notes}],
        "results": [_result(report, finding, numbers[rule(finding)], seen) for finding in found],
        "properties": _about(report),
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(finding: Finding) -> dict[str, Any]:
    summary = clipped(about(finding) or rule(finding), _MOST_TEXT).rstrip(".") + "."
    addresses = links(finding, 20)
    words = [summary, solution(finding)] if finding.kind == "vulnerability" else [summary]
    urgent = _urgent(finding)
    if urgent:
        words.append(urgent)
    text = "\n\n".join(word for word in words if word)
    properties: dict[str, Any] = {
        "tags": [*dict.fromkeys(("security", finding.kind, finding.severity))],
        "precision": "medium" if finding.id == "guessed-secret" else "very-high",
        "problem.severity": "error" if finding.severity in ("critical", "high") else "warning",
    }
    if score(finding) > 0:
        properties["security-severity"] = f"{score(finding):.1f}"
    if finding.aliases:
        properties["aliases"] = [visible(alias) for alias in finding.aliases]
    made: dict[str, Any] = {
        "id": rule(finding),
        "name": _RULES[finding.kind],
        "shortDescription": {"text": summary},
        "fullDescription": {"text": clipped(text, _MOST_TEXT)},
        "help": {
            "text": "\n".join((text, *addresses)),
            "markdown": "\n".join((text, "", *(f"* <{address}>" for address in addresses))).rstrip(),
        },
        "helpUri": page(finding) or HOME,
        "defaultConfiguration": {"level": _LEVELS.get(finding.severity, "note")},
        "properties": properties,
    }
    return made


def _urgent(finding: Finding) -> str:
    signal = finding.signal
    if signal is None:
        return ""
    said = f"Known to be exploited since {signal.exploited}." if signal.exploited else ""
    if signal.chance >= 0:
        said += f" The chance that it is within 30 days is {signal.chance:.1%} (EPSS)."
    return said.strip()


def _result(report: Report, finding: Finding, number: int, seen: dict[str, int]) -> dict[str, Any]:
    uri, line = place(report, finding)
    digest = fingerprint(rule(finding), finding.kind, uri, finding.name, unversioned(finding.purl), finding.path)[:32]
    seen[digest] = times = seen.get(digest, 0) + 1
    physical = {
        "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": line},
    }
    logical = finding.purl or (f"/{finding.path}" if finding.path else "")
    location: dict[str, Any] = {"physicalLocation": physical}
    if logical:
        location["logicalLocations"] = [{"fullyQualifiedName": visible(logical), "kind": "member"}]
    properties: dict[str, Any] = {"severity": finding.severity}
    for name, value in (
        ("installed", finding.installed),
        ("fixed", list(finding.fixed)),
        ("purl", finding.purl),
        ("data", finding.data),
        ("layer", finding.layer + 1),
        ("path", finding.path),
    ):
        if value:
            properties[name] = visible(value) if isinstance(value, str) else value
    return {
        "ruleId": rule(finding),
        "ruleIndex": number,
        "level": _LEVELS.get(finding.severity, "note"),
        "message": {"text": _message(report, finding)},
        "locations": [location],
        "partialFingerprints": {"primaryLocationLineHash": f"{digest}:{times}"},
        "properties": properties,
    }


def _message(report: Report, finding: Finding) -> str:
    # Code scanning shows the first sentence where there is little room.
    if finding.kind == "vulnerability":
        said = [f"{named(finding)}: {finding.id} ({finding.severity}). {clipped(visible(finding.title), _MOST_TEXT)}"]
    else:
        said = [f"{visible(finding.title)}."]
    urgent, mended, where = _urgent(finding), solution(finding), brought(report, finding)
    said += [urgent, mended, f"It came with {where}." if where else ""]
    return "\n".join(text.rstrip() for text in said if text.strip())


def _about(report: Report) -> dict[str, Any]:
    """What was scanned, and what was known then."""
    made: dict[str, Any] = {"imageName": visible(report.name)}
    for name, value in (
        ("digest", report.digest),
        ("platform", report.platform),
        ("distribution", report.distribution),
        ("base", report.base),
    ):
        if value:
            made[name] = visible(value)
    made["data"] = [{"name": each.name, "date": each.date, "fetched": each.fetched} for each in report.data]
    return made
