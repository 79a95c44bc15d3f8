"""`kezuri sbom`: the bill of an image wherever it is, of a directory, or of a document that was written before."""

from typing import NamedTuple

from kezuri.app.request import Settings
from kezuri.sbom.values import Bill


class BillRequest(NamedTuple):
    """What a bill is wanted of: `subject` is an image as `kezuri ls` finds it, `dir:PATH` or the path of a directory,
    or `sbom:PATH` or the path of a file that is a CycloneDX or SPDX document. `platform` and `base` are as in
    `app.anatomy.Named`."""

    subject: str
    platform: str = ""
    base: str = ""


def bill(settings: Settings, request: BillRequest) -> Bill:
    """The bill of the subject: nothing is unpacked, and what was read of a layer once is kept. KezuriError when there
    is no such subject, or it cannot be read."""
    raise NotImplementedError((settings, request))
