"""A scan as a section of the page: what to do, and every finding with what mends it and what brought it."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from kezuri.advisories.values import SEVERITIES
from kezuri.diagnostics import visible
from kezuri.report.scan_words import page as page_about
from kezuri.scan.values import Finding, Remedy, Report

MOST: Final = 5000
"""Findings that a page has; the most urgent ones."""


class Words(Protocol):
    """Who says parts of a scan in one language; see `kezuri.cli.scan_words`."""

    def about(self, report: Report) -> str: ...
    def order(self, report: Report, remedy: Remedy) -> str: ...
    def effect(self, report: Report, remedy: Remedy) -> str: ...
    def urgency(self, finding: Finding) -> str: ...
    def fixed(self, finding: Finding) -> str: ...
    def where(self, report: Report, finding: Finding) -> str: ...
    def brought_by(self, report: Report, finding: Finding) -> str: ...
    def what(self, finding: Finding) -> str: ...


def scan_section(report: Report, english: Words, japanese: Words, told: Callable[[str], str] = str) -> dict[str, Any]:
    """What was found, the most urgent first. `told` says a sentence of ours in Japanese."""
    counting = [finding for finding in report.findings if not finding.ignored]
    section: dict[str, Any] = {
        "kind": "scan",
        "name": visible(report.name),
        "digest": report.digest,
        "platform": visible(report.platform),
        "counts": {each: sum(finding.severity == each for finding in counting) for each in SEVERITIES},
        "exploited": sum(finding.signal is not None and bool(finding.signal.exploited) for finding in counting),
        "components": report.components,
        "remedies": [_remedy(report, remedy, english, japanese) for remedy in report.remedies],
        "findings": [_finding(report, each, english, japanese) for each in report.findings[:MOST]],
        "more": max(0, len(report.findings) - MOST),
        "data": [{"name": visible(each.name), "date": visible(each.date[:10])} for each in report.data],
        "told": [visible(text) for text in report.told],
        "told_ja": [visible(told(text)) for text in report.told],
    }
    _both(section, "about", english.about(report), japanese.about(report))
    return section


def _remedy(report: Report, remedy: Remedy, english: Words, japanese: Words) -> dict[str, Any]:
    made: dict[str, Any] = {"none": remedy.kind == "none"}
    _both(made, "order", english.order(report, remedy), japanese.order(report, remedy))
    _both(made, "effect", english.effect(report, remedy), japanese.effect(report, remedy))
    return made


def _finding(report: Report, finding: Finding, english: Words, japanese: Words) -> dict[str, Any]:
    address = page_about(finding)
    fault = finding.kind == "vulnerability"
    made: dict[str, Any] = {
        "id": visible(finding.id),
        "of": finding.kind,
        "severity": finding.severity,
        "url": address if address.startswith("https://") else "",
        "package": visible(finding.name) if fault or finding.kind == "end-of-life" else "",
        "installed": visible(finding.installed),
        "exploited": finding.signal is not None and bool(finding.signal.exploited),
        "ignored": visible(finding.ignored),
    }
    _both(made, "urgency", english.urgency(finding), japanese.urgency(finding))
    _both(made, "fixed", english.fixed(finding) if fault else "", japanese.fixed(finding) if fault else "")
    where = (words.brought_by if fault else words.where for words in (english, japanese))
    _both(made, "where", *(say(report, finding) for say in where))
    _both(made, "title", english.what(finding), japanese.what(finding))
    return made


def _both(made: dict[str, Any], field: str, english: str, japanese: str) -> None:
    """A text in both languages, once where they are the same."""
    made[field] = visible(english)
    if japanese != english:
        made[f"{field}_ja"] = visible(japanese)
