"""An image's files as a tar, in the order of their names, though layers may have them in others."""

import os
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack
from typing import BinaryIO

from kezuri.diagnostics import KezuriError
from kezuri.export.root import Exported
from kezuri.layer.entry import Entry
from kezuri.layer.tar_writer import END, PADDING, header
from kezuri.linux.disk import disk_error
from kezuri.linux.refusal import refused
from kezuri.tree.content import Bytes, InTar, TarFiles, pieces

_HELD = 1 << 20
_STREAMS = 8
"""How many tars of layers are read beside each other: each takes some 5 MiB of memory and a thread."""


def write_tar(items: Iterable[Exported], sink: BinaryIO, scratch: str) -> None:
    """Write the entries as one tar, in their order: directories stay together, without which programs that unpack it
    could not restore their times, and users could not fill those that nobody may write to.

    Each tar of a layer is read once. Most have their files in the same order; what comes by too early lies meanwhile in
    one file of the directory `scratch`. Memory does not depend on the size of the files. KezuriError when a layer
    cannot be read or a disk is full.
    """
    entries = list(items)
    writer = _Writer(sink)
    with _Contents(entries, scratch) as contents:
        for entry, content in entries:
            writer.put(entry, contents.pieces(content) if entry.kind == "file" else ())
    writer.end()


class _Contents:
    """The bytes of files that are asked for one after the other; those in tars of layers in whatever order these have
    them. Use it in a `with`."""

    def __init__(self, entries: list[Exported], scratch: str) -> None:
        self._scratch = scratch
        self._uses = Counter(content for _, content in entries if isinstance(content, InTar))
        self._sizes: Counter[TarFiles] = Counter()
        self._paths: dict[TarFiles, set[str]] = {}
        for entry, content in entries:
            if isinstance(content, InTar):
                self._sizes[content.tar] += entry.size
                self._paths.setdefault(content.tar, set()).add(content.path)
        self._streams: dict[TarFiles, Iterator[tuple[str, int, BinaryIO]]] = {}
        self._places: dict[InTar, tuple[int, int]] = {}
        self._end = 0
        self._file: BinaryIO | None = None
        self._held = ExitStack()

    def __enter__(self) -> "_Contents":
        with ExitStack() as held:
            for number, (tar, _) in enumerate(self._sizes.most_common()):
                reading = self._reading(tar)
                held.callback(reading.close)
                if number < _STREAMS:
                    self._streams[tar] = reading
                    continue
                for path, size, data in reading:
                    self._put_off(InTar(tar, path), size, data)
            self._held = held.pop_all()
        return self

    def __exit__(self, *raised: object) -> None:
        self._held.close()
        if self._file is not None:
            self._file.close()

    def _reading(self, tar: TarFiles) -> Generator[tuple[str, int, BinaryIO], None, None]:
        yield from tar.read(self._paths[tar])

    def pieces(self, content: Bytes) -> Iterable[bytes]:
        """The bytes of a file, in pieces."""
        if not isinstance(content, InTar):
            yield from pieces(content)
            return
        while content not in self._places:
            following = next(self._streams[content.tar], None)
            if following is None:
                return
            path, size, data = following
            came = InTar(content.tar, path)
            if came == content and self._uses[came] == 1:
                while piece := data.read(_HELD):
                    yield piece
                return
            self._put_off(came, size, data)
        at, left = self._places[content]
        while left and self._file is not None:
            piece = os.pread(self._file.fileno(), min(left, _HELD), at)
            if not piece:
                return
            yield piece
            at += len(piece)
            left -= len(piece)

    def _put_off(self, content: InTar, size: int, data: BinaryIO) -> None:
        """Keep a file's bytes for later."""
        from tempfile import TemporaryFile

        try:
            if self._file is None:
                self._file = TemporaryFile(dir=self._scratch, buffering=0)  # noqa: SIM115  # __exit__ closes it
            self._places[content] = self._end, size
            self._end += size
            while piece := data.read(_HELD):
                view = memoryview(piece)
                while view:
                    view = view[self._file.write(view) :]
        except OSError as error:
            raise disk_error(error, self._scratch) from error


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
