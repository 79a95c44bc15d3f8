"""A layer being written: tar entries in, a reproducible gzip blob out, and a record of what is where."""

import hashlib
from collections.abc import Callable, Mapping
from typing import BinaryIO, Literal, NamedTuple, Protocol

from kezuri.bases.deb import Content, Deb
from kezuri.bases.elf import MAGIC, Linkage, linkage
from kezuri.diagnostics import KezuriError

MTIME = 1735689600
"""The modification time of every entry, 2025-01-01T00:00:00Z in seconds."""

_CHUNK = 1 << 20
_LARGEST_CHECKED = 64 << 20


class Placed(NamedTuple):
    """What lies at a path; `link` is a symlink's target as written."""

    kind: Literal["file", "dir", "symlink"]
    mode: int
    link: str = ""


class Finished(NamedTuple):
    """The finished blob: digests in written form, the compressed size in bytes."""

    digest: str
    diff_id: str
    size: int


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class LayerWriter:
    """Writes one layer to a file. Paths are relative to the root. Missing parents are made as root's, mode 0755.

    `lower` is what the layers below hold. An entry never lies behind a symlink of the same image, and never replaces
    another: both are mistakes in a recipe, and KezuriErrors. Memory is bounded by the largest program that is
    examined, 64 MiB; larger ones are copied unexamined. The bytes depend on what is written and on the compressor
    that is installed; the diff id only on what is written.
    """

    def __init__(self, out: BinaryIO, lower: Mapping[str, Placed]) -> None:
        self.placed: dict[str, Placed] = {}
        self.programs: dict[str, Linkage] = {}
        self._lower = lower
        self._out = out
        self._gzip = _compressor()
        self._plain = hashlib.sha256()
        self._packed = hashlib.sha256()
        self._size = 0
        self._buffer = bytearray()

    def dir(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """A directory; one that is there already must have this mode."""
        there = self._at(path)
        if there is not None and there.kind == "dir":
            if there.mode != mode:
                raise KezuriError.of(f"{path}: mode {mode:o} here, {there.mode:o} before")
            return
        self._place(path, Placed("dir", mode))
        self._header(path + "/", b"5", mode, uid, gid)

    def file(self, path: str, data: bytes | str, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """A file with this content."""
        from io import BytesIO

        raw = data.encode() if isinstance(data, str) else data
        self._file(path, BytesIO(raw), len(raw), mode, uid, gid)

    def symlink(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._place(path, Placed("symlink", 0o777, target))
        self._header(path, b"2", 0o777, 0, 0, link=target)

    def hardlink(self, path: str, first: str) -> None:
        """A further name of a file of this layer."""
        there = self.placed.get(first)
        if there is None or there.kind != "file":
            raise KezuriError.of(f"{path}: a hard link to {first}, which this layer does not hold as a file")
        self._place(path, there)
        self._header(path, b"1", there.mode, 0, 0, link=first)

    def take(self, deb: Deb, place: Callable[[str], str | None]) -> None:
        """The files of a package, each at the path that `place` gives for its own, or left out where that is None."""
        for member in deb.members():
            path = place(member.path)
            if path is None:
                continue
            if member.kind == "dir":
                self.dir(path, member.mode, member.uid, member.gid)
            elif member.kind == "symlink":
                self.symlink(path, member.link)
            elif member.kind == "hardlink":
                self.hardlink(path, place(member.link) or member.link)
            elif member.content is not None:
                self._file(path, member.content, member.size, member.mode, member.uid, member.gid)

    def finish(self) -> Finished:
        """Ends the archive; nothing can be written after it."""
        self._write(bytes(1024))
        self._flush()
        self._emit(self._gzip.flush())
        self._out.flush()
        return Finished(f"sha256:{self._packed.hexdigest()}", f"sha256:{self._plain.hexdigest()}", self._size)

    def _at(self, path: str) -> Placed | None:
        return self.placed.get(path) or self._lower.get(path)

    def _place(self, path: str, what: Placed) -> None:
        if not path or path.startswith("/") or any(p in ("", ".", "..") for p in path.split("/")):
            raise KezuriError.of(f"{path!r} is not a path in a layer")
        if self._at(path) is not None:
            raise KezuriError.of(f"{path}: two packages of the image have it")
        parent = path.rpartition("/")[0]
        if parent:
            there = self._at(parent)
            if there is None:
                self.dir(parent)
            elif there.kind != "dir":
                raise KezuriError.of(f"{path}: {parent} is no directory but a {there.kind}")
        self.placed[path] = what

    def _file(self, path: str, content: Content, size: int, mode: int, uid: int, gid: int) -> None:
        self._place(path, Placed("file", mode))
        self._header(path, b"0", mode, uid, gid, size)
        left = size
        first = content.read(min(size, _CHUNK))
        if first[:4] == MAGIC and size <= _LARGEST_CHECKED:
            first += content.read(size - len(first))
            found = linkage(first)
            if found is not None:
                self.programs[path] = found
        chunk = first
        while chunk:
            self._write(chunk)
            left -= len(chunk)
            chunk = content.read(min(left, _CHUNK))
        if left:
            raise KezuriError.of(f"{path}: the package ends before the file does")
        self._write(bytes(-size % 512))

    def _header(self, path: str, kind: bytes, mode: int, uid: int, gid: int, size: int = 0, link: str = "") -> None:
        from tarfile import PAX_FORMAT, TarInfo

        info = TarInfo(path)
        info.type, info.mode, info.uid, info.gid = kind, mode, uid, gid
        info.size, info.mtime, info.linkname = size, MTIME, link
        self._write(info.tobuf(PAX_FORMAT, "utf-8", "surrogateescape"))

    def _write(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= _CHUNK:
            self._flush()

    def _flush(self) -> None:
        data = bytes(self._buffer)
        self._buffer.clear()
        self._plain.update(data)
        self._emit(self._gzip.compress(data))

    def _emit(self, data: bytes) -> None:
        self._packed.update(data)
        self._size += len(data)
        self._out.write(data)


def _compressor() -> _Compressor:
    """A gzip stream whose header holds neither name nor time (RFC 1952)."""
    try:
        from isal import isal_zlib

        made: _Compressor = isal_zlib.compressobj(2, isal_zlib.DEFLATED, 31)
        return made
    except ImportError:
        import zlib

        return zlib.compressobj(6, zlib.DEFLATED, 31)
