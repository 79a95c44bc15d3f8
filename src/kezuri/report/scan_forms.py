"""The forms in which a scan can be written for other programs, by the names that a user gives them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from kezuri.sbom.values import Bill
    from kezuri.scan.values import Report

FORMATS: Final = ("sarif", "cyclonedx", "github", "gitlab", "junit", "openvex", "trivy")
"""What `data` or `written` know. Tables, Markdown and our own JSON are the command's."""
TEMPLATES: Final = {"gitlab.tpl": "gitlab", "junit.tpl": "junit", "sarif.tpl": "sarif"}
"""The forms that stand for templates which Trivy brings along, by the file (`--template @contrib/junit.tpl`)."""


def data(
    format: str, report: "Report", bill: "Bill", at: str, environ: Mapping[str, str] | None = None
) -> dict[str, Any] | None:
    """The scan as values that become JSON; None for a form that is none. `at` is the time of the scan (RFC 3339 with
    `Z`), which some forms ask for; `environ` are the variables of a workflow, which GitHub's names its commit by."""
    made = _made(format, report, bill, at, environ or {})
    if made is None:
        return None
    from kezuri.report.scan_words import cleaned

    return cleaned(made)


def _made(format: str, report: "Report", bill: "Bill", at: str, environ: Mapping[str, str]) -> dict[str, Any] | None:
    if format == "sarif":
        from kezuri.report import scan_sarif

        return scan_sarif.document(report)
    if format == "cyclonedx":
        from kezuri.report import scan_cyclonedx

        return scan_cyclonedx.document(report, bill)
    if format == "github":
        from kezuri.report import scan_snapshot

        return scan_snapshot.document(bill, at, environ)
    if format == "gitlab":
        from kezuri.report import scan_gitlab

        return scan_gitlab.document(report, bill, at)
    if format == "openvex":
        from kezuri.report import scan_openvex

        return scan_openvex.document(report, bill, at)
    if format == "trivy":
        from kezuri.report import scan_trivy

        return scan_trivy.document(report, bill, at)
    return None


def written(format: str, report: "Report", bill: "Bill") -> str:
    """The scan in a form that is not JSON."""
    assert format == "junit", format
    from kezuri.report import scan_junit

    return scan_junit.document(report)
