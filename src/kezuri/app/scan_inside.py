"""What a scan looks for in files: secrets, and what the rules about images find."""

import os
from collections.abc import Callable, Collection
from contextlib import ExitStack
from typing import NamedTuple

from kezuri.anatomy.history import History
from kezuri.app.image_check import image_of
from kezuri.app.image_whole import opened_whole
from kezuri.app.layer_sources import Traffic
from kezuri.app.request import Settings
from kezuri.app.sbom import BillRequest
from kezuri.app.session import Session
from kezuri.check.image.subject import Image
from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.sbom.values import Bill
from kezuri.scan.misconfiguration import looks_for, misconfigurations
from kezuri.scan.secrets import SecretFiles, secret_findings
from kezuri.scan.values import Finding
from kezuri.tree.layers import DirectoryLayer

_MOST_TOLD = 20


class Inside(NamedTuple):
    """What was found in the files and the config, and what could not be looked at."""

    findings: tuple[Finding, ...] = ()
    told: tuple[str, ...] = ()


def look_inside(settings: Settings, subject: BillRequest, bill: Bill, scanners: Collection[str]) -> Inside:
    """The secrets (`secret`) and the broken rules (`misconfig`) of what the bill is of: an image or a directory; a
    document has no files. Findings of files name their layer as the bill counts it. KezuriError when the subject cannot
    be read."""
    if bill.kind == "sbom" or not {"secret", "misconfig"} & set(scanners):
        return Inside()
    told: list[str] = []

    def unchecked(text: str) -> None:
        if len(told) < _MOST_TOLD:
            told.append(text)

    with ExitStack() as held:
        if bill.kind == "directory":
            image = _directory(subject.subject.removeprefix("dir:"), unchecked)
        else:
            session = held.enter_context(Session(settings, reading=True))
            whole = held.enter_context(opened_whole(session, subject.subject, subject.platform, Traffic()))
            base = sum(layer.of_base for layer in bill.layers)
            image = image_of(whole, unchecked, base_layers=base or None)
        return Inside(_found(image, bill.kind == "image", scanners), tuple(told))


def _found(image: Image, config: bool, scanners: Collection[str]) -> tuple[Finding, ...]:
    looks = looks_for(config) if "misconfig" in scanners else ()
    kinds = [kind for look in looks for kind in look.needs]
    # The files go by once for all that wants them.
    image.gather([*kinds, *([SecretFiles] if "secret" in scanners else ())])
    found = list(secret_findings(image)) if "secret" in scanners else []
    return (*found, *misconfigurations(image, looks))


def _directory(path: str, unchecked: Callable[[str], None]) -> Image:
    """A directory of this machine as an image of one layer."""
    if not os.path.isdir(path):
        raise KezuriError.of(f"{path} is no directory")
    config = ImageConfig(Platform("linux", ""), ("",))
    layers = (DirectoryLayer(os.path.abspath(path)),)
    return Image(path, config, layers, History(path, (), 1), unchecked=unchecked)
