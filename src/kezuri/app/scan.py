"""`kezuri scan`: what is wrong with an image, a directory or a bill, and what to do about it."""

from typing import NamedTuple

from kezuri.advisories.values import SEVERITIES, Severity
from kezuri.app.request import Settings
from kezuri.app.sbom import BillRequest
from kezuri.sbom.values import Bill
from kezuri.scan.values import Report


class ScanRequest(NamedTuple):
    """What is scanned, and for what. `scanners` are `vuln`, `secret`, `misconfig`, `licence`; `since` names an image
    whose findings are no news; `vex` are documents of OpenVEX."""

    subject: BillRequest
    scanners: tuple[str, ...] = ("vuln", "secret", "misconfig")
    severities: tuple[Severity, ...] = SEVERITIES
    ignore_unfixed: bool = False
    only_exploited: bool = False
    ignore_files: tuple[str, ...] = ()
    vex: tuple[str, ...] = ()
    since: str = ""
    forbidden_licences: tuple[str, ...] = ()


def scan(settings: Settings, request: ScanRequest) -> Report:
    """KezuriError where the subject cannot be read or, when it is asked for faults, there is no database."""
    raise NotImplementedError((settings, request))


def scanned(settings: Settings, request: ScanRequest, bill: Bill) -> Report:
    """As `scan`, of a bill that is here already."""
    raise NotImplementedError((settings, request, bill))
