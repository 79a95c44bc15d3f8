"""The forms in which a scan can be written for other programs, by the names that a user gives them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kezuri.sbom.values import Bill
    from kezuri.scan.values import Report

FORMATS = ("sarif", "cyclonedx", "github", "gitlab", "junit", "openvex", "trivy")
"""What `data` or `written` know. Tables, Markdown and our own JSON are the command's."""


def data(format: str, report: "Report", bill: "Bill", at: str) -> Any:
    """The scan as values that become JSON; None for a form that is none. `at` is the time of the scan (RFC 3339 with
    `Z`), which some forms ask for."""
    raise NotImplementedError((format, report, bill, at))


def written(format: str, report: "Report", bill: "Bill") -> str:
    """The scan in a form that is not JSON."""
    raise NotImplementedError((format, report, bill))
