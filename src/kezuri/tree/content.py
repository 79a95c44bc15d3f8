"""Where a file's bytes are: on this machine, in memory, or in the tar of a layer that nobody has unpacked."""

import os
from collections.abc import Collection, Iterator, Mapping
from hashlib import sha256
from typing import BinaryIO, NamedTuple, Protocol

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Content
from kezuri.linux.disk import disk_error

_PIECE = 1 << 20
_SMALL = 64 << 10
_IN_MEMORY = 8 << 20


class TarFiles(Protocol):
    """The files of a layer's tar. Reading costs one pass over the tar, however many files are asked for."""

    def digests(self, paths: Collection[str]) -> Mapping[str, bytes]:
        """The SHA-256 of the bytes of these files. KezuriError when the layer cannot be read."""
        ...

    def read(self, paths: Collection[str]) -> Iterator[tuple[str, int, BinaryIO]]:
        """These files in the order of the tar: path, size in bytes, and a reader that is good until the next file.
        KezuriError when the layer cannot be read or does not hold them all."""
        ...


class InTar(NamedTuple):
    """A file's bytes in a layer's tar: `path` is the file's first name there."""

    tar: TarFiles
    path: str


Bytes = Content | InTar
"""Where a file's bytes are, as a tree tells it: like Content, or in a tar."""


class Spool:
    """Keeps bytes that come by only once: those of large files in numbered files of a scratch directory, which is
    given, and taken away, by somebody else; those of small ones in memory, at most 8 MiB in all."""

    def __init__(self, scratch: str, name: str) -> None:
        """`name` is what the files are called, beside their numbers."""
        self._prefix = os.path.join(scratch, name)
        self._files = 0
        self._room = _IN_MEMORY

    def keep(self, data: BinaryIO, size: int) -> Content:
        """Read `size` bytes to their end, and where they are then. KezuriError when the disk does not take them."""
        if size <= _SMALL and size <= self._room:
            self._room -= size
            return data.read()
        self._files += 1
        path = f"{self._prefix}-{self._files:08d}"
        try:
            with open(path, "xb", 0) as file:
                while piece := data.read(_PIECE):
                    view = memoryview(piece)
                    while view:
                        view = view[file.write(view) :]
        except OSError as error:
            raise disk_error(error, path) from error
        return path


def hashed(data: BinaryIO) -> bytes:
    """The SHA-256 of what a reader gives, to its end."""
    sha = sha256()
    while piece := data.read(_PIECE):
        sha.update(piece)
    return sha.digest()


def on_hand(content: Bytes) -> Content:
    """The content of a file that is known not to be in a tar any more: see `kezuri.tree.extraction`."""
    if isinstance(content, InTar):
        raise AssertionError(f"{content.path!r} is still in the tar of its layer")
    return content


def pieces(content: Bytes) -> Iterator[bytes]:
    """The bytes of a file, 1 MiB at a time. KezuriError or OSError when they cannot be read."""
    if isinstance(content, InTar):
        for _, _, data in content.tar.read([content.path]):
            while piece := data.read(_PIECE):
                yield piece
            return
    elif isinstance(content, str):
        descriptor = os.open(content, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                yield piece
    elif content:
        yield content


def read_bytes(content: Bytes, path: str, limit: int) -> bytes | None:
    """The bytes of the file at `path` of a tree; None when there are more than `limit`. KezuriError when they cannot be
    read."""
    if isinstance(content, InTar):
        for _, size, data in content.tar.read([content.path]):
            return data.read() if size <= limit else None
        return None
    if not isinstance(content, str):
        return content if content is None or len(content) <= limit else None
    try:
        descriptor = os.open(content, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            found = file.read(limit + 1)
    except OSError as error:
        raise KezuriError.of(f"cannot read {path!r}: {error.strerror}") from error
    return found if len(found) <= limit else None
