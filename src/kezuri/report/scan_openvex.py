"""A scan as an OpenVEX document (specification 0.2.0): what is said of each fault so far, to be gone over by people."""

from typing import Any, Final

from kezuri import __version__
from kezuri.diagnostics import visible
from kezuri.report.scan_words import clipped, faults, fingerprint, let_pass, page, solution
from kezuri.sbom.cyclonedx import image_purl
from kezuri.sbom.purls import parse
from kezuri.sbom.values import Bill
from kezuri.sbom.wording import clean
from kezuri.scan.values import Finding, Report

CONTEXT: Final = "https://openvex.dev/ns/v0.2.0"
JUSTIFICATIONS: Final = (
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
)


def document(report: Report, bill: Bill, at: str) -> dict[str, Any]:
    """The document: a statement for each fault and what is said of it. Where nothing was found it has none."""
    product = image_purl(bill)
    statements: dict[tuple[str, str, str], dict[str, Any]] = {}
    for finding in faults(report.findings):
        said = _said(finding)
        key = (finding.id, said["status"], " ".join(said.values()))
        statement = statements.get(key)
        if statement is None:
            statement = statements[key] = {
                "vulnerability": _vulnerability(finding),
                "products": [{"@id": product, "subcomponents": []}] if product else [],
                **said,
            }
        purl = parse(clean(finding.purl))
        part = {"@id": str(purl)} if purl is not None else None
        parts = statement["products"][0]["subcomponents"] if product else statement["products"]
        if part is not None and part not in parts:
            parts.append(part)
    made = list(statements.values())
    name = fingerprint(report.name, report.digest, at, repr(made))
    return {
        "@context": CONTEXT,
        "@id": f"https://openvex.dev/docs/public/vex-{name}",
        "author": "kezuri",
        "role": "scanner",
        "timestamp": at,
        "version": 1,
        "tooling": f"kezuri {__version__}",
        "statements": made,
    }


def _vulnerability(finding: Finding) -> dict[str, Any]:
    made: dict[str, Any] = {"name": visible(finding.id)}
    address = page(finding)
    if address:
        made["@id"] = address
    if finding.title:
        made["description"] = clipped(visible(finding.title), 4000)
    aliases = [visible(alias) for alias in dict.fromkeys(finding.aliases)]
    if aliases:
        made["aliases"] = aliases
    return made


def _said(finding: Finding) -> dict[str, str]:
    """The status and what it must come with. That somebody bears a fault does not mean that it is none."""
    if finding.status == "not-affected":
        return {
            "status": "not_affected",
            "impact_statement": visible(finding.ignored or finding.note) or "not affected",
        }
    if finding.ignored:
        status, why = let_pass(finding)
        if status == "not_affected":
            field = "justification" if why in JUSTIFICATIONS else "impact_statement"
            return {"status": status, field: why}
        if status == "fixed":
            return {"status": status, "status_notes": why}
        return {"status": "affected", "action_statement": f"accepted: {why}"}
    if finding.status == "undetermined":
        return {"status": "under_investigation"}
    return {"status": "affected", "action_statement": solution(finding)}
