"""What a scan looks for in files: secrets, and what the rules about images find."""

import os
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from kezuri.anatomy.history import History
from kezuri.app.anatomy import Named, opened_dissection
from kezuri.app.image_check import image_of
from kezuri.app.image_whole import Whole
from kezuri.app.request import Settings
from kezuri.app.sbom import BillRequest
from kezuri.app.scan_kept import KeptInside
from kezuri.app.session import Session
from kezuri.check.image.subject import Image
from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.sbom.values import Bill
from kezuri.scan.misconfiguration import looks_for, misconfigurations
from kezuri.scan.secrets import SecretFiles, secret_findings, secrets_of_config
from kezuri.scan.values import Finding
from kezuri.tree.layers import DirectoryLayer

if TYPE_CHECKING:
    from kezuri.anatomy.dissection import Dissection, OwnLayer

_MOST_TOLD = 20


class Inside(NamedTuple):
    """What was found in the files and the config, and what could not be looked at."""

    findings: tuple[Finding, ...] = ()
    told: tuple[str, ...] = ()


def look_inside(settings: Settings, subject: BillRequest, bill: Bill, scanners: Collection[str]) -> Inside:
    """The secrets (`secret`) and the broken rules (`misconfig`) of what the bill is of: an image or a directory; a
    document has no files. Findings of files name their layer as the bill counts it. KezuriError when the subject cannot
    be read. What was found in an image is kept: a second look reads none of it."""
    if bill.kind == "sbom" or not {"secret", "misconfig"} & set(scanners):
        return Inside()
    told: list[str] = []

    def unchecked(text: str) -> None:
        if len(told) < _MOST_TOLD:
            told.append(text)

    if bill.kind == "directory":
        return Inside(_found(_directory(subject.subject.removeprefix("dir:"), unchecked), False, scanners), tuple(told))
    with Session(settings, reading=True) as session:
        kept = KeptInside(session.store)
        key = kept.key(bill, {"secret", "misconfig"} & set(scanners))
        known = kept.load(key) if key else None
        if known is not None:
            return Inside(known)
        # Taken apart as for its bill: what that has listed is not listed again, a layer that is closed is told.
        named = Named(subject.subject, subject.platform)
        with session.store.scratch("scan") as scratch, opened_dissection(session, named) as dissection:
            whole = Whole(dissection.name, dissection.config, tuple(each.form for each in dissection.layers), scratch)
            base = sum(layer.of_base for layer in bill.layers)
            found = _found(image_of(whole, unchecked, base_layers=base or None), True, scanners)
            if key and not told and not any(layer.unread for layer in dissection.layers):
                kept.save(key, found)
            told[:0] = [f"layer {number} could not be read: {layer.unread}" for number, layer in _unread(dissection)]
    return Inside(found, tuple(told))


def _unread(image: "Dissection") -> "Iterator[tuple[int, OwnLayer]]":
    return ((number, layer) for number, layer in enumerate(image.layers, 1) if layer.unread)


def _found(image: Image, config: bool, scanners: Collection[str]) -> tuple[Finding, ...]:
    looks = looks_for(config) if "misconfig" in scanners else ()
    kinds = [kind for look in looks for kind in look.needs]
    secret = "secret" in scanners
    try:
        # The files go by once for all that wants them.
        image.gather([*kinds, *([SecretFiles] if secret else ())])
    except KezuriError as error:
        # What the config says is looked at all the same, and packages are known by other means.
        image.unchecked(error.diagnostics[0].message)
        found = list(secrets_of_config(image)) if secret else []
    else:
        found = list(secret_findings(image)) if secret else []
    return (*found, *misconfigurations(image, looks))


def _directory(path: str, unchecked: Callable[[str], None]) -> Image:
    """A directory of this machine as an image of one layer."""
    if not os.path.isdir(path):
        raise KezuriError.of(f"{path} is no directory")
    config = ImageConfig(Platform("linux", ""), ("",))
    layers = (DirectoryLayer(os.path.abspath(path)),)
    return Image(path, config, layers, History(path, (), 1), unchecked=unchecked)
