"""A layer being written: entries go into a reproducible blob, and a record is kept of what is where."""

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import BinaryIO, Literal, NamedTuple, Protocol, Self

from kezuri.bases.elf import MAGIC, Linkage, linkage
from kezuri.diagnostics import KezuriError
from kezuri.layer.blob_writer import BlobWriter, Written
from kezuri.layer.compression import BLOCK, Compression, compression
from kezuri.layer.entry import Entry
from kezuri.layer.tar_writer import END, PADDING, header

MTIME = 1735689600
"""The modification time of every entry, 2025-01-01T00:00:00Z in seconds."""

_LARGEST_CHECKED = 128 << 20
_NANOSECONDS = 1_000_000_000


class Placed(NamedTuple):
    """What lies at a path; `link` is a symlink's target as written."""

    kind: Literal["file", "dir", "symlink"]
    mode: int
    link: str = ""


class Files(Protocol):
    """A package, of whatever kind, whose files can be read."""

    def members(self) -> Iterator[tuple[Entry, BinaryIO | None]]:
        """Files, directories and links in the order of the package; the reader of a file's bytes is good until the
        next entry is asked for. KezuriError naming the package when it is damaged."""
        ...


class LayerWriter:
    """Writes one layer to a file; to be used in a `with`. Paths are relative to the root. Missing parents are made as
    root's, mode 0755.

    `lower` is what the layers below hold. An entry never lies behind a symlink of the same image, and never replaces
    another unless it is said to: both are mistakes in a recipe, and KezuriErrors. Memory is bounded by the largest
    program that is examined, 128 MiB; larger ones are copied unexamined. The bytes depend on what is written and on the
    compressor that is installed; the diff id only on what is written.
    """

    def __init__(self, out: BinaryIO, lower: Mapping[str, Placed], chosen: Compression | None = None) -> None:
        self.placed: dict[str, Placed] = {}
        self.programs: dict[str, Linkage] = {}
        self._lower = lower
        self._out = out
        self._blob = BlobWriter(out, chosen or compression())
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._blob.__exit__(kind, error, trace)

    def dir(self, path: str, mode: int = 0o755, uid: int = 0, gid: int = 0) -> None:
        """A directory; one that is there already must have this mode."""
        there = self.at(path)
        if there is not None and there.kind == "dir":
            if there.mode != mode:
                raise KezuriError.of(f"{path}: mode {mode:o} here, {there.mode:o} before")
            return
        self._place(path, Placed("dir", mode))
        self._header(Entry(path, "dir", mode, uid, gid))

    def file(
        self, path: str, data: bytes | str, mode: int = 0o644, uid: int = 0, gid: int = 0, *, replaces: bool = False
    ) -> None:
        """A file with this content; `replaces` says that it takes the place of a file of a layer below."""
        from io import BytesIO

        raw = data.encode() if isinstance(data, str) else data
        self._file(Entry(path, "file", mode, uid, gid, len(raw)), BytesIO(raw), replaces)

    def symlink(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._place(path, Placed("symlink", 0o777, target))
        self._header(Entry(path, "symlink", 0o777, link=target))

    def hardlink(self, path: str, first: str) -> None:
        """A further name of a file of this layer."""
        there = self.placed.get(first)
        if there is None or there.kind != "file":
            raise KezuriError.of(f"{path}: a hard link to {first}, which this layer does not hold as a file")
        self._place(path, there)
        self._header(Entry(path, "hardlink", there.mode, link=first))

    def take(self, package: Files, place: Callable[[str], str | None]) -> None:
        """The files of a package, each at the path that `place` gives for its own, or left out where that is None."""
        for entry, content in package.members():
            path = place(entry.path)
            if path is None:
                continue
            if entry.kind == "dir":
                self.dir(path, entry.mode, entry.uid, entry.gid)
            elif entry.kind == "symlink":
                self.symlink(path, entry.link)
            elif entry.kind == "hardlink":
                self.hardlink(path, place(entry.link) or entry.link)
            elif content is not None:
                self._file(entry._replace(path=path), content, False)

    def finish(self) -> Written:
        """Ends the archive; nothing can be written after it."""
        self._write(END)
        written = self._blob.finish(bytes(self._buffer))
        self._out.flush()
        return written

    def at(self, path: str) -> Placed | None:
        """What lies at the path, in this layer or in those below; None for nothing."""
        return self.placed.get(path) or self._lower.get(path)

    def _place(self, path: str, what: Placed, replaces: bool = False) -> None:
        if not path or path.startswith("/") or any(p in ("", ".", "..") for p in path.split("/")):
            raise KezuriError.of(f"{path!r} is not a path in a layer")
        there = self.at(path)
        if there is not None and not (replaces and there.kind == what.kind and path not in self.placed):
            raise KezuriError.of(f"{path}: two packages of the image have it")
        parent = path.rpartition("/")[0]
        if parent:
            above = self.at(parent)
            if above is None:
                self.dir(parent)
            elif above.kind != "dir":
                raise KezuriError.of(f"{path}: {parent} is no directory but a {above.kind}")
        self.placed[path] = what

    def _file(self, entry: Entry, content: BinaryIO, replaces: bool) -> None:
        path, size = entry.path, entry.size
        self._place(path, Placed("file", entry.mode), replaces)
        self._header(entry)
        chunk = content.read(min(size, BLOCK))
        if chunk[:4] == MAGIC and len(chunk) < size <= _LARGEST_CHECKED:
            chunk += content.read(size - len(chunk))
        if chunk[:4] == MAGIC and len(chunk) == size:
            found = linkage(chunk)
            if found is not None:
                self.programs[path] = found
        left = size
        while chunk:
            for start in range(0, len(chunk), BLOCK):
                self._write(chunk[start : start + BLOCK])
            left -= len(chunk)
            chunk = content.read(min(left, BLOCK)) if left else b""
        if left:
            raise KezuriError.of(f"{path}: the package ends before the file does")
        self._write(PADDING[-size % 512])

    def _header(self, entry: Entry) -> None:
        # What a package says of times and extended attributes does not count: the same files give the same layer.
        self._write(header(entry._replace(mtime=MTIME * _NANOSECONDS, xattrs=())))

    def _write(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= BLOCK:
            whole = bytes(self._buffer)
            end = len(whole) - len(whole) % BLOCK
            for start in range(0, end, BLOCK):
                self._blob.put(whole[start : start + BLOCK])
            self._buffer = bytearray(whole[end:])
