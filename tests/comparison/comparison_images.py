"""Images in memory, of layers written as mappings: what `kezuri.comparison` is asked about."""

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, NamedTuple

from kezuri.anatomy.dissection import Dissection, OwnLayer
from kezuri.anatomy.values import Maker
from kezuri.layer.listing import Listing
from kezuri.oci.config import ImageConfig
from kezuri.tree.layers import ListedLayer


class File(NamedTuple):
    """A member of a layer's tar."""

    data: bytes = b""
    mode: int = 0o644
    uid: int = 0
    link: str = ""
    hard: str = ""
    directory: bool = False
    mtime: int = 0


Layer = Mapping[str, File | None]
"""By path what a layer has there; None removes what is below."""


def tar(layer: Layer) -> bytes:
    """The layer as a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, file in layer.items():
            head, _, name = path.rpartition("/")
            member = tarfile.TarInfo(path if file is not None else f"{head}/.wh.{name}".lstrip("/"))
            if file is None:
                archive.addfile(member)
                continue
            member.mode, member.uid, member.mtime = file.mode, file.uid, file.mtime
            if file.directory:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            elif file.link or file.hard:
                member.type = tarfile.SYMTYPE if file.link else tarfile.LNKTYPE
                member.linkname = file.link or file.hard
            else:
                member.size = len(file.data)
            archive.addfile(member, io.BytesIO(file.data))
    return out.getvalue()


def image(*layers: Layer, config: Mapping[str, Any] | None = None, base: int = 0, name: str = "x") -> Dissection:
    """An image of these layers, of which the lowest `base` ones came with the base image."""
    own = [_own(f"sha256:{number:064x}", tar(layer), number < base) for number, layer in enumerate(layers)]
    document: dict[str, Any] = {"architecture": "amd64", "os": "linux", "config": dict(config or {})}
    document["rootfs"] = {"type": "layers", "diff_ids": [layer.diff_id for layer in own]}
    return Dissection(name, ImageConfig.parse(json.dumps(document).encode(), name), own)


def _own(diff_id: str, data: bytes, of_base: bool) -> OwnLayer:
    def opened() -> BinaryIO:
        return io.BytesIO(data)

    form = ListedLayer(Listing.of_tar(opened()), opened)
    form.digests(form.listing.files())
    return OwnLayer(diff_id, form, form.listing, Maker("", of_base=of_base), len(data))


def shown(layers: Sequence[Layer]) -> dict[str, File]:
    """What is there at the end, where layers only have files and remove files."""
    found: dict[str, File] = {}
    for layer in layers:
        for path, file in layer.items():
            if file is None:
                found.pop(path, None)
            else:
                found[path] = file
    return found
