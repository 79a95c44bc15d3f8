"""Trees to layer bytes and back.

`kezuri.layer.pack` and the other names below are imported when they are first used: the values in `entry` and the door
in `view` stay cheap to import.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kezuri.layer.blob_writer import BlobWriter
    from kezuri.layer.compression import Compression
    from kezuri.layer.compression import compression as choose_compression
    from kezuri.layer.decompression import decompress
    from kezuri.layer.entry import Content, Entry, Item
    from kezuri.layer.listing import Listing
    from kezuri.layer.packer import Packed, compress, pack
    from kezuri.layer.tar_reader import read_tar
    from kezuri.layer.unpacker import unpack
    from kezuri.layer.upper import walk
    from kezuri.layer.view import View

__all__ = [
    "BlobWriter",
    "Compression",
    "Content",
    "Entry",
    "Item",
    "Listing",
    "Packed",
    "View",
    "choose_compression",
    "compress",
    "decompress",
    "pack",
    "read_tar",
    "unpack",
    "walk",
]

_HOMES = {
    "BlobWriter": ("blob_writer", "BlobWriter"),
    "Compression": ("compression", "Compression"),
    "Content": ("entry", "Content"),
    "Entry": ("entry", "Entry"),
    "Item": ("entry", "Item"),
    "Listing": ("listing", "Listing"),
    "Packed": ("packer", "Packed"),
    "View": ("view", "View"),
    "choose_compression": ("compression", "compression"),
    "compress": ("packer", "compress"),
    "decompress": ("decompression", "decompress"),
    "pack": ("packer", "pack"),
    "read_tar": ("tar_reader", "read_tar"),
    "unpack": ("unpacker", "unpack"),
    "walk": ("upper", "walk"),
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(f"{__name__}.{home[0]}"), home[1])
    globals()[name] = found
    return found
