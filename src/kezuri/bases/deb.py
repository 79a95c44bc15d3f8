"""Debian packages: an ar archive that holds a compressed tar of files (deb(5)), read as a stream."""

from collections.abc import Iterator
from io import BufferedIOBase
from typing import BinaryIO, NamedTuple, cast

from kezuri.diagnostics import KezuriError
from kezuri.layer.decompression import decompress
from kezuri.layer.entry import Entry
from kezuri.layer.tar_reader import read_tar

_MAGIC = b"!<arch>\n"
_HEADER = 60
_KINDS = ("file", "dir", "symlink", "hardlink")


class Package(NamedTuple):
    """A package as the archive's index lists it; `size` is in bytes, `filename` relative to the mirror's root."""

    name: str
    version: str
    architecture: str
    filename: str
    size: int
    sha256: str

    @property
    def upstream(self) -> str:
        """The version of the program itself, without Debian's epoch and revision (deb-version(7))."""
        whole = self.version.partition(":")[2] or self.version
        return whole.rpartition("-")[0] or whole


class Deb:
    """A package file on disk. Nothing of it is held open between calls."""

    def __init__(self, package: Package, path: str) -> None:
        self.package = package
        self.path = path

    def members(self) -> Iterator[tuple[Entry, BinaryIO | None]]:
        """The files in the order of the archive: each entry with a reader of its bytes, which is good until the next
        entry is asked for, or None for what is no file. KezuriError naming the package when it is not a readable one,
        also out of a reader."""
        return self._members("data.tar")

    def read(self, path: str) -> bytes:
        """One file's content; KezuriError when the package does not hold it."""
        for entry, content in self.members():
            if entry.path == path and content is not None:
                return content.read()
        raise KezuriError.of(
            f"{self.package.name} {self.package.version} has no file {path}",
            hint="the Debian package has changed its layout: report this to kezuri",
        )

    def control(self) -> str:
        """The text of the control file (deb-control(5))."""
        for name, content in self.controls():
            if name == "control":
                return content.decode("utf-8", "surrogateescape")
        raise self._broken("no control file")

    def controls(self) -> Iterator[tuple[str, bytes]]:
        """Name and content of each file that dpkg keeps about the package: `control`, `postinst`, `conffiles`, …"""
        for entry, content in self._members("control.tar"):
            if content is not None:
                yield entry.path, content.read()

    def _members(self, which: str) -> Iterator[tuple[Entry, BinaryIO | None]]:
        with open(self.path, "rb") as file:
            part = cast(BinaryIO, _Part(file, self._find(file, which), self._where("it")))
            # The readers begin their messages with the place that they are given.
            where = self._where(which)
            for entry, content in read_tar(decompress(part, where), where):
                if entry.kind not in _KINDS:
                    raise self._broken(f"{entry.path} is neither a file, a directory nor a link")
                if entry.path:
                    yield entry, content

    def _find(self, file: BinaryIO, which: str) -> int:
        """Moves to the ar member that is called `which`, or `which` and the suffix of a compression; its size."""
        if file.read(len(_MAGIC)) != _MAGIC:
            raise self._broken("not an ar archive")
        while True:
            header = file.read(_HEADER)
            if len(header) < _HEADER:
                raise self._broken(f"no {which}")
            name = header[:16].decode("ascii", "replace").strip().rstrip("/")
            digits = header[48:58].strip()
            if header[58:] != b"`\n" or not digits.isdigit():
                raise self._broken("a damaged ar header")
            size = int(digits)
            if name == which or name.startswith(which + "."):
                return size
            file.seek(size + size % 2, 1)

    def _where(self, which: str) -> str:
        return f"{self.package.name} {self.package.version}: not a readable Debian package: {which}"

    def _broken(self, why: str) -> KezuriError:
        return KezuriError.of(self._where(why))


class _Part(BufferedIOBase):
    """A file's next `size` bytes, as a stream."""

    def __init__(self, file: BinaryIO, size: int, where: str) -> None:
        self._file = file
        self._left = size
        self._where = where

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes, empty at the part's end; KezuriError when the file ends before the part does."""
        if size is None or size < 0 or size > self._left:
            size = self._left
        data = self._file.read(size)
        if size and not data:
            raise KezuriError.of(f"{self._where} is cut short")
        self._left -= len(data)
        return data

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(size)
