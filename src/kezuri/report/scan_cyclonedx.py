"""A scan as CycloneDX: the bill, with the faults that are known of its components."""

from collections.abc import Sequence
from typing import Any, Final

from kezuri.diagnostics import visible
from kezuri.report.scan_words import faults, let_pass, links, page, solution
from kezuri.sbom.cyclonedx import Version, reference
from kezuri.sbom.cyclonedx import document as bill_document
from kezuri.sbom.values import Bill
from kezuri.sbom.wording import identity
from kezuri.scan.values import Finding, Report

_METHODS: Final = (
    ("CVSS:4.0/", "CVSSv4"),
    ("CVSS:3.1/", "CVSSv31"),
    ("CVSS:3.0/", "CVSSv3"),
    ("AV:", "CVSSv2"),
    ("(AV:", "CVSSv2"),
)


def document(report: Report, bill: Bill, version: Version = "1.6") -> dict[str, Any]:
    """The document as a JSON object: the same scan gives the same bytes. Findings that are no faults of components have
    no place in it."""
    made = bill_document(bill, version)
    found = [each for each in faults(report.findings) if 0 <= each.component < len(bill.components)]
    made["vulnerabilities"] = [_vulnerability(number, several) for number, several in enumerate(_groups(found))]
    head = {name: made.pop(name) for name in ("$schema", "bomFormat", "specVersion")}
    made.pop("serialNumber", None)
    return {**head, "serialNumber": f"urn:uuid:{identity(made)}", **made}


def _groups(found: Sequence[Finding]) -> list[list[Finding]]:
    """Findings of one fault, apart where one thing is said of some and another of others."""
    by_id: dict[str, dict[tuple[str, str, str], list[Finding]]] = {}
    for finding in found:
        said = (finding.severity, finding.ignored, finding.status)
        by_id.setdefault(finding.id, {}).setdefault(said, []).append(finding)
    return [group for groups in by_id.values() for group in groups.values()]


def _vulnerability(number: int, several: list[Finding]) -> dict[str, Any]:
    first = several[0]
    made: dict[str, Any] = {"bom-ref": f"vulnerability-{number}", "id": visible(first.id)}
    address = page(first)
    made["source"] = {"name": first.data or "unknown", **({"url": address} if address else {})}
    if first.aliases:
        named = [alias for alias in dict.fromkeys(map(visible, first.aliases)) if alias]
        made["references"] = [{"id": alias, "source": {"name": _keeper(alias)}} for alias in named]
    made["ratings"] = _ratings(first)
    if first.title:
        made["description"] = visible(first.title)
    made["recommendation"] = " ".join(dict.fromkeys(solution(finding) for finding in several))
    addresses = links(first)
    if addresses:
        made["advisories"] = [{"url": each} for each in addresses]
    analysis = _analysis(first)
    if analysis:
        made["analysis"] = analysis
    made["affects"] = [{"ref": reference(number)} for number in sorted({finding.component for finding in several})]
    signal = first.signal
    properties = []
    if signal is not None and signal.exploited:
        properties.append({"name": "kezuri:exploitedSince", "value": signal.exploited})
    if signal is not None and signal.chance >= 0:
        properties.append({"name": "kezuri:epss", "value": f"{signal.chance:.5f}"})
    if properties:
        made["properties"] = properties
    return made


def _ratings(finding: Finding) -> list[dict[str, Any]]:
    ratings: list[dict[str, Any]] = []
    for vector in finding.vectors[:10]:
        method = next((name for beginning, name in _METHODS if vector.startswith(beginning)), "other")
        ratings.append({"method": method, "vector": visible(vector)})
    own: dict[str, Any] = {"severity": finding.severity}
    if finding.score > 0:
        own["score"] = finding.score
    # The severity is what the keeper of the data says; a vector may say another one.
    return [own, *ratings]


def _analysis(finding: Finding) -> dict[str, Any]:
    if finding.ignored:
        status, why = let_pass(finding)
        state = {"not_affected": "not_affected", "fixed": "resolved"}.get(status)
        return {"state": state, "detail": why} if state else {"detail": why}
    if finding.status == "wont-fix":
        return {"state": "exploitable", "response": ["will_not_fix"]}
    if finding.status == "undetermined":
        return {"state": "in_triage"}
    return {}


def _keeper(id: str) -> str:
    return "NVD" if id.startswith("CVE-") else "GitHub" if id.startswith("GHSA-") else "OSV"
