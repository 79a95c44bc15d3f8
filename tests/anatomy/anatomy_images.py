"""Images that exist only here, taken apart."""

import io
import json
from collections.abc import Sequence

from kezuri.anatomy.dissection import Dissection, OwnLayer
from kezuri.anatomy.values import Maker
from kezuri.check.image.rule import ExampleLayer
from kezuri.layer.listing import Listing
from kezuri.oci.config import ImageConfig
from kezuri.tree.layers import ListedLayer


def packed(files: ExampleLayer) -> bytes:
    """The tar of a layer that is a table of files by path."""
    import tarfile

    types = {"dir": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, made in files.items():
            above, _, name = path.rpartition("/")
            info = tarfile.TarInfo(f"{above}/.wh.{name}" if made.kind == "whiteout" else path)
            info.type = types.get(made.kind, tarfile.REGTYPE)
            info.mode, info.uid, info.gid, info.mtime = made.mode, made.uid, made.gid, made.mtime // 10**9
            info.linkname, info.size = made.link, len(made.data)
            tar.addfile(info, io.BytesIO(made.data))
    return out.getvalue()


def dissected(*layers: ExampleLayer, makers: Sequence[Maker] = ()) -> Dissection:
    """An image of these layers, lowest first."""
    own = []
    for number, files in enumerate(layers):
        tar = packed(files)
        listing = Listing.of_tar(io.BytesIO(tar), f"layer {number}")
        form = ListedLayer(listing, lambda tar=tar: io.BytesIO(tar), f"layer {number}")  # type: ignore[misc]
        form.digests(listing.files())
        maker = makers[number] if number < len(makers) else Maker("")
        own.append(OwnLayer(f"sha256:{number:064x}", form, listing, maker))
    document = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    return Dissection("an example", ImageConfig.parse(json.dumps(document).encode(), "an example"), own)
