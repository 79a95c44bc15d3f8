"""Records of packages that are read while a layer goes by, so that no layer is read a second time for them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, BinaryIO, Final

from kezuri.anatomy.reading import PassingBy
from kezuri.layer.entry import Entry
from kezuri.layer.listing import Listing
from kezuri.packages.package import Package, Record
from kezuri.packages.records import LOOKED_INTO, kind_of, parse

Records = Mapping[str, Record | None]
"""What is known of the records of a layer, by their paths; None for a file that turned out to be none."""

NO_RECORDS: Final[Records] = MappingProxyType({})

MOST_RECORDS = 200_000
MOST_BYTES = 256 << 20
"""Records of an image, and their bytes, that are read."""


class Room:
    """How many records, and bytes of them, may still be read of an image."""

    def __init__(self) -> None:
        self.records = MOST_RECORDS
        self.bytes = MOST_BYTES

    def take(self, kind: str, size: int) -> bool:
        """Make room for a record; False where there is none. What is only looked into takes no bytes."""
        size = 0 if kind in LOOKED_INTO else size
        if self.records <= 0 or size > self.bytes:
            return False
        self.records -= 1
        self.bytes -= size
        return True


class PassingRecords:
    """Reads the records of one layer, each as it comes by. `scratch` is a directory for large files."""

    def __init__(self, scratch: str, room: Room) -> None:
        self._scratch = scratch
        self._room = room
        self._found: dict[str, tuple[int, Record | None]] = {}
        self.seen = False
        """Whether anything came by: it does not where a layer is known already."""

    def look(self, entry: Entry, data: BinaryIO) -> None:
        """A file that comes by, of which as much is read as is needed."""
        self.seen = True
        path, size = entry.path, entry.size
        kind = kind_of(path, size, entry.mode)
        if not kind or not self._room.take(kind, size):
            self._found.pop(path, None)
            return
        peek = PassingBy(data, self._scratch)
        try:
            self._found[path] = size, parse(kind, path, size, peek)
        finally:
            peek.close()

    def of(self, listing: Listing) -> Records:
        """The records that the layer has in the end: a path may come more than once."""
        found: dict[str, Record | None] = {}
        for path, (size, record) in self._found.items():
            entry = listing.entry(path)
            if entry is not None and entry.kind == "file" and entry.size == size:
                found[path] = record
        return found


def records_of(document: Mapping[str, Any]) -> Records:
    """The records that were written down as JSON. TypeError or ValueError where they are none."""
    found: dict[str, Record | None] = {}
    for path, row in document.items():
        if row is None:
            found[path] = None
            continue
        kind, packages, files, trouble = row
        found[path] = Record(kind, tuple(map(_package, packages)), tuple(files), trouble)
    return found


def _package(row: list[Any]) -> Package:
    fields: list[Any] = [tuple(field) if isinstance(field, list) else field for field in row]
    return Package(*fields)
