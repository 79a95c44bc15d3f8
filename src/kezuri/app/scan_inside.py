"""What a scan looks for in files: secrets, and what the rules about images find."""

from collections.abc import Collection
from typing import NamedTuple

from kezuri.app.request import Settings
from kezuri.app.sbom import BillRequest
from kezuri.sbom.values import Bill
from kezuri.scan.values import Finding


class Inside(NamedTuple):
    """What was found in the files and the config, and what could not be looked at."""

    findings: tuple[Finding, ...] = ()
    told: tuple[str, ...] = ()


def look_inside(settings: Settings, subject: BillRequest, bill: Bill, scanners: Collection[str]) -> Inside:
    """The secrets (`secret`) and the broken rules (`misconfig`) of what the bill is of: an image or a directory; a
    document has no files. Findings of files name their layer as the bill counts it. KezuriError when the subject cannot
    be read."""
    raise NotImplementedError((settings, subject, bill, scanners))
