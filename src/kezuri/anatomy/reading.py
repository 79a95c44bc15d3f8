"""The bytes of an image's files, each looked into as far as somebody asks: from directories, or from tars read once."""

import os
from collections.abc import Callable, Iterable
from typing import BinaryIO, Protocol

from kezuri.anatomy.walk import Item
from kezuri.diagnostics import KezuriError
from kezuri.tree.content import InTar, TarFiles

_PIECE = 1 << 18
_IN_MEMORY = 8 << 20
MOST_READ = 1 << 30
"""A file is not looked into any further than this."""


class Peek(Protocol):
    """A file's bytes."""

    def at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on; fewer where the file ends."""
        ...


Reader = Callable[[Item, Peek], None]


class Unread(Exception):
    """A file could not be read; the text says why."""


class InMemory:
    """A file whose bytes are here."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def at(self, offset: int, size: int) -> bytes:
        """As Peek says."""
        return self._data[offset : offset + size]


class OnDisk:
    """A file of this machine; to be closed."""

    def __init__(self, path: str) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise Unread(error.strerror) from error

    def at(self, offset: int, size: int) -> bytes:
        """As Peek says."""
        try:
            return os.pread(self._descriptor, size, offset) if offset < 1 << 62 else b""
        except OSError as error:
            raise Unread(error.strerror) from error

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)


class PassingBy:
    """A file of a tar that is being read: what came by is kept, in memory at first, then in a file of `scratch`, so
    that it can be looked at in any order. No more is read than what was asked for."""

    def __init__(self, data: BinaryIO, scratch: str) -> None:
        self._data = data
        self._scratch = scratch
        self._kept = bytearray()
        self._spilled: BinaryIO | None = None
        self._came = 0
        self._ended = False

    def at(self, offset: int, size: int) -> bytes:
        """As Peek says. What lies further than 1 GiB into the file is not there."""
        if offset >= MOST_READ:
            return b""
        end = min(offset + size, MOST_READ)
        while self._came < end and not self._ended:
            self._more()
        if self._spilled is None:
            return bytes(self._kept[offset:end])
        self._spilled.seek(offset)
        return self._spilled.read(end - offset)

    def _more(self) -> None:
        piece = self._data.read(_PIECE)
        if not piece:
            self._ended = True
            return
        self._came += len(piece)
        if self._spilled is not None:
            self._spilled.seek(0, os.SEEK_END)
            self._spilled.write(piece)
            return
        self._kept += piece
        if len(self._kept) > _IN_MEMORY:
            from tempfile import TemporaryFile

            self._spilled = TemporaryFile(dir=self._scratch or None)  # noqa: SIM115
            self._spilled.write(self._kept)
            self._kept = bytearray()

    def close(self) -> None:
        """Let go of what was kept."""
        if self._spilled is not None:
            self._spilled.close()


def read_all(wanted: Iterable[Item], read: Reader, scratch: str, unread: Callable[[Item | None, str], None]) -> None:
    """Hand each file to `read`, those of one tar in one go. What cannot be read is told to `unread`, with the file, or
    with None where it is all that is left of a layer."""
    in_tars: dict[TarFiles, dict[str, list[Item]]] = {}
    for item in wanted:
        content = item.content
        if isinstance(content, InTar):
            in_tars.setdefault(content.tar, {}).setdefault(content.path, []).append(item)
        else:
            _read_here(item, content, read, unread)
    for tar, items in in_tars.items():
        try:
            for path, _, data in tar.read(items.keys()):
                peek = PassingBy(data, scratch)
                try:
                    for item in items[path]:
                        read(item, peek)
                finally:
                    peek.close()
        except KezuriError as error:
            unread(None, error.diagnostics[0].message)
        except OSError as error:
            unread(None, error.strerror or str(error))


def _read_here(
    item: Item, content: str | bytes | None, read: Reader, unread: Callable[[Item | None, str], None]
) -> None:
    if not isinstance(content, str):
        read(item, InMemory(content or b""))
        return
    try:
        file = OnDisk(content)
    except Unread as error:
        unread(item, str(error))
        return
    try:
        read(item, file)
    except Unread as error:
        unread(item, str(error))
    finally:
        file.close()
