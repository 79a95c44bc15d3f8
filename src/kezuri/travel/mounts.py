"""The files of a cache mount as packs: pieces of one tar, cut where the names of files say so.

Where it is cut does not depend on what stands before: after a change the packs without it have the same digests, and do
not travel again. All packs after each other are the layer tar of the whole mount.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple, cast
from zlib import crc32

from kezuri.diagnostics import KezuriError
from kezuri.layer.compression import EMPTY_GZIP
from kezuri.layer.entry import Item
from kezuri.layer.packer import compression, pack
from kezuri.layer.unpacker import unpack
from kezuri.layer.upper import walk
from kezuri.linux.disk import disk_error
from kezuri.oci.descriptor import LAYER_GZIP, Descriptor
from kezuri.travel.document import MountRecord

_LARGE = 4 << 20
"""A file of so many bytes has a pack of its own."""
_MOST_BYTES = 32 << 20
_MOST_FILES = 4096
_CUT = 128
"""Of so many files one is, by its name, the last of a pack."""
_MOST_MOUNT = 64 << 30
_AT_ONCE = 4


class TooLarge(KezuriError):
    """The mount has more bytes than may be taken along."""


class Look(NamedTuple):
    """How owners and overlay marks are recorded in the directories of a store; `kezuri.layer.upper.walk` has the
    words."""

    user_marks: bool
    recorded: bool


class MountPacker:
    """Packs cache mounts into a scratch directory, each pack a file with the hex digits of its digest as its name."""

    def __init__(self, scratch: str, look: Look, check: Callable[[], None]) -> None:
        """`check` is called between files, and may raise."""
        self._scratch = scratch
        self._look = look
        self._check = check

    def path(self, digest: str) -> str:
        """Where the pack with this digest is, if it was made here."""
        return os.path.join(self._scratch, digest.removeprefix("sha256:"))

    def pack(self, id: str, directory: str, most: int) -> MountRecord:
        """Pack a mount. TooLarge when its packs have more than `most` bytes; KezuriError when a file cannot be read, or
        was changed meanwhile."""
        packs: list[Descriptor] = []
        plain = 0
        items = walk(directory, userxattr=self._look.user_marks, recorded=self._look.recorded, root=True)
        for number, piece in enumerate(pieces(self._checked(items))):
            path = os.path.join(self._scratch, f"{id}-{number}")
            try:
                with open(path, "xb") as file:
                    sink = cast(BinaryIO, _Bounded(file, most))
                    made = pack(piece, sink, compression("gzip", None), nanoseconds=True, end=False)
                os.replace(path, self.path(made.digest))
            except OSError as error:
                raise disk_error(error, path) from error
            most -= made.size
            plain += made.uncompressed_size
            packs.append(Descriptor(LAYER_GZIP, made.digest, made.size))
        return MountRecord(id, tuple(packs), plain)

    def _checked(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            self._check()
            yield item


class _Bounded:
    """A file that takes so many bytes and no more: a large file is given up before it fills the disk."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._left = most

    def write(self, data: bytes) -> int:
        """Append bytes; TooLarge beyond the bound."""
        self._left -= len(data)
        if self._left < 0:
            raise TooLarge.of("it is larger than the cache may be")
        return self._file.write(data)


def pieces(items: Iterable[Item]) -> Iterator[Iterator[Item]]:
    """The items in packs, each to be gone through before the next one is asked for."""
    coming = iter(items)
    waiting: list[Item] = []

    def piece() -> Iterator[Item]:
        files = size = 0
        while waiting:
            item = waiting[0]
            entry = item[0]
            if files and entry.size >= _LARGE:
                return
            waiting.clear()
            yield item
            waiting.extend(_next(coming))
            files, size = files + 1, size + entry.size
            named = crc32(entry.path.encode("utf-8", "surrogateescape")) % _CUT == 0
            if named or entry.size >= _LARGE or size >= _MOST_BYTES or files >= _MOST_FILES:
                return

    waiting.extend(_next(coming))
    while waiting:
        yield piece()


def _next(items: Iterator[Item]) -> list[Item]:
    for item in items:
        return [item]
    return []


Fetch = Callable[[Descriptor, str], None]
"""Brings a pack to a path of this machine, verified; KezuriError when it cannot be had."""


def restore(record: MountRecord, directory: str, scratch: str, look: Look, fetch: Fetch, where: str) -> None:
    """Put the files of a mount into an empty directory. KezuriError when a pack cannot be had or is damaged; what lies
    in the directory then is to be thrown away."""
    if record.plain > _MOST_MOUNT:
        raise KezuriError.of(f"{where}: a cache mount of {record.plain} bytes is too large", exit_code=125)
    paths = _fetched(record.packs, scratch, fetch)
    with _Chain([paths[descriptor.digest] for descriptor in record.packs]) as chain:
        limit = record.plain + (1 << 20)
        unpack(
            cast(BinaryIO, chain),
            directory,
            lower=None,
            userxattr=look.user_marks,
            recorded=look.recorded,
            where=where,
            limit=limit,
        )


def _fetched(packs: Iterable[Descriptor], scratch: str, fetch: Fetch) -> dict[str, str]:
    """The packs, brought several at a time; their paths by digest."""
    paths: dict[str, str] = {}
    rest: list[Descriptor] = []
    for descriptor in packs:
        if descriptor.digest not in paths:
            paths[descriptor.digest] = os.path.join(scratch, descriptor.digest.removeprefix("sha256:"))
            rest.append(descriptor)
    rest.sort(key=lambda descriptor: descriptor.size)
    errors: list[BaseException] = []

    def work() -> None:
        while not errors:
            try:
                descriptor = rest.pop()
            except IndexError:
                return
            try:
                fetch(descriptor, paths[descriptor.digest])
            except BaseException as error:  # handed to the caller's thread
                errors.append(error)

    threads = [threading.Thread(target=work, name="fetch mount", daemon=True) for _ in range(min(_AT_ONCE, len(rest)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return paths


class _Chain:
    """Files read one after the other, and the end of an archive after the last."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = iter(paths)
        self._file: BinaryIO | None = None
        self._end = EMPTY_GZIP

    def __enter__(self) -> "_Chain":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most so many; none at the end."""
        while True:
            if self._file is None:
                path = next(self._paths, "")
                if not path:
                    end, self._end = self._end, b""
                    return end
                self._file = open(path, "rb")  # noqa: SIM115  # closed below, or by the caller's `with`
            data = self._file.read(size)
            if data:
                return data
            self._file.close()
            self._file = None
