"""The bill of a directory that is the root of a system, or of a part of one."""

import os
from collections.abc import Iterator
from errno import ENOENT

from kezuri.anatomy.dissection import Dissection, OwnLayer
from kezuri.anatomy.naming import recorded_names
from kezuri.anatomy.values import Maker
from kezuri.app.sbom_project import with_locked
from kezuri.diagnostics import KezuriError
from kezuri.layer.listing import Listing
from kezuri.linux.refusal import abridged
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.packages.package import SYSTEM
from kezuri.sbom.collecting import bill_of
from kezuri.sbom.values import Bill
from kezuri.tree.layers import DirectoryLayer
from kezuri.tree.tree import Found

_KERNELS = frozenset(("proc", "sys", "dev"))
"""Directories of a root that are the kernel's."""
_NAMED = 5


class RootDirectory(DirectoryLayer):
    """A root directory as the only layer of an image. What may not be looked into is `unread`, and passed over; what
    the kernel shows of itself is no file."""

    def __init__(self, directory: str) -> None:
        super().__init__(directory)
        self.unread: list[str] = []

    def scan(self, path: str) -> Iterator[tuple[str, Found]]:
        """As LayerForm says. KezuriError when the directory itself cannot be read."""
        try:
            for name, found in super().scan(path):
                if path or name not in _KERNELS:
                    yield name, found
        except KezuriError:
            if not path:
                raise
            self.unread.append(path)

    def opaque(self, path: str) -> bool:
        """As LayerForm says: there is nothing below."""
        return False


def bill_of_directory(path: str) -> Bill:
    """The bill of a directory. Of one that is no system's root, files that lock versions count, too: it is a project.
    KezuriError where it is none, or cannot be read."""
    if not os.path.isdir(path):
        raise KezuriError.of(f"{path!r} is no directory", exit_code=125)
    _prove_no_image(path)
    layer = RootDirectory(path)
    own = OwnLayer("", layer, Listing({}, frozenset(), {}, {}), Maker(""))
    found = bill_of(Dissection(path, ImageConfig(Platform("linux", "")), [own], naming=recorded_names), "directory")
    if not found.distribution.id and not any(each.package.ecosystem in SYSTEM for each in found.components):
        found = with_locked(found, path)
    found = _without_gone(found)
    unread = sorted(each for each in set(layer.unread) if os.path.lexists(os.path.join(path, each)))
    if not unread:
        return found
    named = ", ".join(f"/{abridged(each)}" for each in unread[:_NAMED])
    if len(unread) > _NAMED:
        told = f"{len(unread):,} directories could not be read: {named}, …"
    else:
        told = f"directories could not be read: {named}"
    return found._replace(told=(*found.told, told))


def _without_gone(bill: Bill) -> Bill:
    """The bill with one sentence for all files that were gone when they were to be read: where programs run, there are
    always some."""
    why = os.strerror(ENOENT)
    told = [each for each in bill.told if not each.endswith(f": {why}")]
    gone = len(bill.told) - len(told)
    if gone:
        told.append(f"files that went away while they were looked at: {gone:,}")
    return bill._replace(told=tuple(told))


def _prove_no_image(path: str) -> None:
    """KezuriError for a directory that has an image as blobs: as a root it would be empty."""
    if os.path.isfile(os.path.join(path, "oci-layout")):
        hint = f"oci:{path} is the image in it"
    elif _begins(os.path.join(path, "version"), b"Directory Transport Version"):
        hint = f"kezuri copy dir:{path} oci:LAYOUT makes a layout of it, which can be read"
    else:
        return
    raise KezuriError.of(f"{path!r} is no root directory, but an image in parts", hint=hint, exit_code=125)


def _begins(path: str, words: bytes) -> bool:
    if not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(len(words)) == words
    except OSError:
        return False
