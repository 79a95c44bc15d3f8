"""A scan as Trivy's JSON (schema 2), for whoever reads that: what it says of vulnerabilities, secrets and settings."""

from collections.abc import Sequence
from typing import Any, Final

from kezuri.diagnostics import visible
from kezuri.packages.package import SYSTEM
from kezuri.report.scan_snapshot import kind_of
from kezuri.report.scan_words import about, clipped, counting, links, page, solution
from kezuri.sbom.purls import of_package
from kezuri.sbom.values import Bill, Component
from kezuri.scan.values import Finding, Report

_TARGETS: Final = {
    "node-pkg": "Node.js",
    "python-pkg": "Python",
    "jar": "Java",
    "gemspec": "Ruby",
    "composer-vendor": "PHP",
    "rustbinary": "Rust",
}
_STATUSES: Final = {"wont-fix": "will_not_fix", "undetermined": "under_investigation", "not-affected": "not_affected"}
_KINDS: Final = {"image": "container_image", "directory": "filesystem"}


def document(report: Report, bill: Bill, at: str) -> dict[str, Any]:
    """The report. Results have the order and the classes of Trivy's: packages of the system, packages of languages,
    settings, secrets. Findings that do not count are left out, as Trivy leaves them out."""
    found = list(counting(report))
    metadata: dict[str, Any] = {}
    if bill.distribution.id:
        metadata["OS"] = {"Family": bill.distribution.id, "Name": bill.distribution.version}
        if any(each.kind == "end-of-life" and each.id.startswith(f"{bill.distribution.id}:") for each in found):
            metadata["OS"]["EOSL"] = True
    if report.layers:
        metadata["DiffIDs"] = [layer.diff_id for layer in report.layers]
    if report.digest:
        metadata["RepoDigests"] = [f"{report.name}@{report.digest}"]
    results = [*_packages(report, bill, found), *_settings(report, found), *_secrets(report, found)]
    return {
        "SchemaVersion": 2,
        "CreatedAt": at,
        "ArtifactName": report.name,
        "ArtifactType": _KINDS.get(report.kind, "cyclonedx"),
        "Metadata": metadata,
        "Results": results,
    }


def _packages(report: Report, bill: Bill, found: Sequence[Finding]) -> list[dict[str, Any]]:
    groups: dict[tuple[bool, str, str], list[dict[str, Any]]] = {}
    for component in bill.components:
        groups.setdefault(_group(component, bill), [])
    for finding in found:
        if finding.kind == "vulnerability" and 0 <= finding.component < len(bill.components):
            component = bill.components[finding.component]
            groups[_group(component, bill)].append(_vulnerability(report, bill, component, finding))
    made = []
    for (language, kind, target), faults in sorted(groups.items()):
        name = target or f"{report.name} ({bill.distribution.id} {bill.distribution.version})"
        one: dict[str, Any] = {"Target": name, "Class": "lang-pkgs" if language else "os-pkgs", "Type": kind}
        if faults:
            one["Vulnerabilities"] = faults
        made.append(one)
    return made


def _group(component: Component, bill: Bill) -> tuple[bool, str, str]:
    """Of a language, its kind, and where it is said to be."""
    kind = kind_of(component, bill)
    if component.package.ecosystem in SYSTEM:
        return False, kind, ""
    evidence = component.evidence[0] if component.evidence else ""
    return True, kind, _TARGETS.get(kind) or evidence or kind


def _vulnerability(report: Report, bill: Bill, component: Component, finding: Finding) -> dict[str, Any]:
    package = component.package
    status = "fixed" if finding.fixed else _STATUSES.get(finding.status, "affected")
    made: dict[str, Any] = {
        "VulnerabilityID": finding.id,
        "PkgID": f"{package.full_name}@{package.version}",
        "PkgName": package.full_name,
        "PkgPath": component.evidence[0] if component.evidence and package.ecosystem not in SYSTEM else "",
        "PkgIdentifier": {
            "PURL": finding.purl or of_package(package, bill.distribution, foreign=component.foreign),
        },
        "InstalledVersion": finding.installed or package.version,
        "FixedVersion": ", ".join(finding.fixed),
        "Status": status,
        "Layer": _layer(report, component.layer),
        "SeveritySource": finding.data,
        "PrimaryURL": page(finding),
        "DataSource": _source(report, finding),
        "Title": clipped(visible(finding.title), 500),
        "Description": visible(finding.title),
        "Severity": finding.severity.upper(),
        "VendorIDs": list(finding.aliases),
        "CVSS": _cvss(finding),
        "References": links(finding),
    }
    return {name: value for name, value in made.items() if value or name in ("Severity", "InstalledVersion")}


def _cvss(finding: Finding) -> dict[str, Any]:
    from kezuri.advisories.fields import scored

    said: dict[str, Any] = {}
    for vector in finding.vectors:
        version = {"CVSS:3": "V3", "CVSS:4": "V40"}.get(vector[:6], "V2")
        if f"{version}Vector" not in said:
            said[f"{version}Vector"] = vector
            if score := scored(vector):
                said[f"{version}Score"] = score
    if not said and finding.score > 0:
        said["V3Score"] = finding.score
    return {finding.data or "unknown": said} if said else {}


def _source(report: Report, finding: Finding) -> dict[str, str]:
    known = next((each for each in report.data if each.name == finding.data), None)
    if known is None:
        return {"ID": finding.data, "Name": finding.data} if finding.data else {}
    return {"ID": known.name, "Name": known.name, "URL": known.address}


def _layer(report: Report, layer: int) -> dict[str, str]:
    return {"DiffID": report.layers[layer].diff_id} if 0 <= layer < len(report.layers) else {}


def _secrets(report: Report, found: Sequence[Finding]) -> list[dict[str, Any]]:
    by_path: dict[str, list[dict[str, Any]]] = {}
    for finding in found:
        if finding.kind == "secret":
            made: dict[str, Any] = {
                "RuleID": next(iter(finding.aliases), finding.id),
                "Category": finding.id.partition("-")[0],
                "Severity": finding.severity.upper(),
                "Title": visible(finding.name or finding.title),
                "StartLine": finding.line,
                "EndLine": finding.line,
                "Match": "*****",
            }
            layer = _layer(report, finding.layer)
            if layer:
                made["Layer"] = layer
            by_path.setdefault(f"/{finding.path}" if finding.path else report.name, []).append(made)
    return [{"Target": path, "Class": "secret", "Secrets": secrets} for path, secrets in sorted(by_path.items())]


def _settings(report: Report, found: Sequence[Finding]) -> list[dict[str, Any]]:
    broken = []
    for finding in found:
        if finding.kind == "misconfiguration":
            address = page(finding)
            one: dict[str, Any] = {
                "Type": "Image Security Check",
                "ID": next((alias for alias in finding.aliases if alias.startswith("DS-")), finding.id),
                "Title": about(finding),
                "Message": visible(finding.title),
                "Resolution": solution(finding),
                "Severity": finding.severity.upper(),
                "PrimaryURL": address,
                "References": links(finding),
                "Status": "FAIL",
                "Layer": _layer(report, finding.layer),
            }
            broken.append(one)
    if not broken:
        return []
    summary = {"Successes": 0, "Failures": len(broken)}
    return [
        {
            "Target": report.name,
            "Class": "config",
            "Type": "image",
            "MisconfSummary": summary,
            "Misconfigurations": broken,
        }
    ]
