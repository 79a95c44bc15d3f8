"""Items to a finished layer blob in one pass: each file is read once."""

import errno
import os
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.layer.blob_writer import BlobWriter
from kezuri.layer.compression import BLOCK, Compression, compression
from kezuri.layer.entry import UNDATED, Item, leads_elsewhere
from kezuri.layer.tar_writer import END, PADDING, header

__all__ = ["Compression", "Packed", "compress", "compression", "pack"]

# A name that became a link is not followed, and one that became a pipe does not block.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Packed(NamedTuple):
    """A packed layer: digests as `sha256:<hex>` of the tar and of the blob, sizes in bytes, number of entries, and how
    many bytes its files have (-1 where nobody counted)."""

    diff_id: str
    digest: str
    size: int
    uncompressed_size: int
    entries: int
    content: int = -1


def pack(
    items: Iterable[Item],
    sink: BinaryIO,
    compression: Compression,
    *,
    epoch: int | None = None,
    on_progress: Callable[[int], None] | None = None,
    nanoseconds: bool = False,
    end: bool = True,
) -> Packed:
    """Write the items, in their order, as one layer blob.

    `epoch`, in seconds, replaces every later time, and UNDATED of directories (SOURCE_DATE_EPOCH). Times are whole
    seconds as in BuildKit's layers unless `nanoseconds`. Without `end` it is a piece of an archive, which
    others follow. `on_progress` gets the number of tar bytes written so far,
    perhaps from another thread. Memory is bounded, whatever the size of a file. KezuriError when a file cannot be read
    or changed while it was read, or the sink does not take the bytes; what the sink holds then is not a layer.
    """
    entries = total = 0
    parts: list[Any] = []
    held = 0
    latest = None if epoch is None else epoch * 1_000_000_000
    os_open, os_read, os_close = os.open, os.read, os.close
    with BlobWriter(sink, compression, on_progress) as blob:
        for entry, content in items:
            entries += 1
            if latest is not None and (entry.mtime > latest or (entry.mtime == UNDATED and entry.kind == "dir")):
                entry = entry._replace(mtime=latest)
            head = header(entry, nanoseconds)
            parts.append(head)
            held += len(head)
            if entry.kind == "file":
                size = entry.size
                total += size
                if size < BLOCK and content.__class__ is str:
                    # Almost every file is read here, with three system calls. One byte more than expected is asked
                    # for: whoever gets it sees that the file has grown.
                    try:
                        descriptor = os_open(content, _READ)
                        try:
                            data = os_read(descriptor, size + 1)
                        finally:
                            os_close(descriptor)
                    except OSError as error:
                        raise _unreadable(str(content), error) from error
                    if len(data) != size:
                        data = _read_whole(str(content), size)
                    parts.append(data)
                    held += size
                elif isinstance(content, str):
                    for piece in _pieces(content, size):
                        parts.append(piece)
                        held += len(piece)
                        while held >= BLOCK:
                            parts, held = _cut(blob, parts, held)
                elif size != len(content or b""):
                    raise KezuriError.of(f"{entry.path}: has {len(content or b'')} bytes instead of {size}")
                elif content:
                    parts.append(content)
                    held += size
                pad = -size % 512
                if pad:
                    parts.append(PADDING[pad])
                    held += pad
            while held >= BLOCK:
                parts, held = _cut(blob, parts, held)
        if end:
            parts.append(END)
            held += len(END)
        while held >= BLOCK:
            parts, held = _cut(blob, parts, held)
        written = blob.finish(b"".join(parts))
    return Packed(*written, entries, total)


def compress(
    stream: BinaryIO,
    sink: BinaryIO,
    compression: Compression,
    *,
    on_progress: Callable[[int], None] | None = None,
) -> Packed:
    """Write an existing tar stream (not compressed) as a blob; `entries` is 0. OSError when the stream fails."""
    with BlobWriter(sink, compression, on_progress) as blob:
        parts: list[Any] = []
        held = 0
        while data := stream.read(BLOCK):
            parts.append(data)
            held += len(data)
            while held >= BLOCK:
                parts, held = _cut(blob, parts, held)
        return Packed(*blob.finish(b"".join(parts)), 0)


def _cut(blob: BlobWriter, parts: list[Any], held: int) -> tuple[list[Any], int]:
    """Hand over the first BLOCK bytes of the parts; give back the rest.

    Only the last part, or a single large one, crosses the boundary.
    """
    if len(parts) > 1 and held - len(parts[-1]) >= BLOCK:
        # A piece of a large file, with what follows it, may hold more than one whole block.
        whole = b"".join(parts)
        blob.put(whole[:BLOCK])
        return [memoryview(whole)[BLOCK:]], held - BLOCK
    over = held - BLOCK
    last = parts[-1]
    keep = len(last) - over
    if over:
        view = memoryview(last)
        parts[-1] = view[:keep]
        rest: list[Any] = [view[keep:]]
    else:
        rest = []
    blob.put(b"".join(parts))
    return rest, over


def _pieces(path: str, size: int) -> Iterable[bytes]:
    """A file's content in pieces of at most BLOCK bytes, exactly `size` bytes in all."""
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        if leads_elsewhere(path, descriptor):
            raise _changed(path)
        left = size
        while left:
            try:
                data = os.read(descriptor, min(left, BLOCK))
            except OSError as error:
                raise _unreadable(path, error) from error
            if not data:
                raise _changed(path)
            left -= len(data)
            yield data
        if os.read(descriptor, 1):
            raise _changed(path)
    finally:
        os.close(descriptor)


def _read_whole(path: str, size: int) -> bytes:
    """The content of a file whose first read gave too few bytes, as some file systems do, or too many."""
    return b"".join(_pieces(path, size))


def _changed(path: str) -> KezuriError:
    return KezuriError.of(f"{path} changed while it was read", hint="build again when nothing writes to it")


def _unreadable(path: str, error: OSError) -> KezuriError:
    if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.ENOTDIR):
        return _changed(path)
    if error.errno == errno.ENAMETOOLONG:
        return KezuriError.of(f"cannot read a file whose path has {len(path)} characters: {path[:80]}…")
    return KezuriError.of(f"cannot read {path}: {error.strerror}")
