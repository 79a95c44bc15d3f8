"""A scan as GitLab's report of container scanning (security report schemas, 15)."""

import re
from typing import Any, Final

from kezuri import __version__
from kezuri.diagnostics import visible
from kezuri.report.scan_words import HOME, clipped, counting, faults, fingerprint, links, page, solution, unversioned
from kezuri.sbom.values import Bill
from kezuri.scan.values import Finding, Report

VERSION: Final = "15.2.4"
_TYPES: Final = ("CVE", "GHSA", "RHSA", "RHBA", "USN", "DSA", "DLA", "ELSA", "ALAS", "GO", "RUSTSEC", "PYSEC")
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)")
_MOST_IDENTIFIERS: Final = 20


def document(report: Report, bill: Bill, at: str) -> dict[str, Any]:
    """The report: the faults that are known of packages. Secrets and settings have reports of other kinds there."""
    scanner = {"id": "kezuri", "name": "kezuri", "version": __version__, "vendor": {"name": "kezuri"}, "url": HOME}
    found = _TIME.match(at)
    time = found[1] if found else "1970-01-01T00:00:00"
    # Without the point of a release, so that the next one's findings are the same ones.
    release = ".".join(bill.distribution.version.split(".")[:2])
    system = visible(":".join(part for part in (bill.distribution.id, release) if part)) or "unknown"
    made: dict[str, dict[str, Any]] = {}
    for finding in faults(counting(report)):
        one = _vulnerability(report, finding, system)
        made.setdefault(one["id"], one)
    return {
        "version": VERSION,
        "scan": {
            "analyzer": scanner,
            "scanner": scanner,
            "type": "container_scanning",
            "start_time": time,
            "end_time": time,
            "status": "success",
            "messages": [{"level": "warn", "value": visible(text)} for text in report.told if text],
        },
        "vulnerabilities": list(made.values()),
        "remediations": [],
    }


def _vulnerability(report: Report, finding: Finding, system: str) -> dict[str, Any]:
    name = visible(finding.name) or "unknown"
    title = visible(finding.title) or finding.id
    # Without the version, so that the next build's finding is the same one.
    id = fingerprint(finding.id, unversioned(finding.purl) or name, finding.path)
    made: dict[str, Any] = {
        "id": id,
        "name": clipped(f"{visible(finding.id)} in {name}", 255),
        "description": clipped(title, 1 << 20),
        "severity": finding.severity.capitalize(),
        "solution": clipped(solution(finding), 7000),
        "location": {
            "dependency": {"package": {"name": name}, "version": visible(finding.installed)},
            "operating_system": system,
            "image": visible(report.name),
        },
        "identifiers": _identifiers(finding),
    }
    addresses = links(finding)
    if addresses:
        made["links"] = [{"url": address} for address in addresses]
    return made


def _identifiers(finding: Finding) -> list[dict[str, str]]:
    made = []
    for id in dict.fromkeys((finding.id, *finding.aliases)):
        beginning = id.partition("-")[0]
        one = {
            "type": beginning.lower() if beginning in _TYPES else "kezuri",
            "name": visible(id),
            "value": visible(id),
        }
        address = page(finding._replace(id=id, references=()))
        if address:
            one["url"] = address
        made.append(one)
    return made[:_MOST_IDENTIFIERS]
