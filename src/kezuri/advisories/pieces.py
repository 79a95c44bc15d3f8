"""The documents that a path holds: a file by itself, those of a directory, or the members of an archive."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO, NamedTuple

from kezuri.diagnostics import KezuriError

LARGEST = 32 << 20
"""Bytes of one document among many; the largest of OSV have a few million."""
_MOST_MEMBERS = 5_000_000
_RATIO = 400
_SMALLEST_TOTAL = 4 << 30


class Piece(NamedTuple):
    """A document: its name below the path, and its plain bytes, up to a limit, good until the next piece is asked for.
    Reading raises KezuriError that names it."""

    name: str
    read: Callable[[int], bytes]


def opened(path: str) -> BinaryIO:
    """A file for reading; KezuriError where it cannot be, or is no file."""
    try:
        # A pipe or a device must not hang us before it is known to be one.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise KezuriError.of(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise KezuriError.of(f"{path} is no file")
    return open(descriptor, "rb")


@contextmanager
def plain(path: str) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked if it is compressed (gzip, zstd, bzip2, xz), and no more of them than a compressed
    file of its size can well have."""
    from kezuri.layer.decompression import decompress

    with opened(path) as file:
        yield decompress(file, path, _most(os.fstat(file.fileno()).st_size))


def is_archive(path: str) -> bool:
    """Whether a file is a zip archive or a tar, compressed or not."""
    with opened(path) as file:
        head = file.read(4)
    if head in (b"PK\x03\x04", b"PK\x05\x06"):
        return True
    try:
        with plain(path) as stream:
            return stream.read(512)[257:262] == b"ustar"
    except KezuriError:
        return False


def pieces(path: str) -> Iterator[Piece]:
    """All documents at a path, those of a directory by their names. No links are followed; what begins with a dot is
    left out, in archives, too: workflows and the like are no advisories. KezuriError for a path that cannot be read,
    and for an archive that is damaged, where the damage begins."""
    if os.path.isdir(path):
        yield from _below(path)
    elif not is_archive(path):
        yield Piece(os.path.basename(path), partial(_read_file, path))
    else:
        with opened(path) as file:
            zipped = file.read(2) == b"PK"
        yield from _bounded(path, _of_zip(path) if zipped else _of_tar(path))


def _most(size: int) -> int:
    return max(_SMALLEST_TOTAL, size * _RATIO)


def _bounded(path: str, members: Iterator[tuple[int, Piece]]) -> Iterator[Piece]:
    """Members of an archive, as long as they are no more, and no larger together, than an archive has that was not made
    to keep its reader busy."""
    left = _most(os.path.getsize(path))
    for number, (size, piece) in enumerate(members):
        left -= size
        if number >= _MOST_MEMBERS or left < 0:
            raise KezuriError.of(f"{path} holds more than an archive of its size can well hold: it is not read further")
        if not any(part[:1] == "." and part != "." for part in piece.name.split("/")):
            yield piece


def _below(path: str) -> Iterator[Piece]:
    def refused(error: OSError) -> None:
        raise KezuriError.of(f"cannot read {error.filename}: {error.strerror}") from None

    for base, directories, names in os.walk(path, onerror=refused):
        directories[:] = sorted(name for name in directories if not name.startswith("."))
        for name in sorted(names):
            whole = os.path.join(base, name)
            if not name.startswith(".") and not os.path.islink(whole):
                yield Piece(os.path.relpath(whole, path), partial(_read_file, whole))


def _read_file(path: str, limit: int) -> bytes:
    with plain(path) as stream:
        return _up_to(stream, path, limit)


def _up_to(stream: BinaryIO, name: str, limit: int) -> bytes:
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise KezuriError.of(f"{name} has more than {limit} bytes, which are not read")
    return data


def _of_zip(path: str) -> Iterator[tuple[int, Piece]]:
    from kezuri.advisories.zips import Zip

    with opened(path) as file:
        archive = Zip(file, path)
        for member in archive.members():
            yield member.size, Piece(member.name, partial(archive.read, member))


def _of_tar(path: str) -> Iterator[tuple[int, Piece]]:
    from kezuri.layer.tar_reader import read_tar

    with plain(path) as stream:
        for entry, data in read_tar(stream, path):
            if data is not None and entry.kind == "file":
                name = f"{path}: {entry.path}"
                yield entry.size, Piece(entry.path, partial(_up_to, data, name))
