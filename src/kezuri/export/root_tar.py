"""An image's files as a tar, in the order of their names, though layers have them in others."""

import os
from collections.abc import Iterable
from typing import BinaryIO

from kezuri.diagnostics import KezuriError
from kezuri.export.root import Exported
from kezuri.layer.entry import Entry
from kezuri.layer.tar_writer import END, PADDING, header
from kezuri.linux.disk import disk_error
from kezuri.linux.refusal import refused
from kezuri.tree.content import Bytes, InTar, TarFiles, pieces

_HELD = 1 << 20


def write_tar(items: Iterable[Exported], sink: BinaryIO, scratch: str) -> None:
    """Write the entries as one tar, in their order: directories stay together, without which programs that unpack it
    could not restore their times, and users could not fill those that nobody may write to.

    Each tar of a layer is read once; what it has of the files lies meanwhile in one file of the directory `scratch`.
    Memory does not depend on the size of the files. KezuriError when a layer cannot be read or a disk is full.
    """
    entries = list(items)
    writer = _Writer(sink)
    with _Spool(scratch) as spool:
        spool.take(entries)
        for entry, content in entries:
            writer.put(entry, spool.pieces(content) if entry.kind == "file" else ())
    writer.end()


class _Spool:
    """The bytes of many files, one after the other in a file that has no name."""

    def __init__(self, scratch: str) -> None:
        self._scratch = scratch
        self._places: dict[InTar, tuple[int, int]] = {}
        self._file: BinaryIO | None = None

    def __enter__(self) -> "_Spool":
        return self

    def __exit__(self, *raised: object) -> None:
        if self._file is not None:
            self._file.close()

    def take(self, entries: list[Exported]) -> None:
        """Take the bytes of all entries out of the tars that have them; of a single file nothing has to be put off."""
        wanted: dict[TarFiles, set[str]] = {}
        for _, content in entries:
            if isinstance(content, InTar):
                wanted.setdefault(content.tar, set()).add(content.path)
        if sum(map(len, wanted.values())) < 2:
            return
        from tempfile import TemporaryFile

        end = 0
        try:
            self._file = TemporaryFile(dir=self._scratch, buffering=0)  # noqa: SIM115  # __exit__ closes it
            for tar, paths in wanted.items():
                for path, size, data in tar.read(paths):
                    self._places[InTar(tar, path)] = end, size
                    end += size
                    while piece := data.read(_HELD):
                        view = memoryview(piece)
                        while view:
                            view = view[self._file.write(view) :]
        except OSError as error:
            raise disk_error(error, self._scratch) from error

    def pieces(self, content: Bytes) -> Iterable[bytes]:
        """The bytes of a file, in pieces."""
        place = self._places.get(content) if isinstance(content, InTar) else None
        if place is None or self._file is None:
            yield from pieces(content)
            return
        at, left = place
        while left:
            piece = os.pread(self._file.fileno(), min(left, _HELD), at)
            if not piece:
                return
            yield piece
            at += len(piece)
            left -= len(piece)


class _Writer:
    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._held = bytearray()

    def put(self, entry: Entry, content: Iterable[bytes]) -> None:
        self._add(header(entry))
        if entry.kind != "file":
            return
        left = entry.size
        try:
            for piece in content:
                left -= len(piece)
                self._add(piece)
        except OSError as error:
            raise refused(error) from error
        if left:
            raise KezuriError.of(f"/{entry.path} has {entry.size - left} bytes instead of {entry.size}")
        self._add(PADDING[-entry.size % 512])

    def end(self) -> None:
        self._add(END)
        self._sink.write(bytes(self._held))

    def _add(self, data: bytes) -> None:
        self._held += data
        if len(self._held) >= _HELD:
            self._sink.write(bytes(self._held))
            self._held.clear()
