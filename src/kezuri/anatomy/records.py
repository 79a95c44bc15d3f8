"""The records of packages that one layer has: read while its tar goes by, or out of it later, and kept as a text."""

from collections.abc import Sequence
from typing import Any, BinaryIO, Final

from kezuri.anatomy.reading import PassingBy, Peek
from kezuri.layer.entry import Entry
from kezuri.packages.inventory import BESIDE
from kezuri.packages.package import Package, Record
from kezuri.packages.records import LOOKED_INTO, kind_of, parse

_MAGIC: Final = b"kezuri records 2\n"
_MOST_RECORDS = 200_000
_MOST_BYTES = 96 << 20
"""Records of a layer, and their bytes, that are read; of further ones nothing is known."""
_MOST_FILES = 3_000_000
"""Files that all records of a layer may name."""
_MOST_KEPT = 512 << 20


class LayerRecords:
    """Records by path. As an onlooker of a listing that is made it sees them go by; `scratch` is a directory for large
    files that are looked into, empty for that of temporary files. They are `whole` unless this machine hindered it (a
    disk is full): another time there may be more, so that such ones are not kept."""

    def __init__(self, scratch: str = "") -> None:
        self.begun = False
        self._scratch = scratch
        self._clear()

    def _clear(self) -> None:
        self.found: dict[str, Record] = {}
        self.left_out = 0
        self.whole = True
        self._room = _MOST_BYTES
        self._count = 0
        self._files = 0

    def begin(self) -> None:
        """As Onlooker says: a listing that is begun anew, from another blob, finds its records anew."""
        self._clear()
        self.begun = True

    def wants(self, entry: Entry) -> bool:
        """As Onlooker says."""
        if entry.kind != "file" or not entry.size:
            return False
        kind = kind_of(entry.path, entry.size, entry.mode)
        if not kind:
            return False
        whole = kind not in LOOKED_INTO and kind not in BESIDE
        if self._count >= _MOST_RECORDS or (whole and entry.size > self._room and not kind.startswith("rpm")):
            self.left_out += 1
            return False
        self._count += 1
        if whole:
            self._room -= entry.size
        return True

    def look(self, entry: Entry, data: BinaryIO) -> None:
        """As Onlooker says."""
        peek = PassingBy(data, self._scratch)
        try:
            self.read(entry, peek)
        except OSError as error:
            why = f"/{entry.path} could not be looked into: {error.strerror or error}"
            self.found[entry.path] = Record("unread", trouble=why)
            self.whole = False
        finally:
            peek.close()

    def read(self, entry: Entry, data: Peek) -> None:
        """Take note of what a file tells that was wanted."""
        record = parse(kind_of(entry.path, entry.size, entry.mode), entry.path, entry.size, data)
        if record is not None:
            named = len(record.files) + sum(len(package.files) for package in record.packages)
            if self._files + named > _MOST_FILES:
                self.left_out += 1
                record = None
            else:
                self._files += named
        if record is not None:
            self.found[entry.path] = record
        else:
            self.found.pop(entry.path, None)

    def to_bytes(self) -> bytes:
        """The records as a text, compressed."""
        import json
        import zlib

        rows = [
            (path, record.kind, record.packages, record.files, record.trouble, record.text)
            for path, record in self.found.items()
        ]
        return _MAGIC + zlib.compress(json.dumps([self.left_out, rows], separators=(",", ":")).encode(), 1)

    @classmethod
    def of_bytes(cls, data: bytes) -> "LayerRecords | None":
        """The records that were made such a text; None where they are of another time, or damaged."""
        import json
        import zlib

        if not data.startswith(_MAGIC):
            return None
        try:
            unpacker = zlib.decompressobj()
            text = unpacker.decompress(data[len(_MAGIC) :], _MOST_KEPT)
            left_out, rows = json.loads(text if unpacker.eof else b"")
            records = cls()
            records.left_out = int(left_out)
            records.found = {path: _record(*row) for path, *row in rows}
        except (ValueError, TypeError, zlib.error):
            return None
        return records


def _record(kind: str, packages: Sequence[Sequence[Any]], files: Sequence[str], trouble: str, text: str) -> Record:
    return Record(kind, tuple([_package(*each) for each in packages]), tuple(files), trouble, text)


def _package(
    ecosystem: str, name: str, version: str, files: Sequence[str], directories: Sequence[str], *rest: Any
) -> Package:
    return Package(ecosystem, name, version, tuple(files), tuple(directories), *rest)
