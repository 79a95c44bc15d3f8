"""A tar archive that holds images, plain or compressed: its members are indexed once and read where they stand."""

import io
import os
import posixpath
import stat
from types import TracebackType
from typing import IO, Any, BinaryIO, NamedTuple, Self, cast

from kezuri.diagnostics import KezuriError

_MOST_HEADER = 1 << 20
"""Bytes that an extended header may have; Go's reader has the same limit."""
_MOST_MEMBERS = 200_000
_MOST_LINKS = 8
_MOST_NAME = 4096
"""Characters that a member's name, or a link's target, may have: as many as a path of Linux."""
_CHUNK = 1 << 20
_MARGIN = 256 << 20
"""Bytes of a disk that unpacking an archive leaves free."""
DOCUMENTS = ("manifest.json", "index.json", "oci-layout", "repositories")
"""The members that say what an archive holds. Readers differ in which of two they take, so there may be one only."""


class _Member(NamedTuple):
    offset: int
    size: int


class ArchiveFile:
    """The members of an archive by name. Use it in a `with`; threads may share it.

    Names are cleaned: `./a` is `a`. Links are followed inside of the archive. A compressed archive, or one that comes
    through a pipe, is written to a file without a name first (in TMPDIR, else /var/tmp), because its members are asked
    for in any order; what that may take is limited by what the disk has. Nothing is ever unpacked under a member's
    name. Errors are KezuriError with exit code 125 that name `where`.
    """

    def __init__(self, descriptor: int, where: str) -> None:
        self.where = where
        self._descriptor = descriptor
        self._members: dict[str, _Member | str] = {}
        try:
            self._index()
        except BaseException:
            os.close(descriptor)
            raise

    @classmethod
    def open(cls, path: str) -> "ArchiveFile":
        """The archive at a path; of a pipe its writer is waited for. OSError when it cannot be opened."""
        # A device must not hang us before it is known to be one.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and not _is_compressed(descriptor):
                plain, descriptor = descriptor, -1
                return cls(plain, path)
            if stat.S_ISDIR(status.st_mode):
                raise _wrong(path, "is a directory, not an archive")
            if stat.S_ISFIFO(status.st_mode):
                waiting, descriptor = descriptor, os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                os.close(waiting)
            os.set_blocking(descriptor, True)
            with open(descriptor, "rb", buffering=0, closefd=False) as file:
                return cls.read(file, path)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    @classmethod
    def read(cls, stream: BinaryIO | IO[bytes], where: str) -> "ArchiveFile":
        """The archive that comes out of a stream, which is read to its end; one that is a plain file already is read
        where it lies."""
        descriptor = _descriptor_of(stream)
        plain = descriptor >= 0 and stat.S_ISREG(os.fstat(descriptor).st_mode) and not _is_compressed(descriptor)
        if plain and os.lseek(descriptor, 0, os.SEEK_CUR) == 0:
            return cls(os.dup(descriptor), where)
        return cls(_spooled(cast(BinaryIO, stream), where), where)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def size(self, name: str) -> int | None:
        """The bytes of a regular member; None when there is none of that name."""
        found = self._find(name)
        return found.size if found is not None else None

    def open_member(self, name: str) -> IO[bytes]:
        """A member's bytes; KezuriError when there is none of that name."""
        found = self._find(name)
        if found is None:
            raise _wrong(self.where, f"there is no {name[:200]!r} in it", "the archive is incomplete: make it anew")
        return cast(IO[bytes], Window(self._descriptor, found.offset, found.size, self.where))

    def document(self, name: str, most: int) -> bytes | None:
        """A small member's bytes; None when there is none of that name, KezuriError when it has more than `most`."""
        size = self.size(name)
        if size is None:
            return None
        if size > most:
            raise _wrong(self.where, f"{name} is larger than {most >> 20} MiB")
        with self.open_member(name) as file:
            return file.read(size)

    def _find(self, name: str) -> _Member | None:
        """What a name stands for when links are followed; None for nothing, and for links that lead out or in
        circles."""
        for _ in range(_MOST_LINKS):
            found = self._members.get(_clean(name))
            if not isinstance(found, str):
                return found
            name = found
        return None

    def _index(self) -> None:
        import tarfile

        length = os.fstat(self._descriptor).st_size
        guarded = _Headers(self._descriptor, length)
        try:
            with tarfile.open(fileobj=cast(Any, guarded), mode="r:") as archive:
                while (member := archive.next()) is not None:
                    archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all
                    self._add(member, length)
        except (tarfile.TarError, ValueError, OverflowError, RecursionError, MemoryError, IndexError):
            raise NoArchive.of(f"{self.where}: not a tar archive, or a damaged one", exit_code=125) from None
        except OSError as error:
            raise _wrong(self.where, f"cannot be read: {error.strerror or error}") from None

    def _add(self, member: Any, length: int) -> None:
        name = _clean(member.name)
        if max(len(name), len(member.linkname)) > _MOST_NAME:
            return  # Nothing refers to it, and a small archive could have enough of them to fill the memory.
        if not name or not (member.isreg() or member.issym() or member.islnk()) or member.issparse():
            return
        if len(self._members) >= _MOST_MEMBERS:
            raise _wrong(self.where, f"holds more than {_MOST_MEMBERS} files: not an archive of images")
        if name in DOCUMENTS and name in self._members:
            raise _wrong(
                self.where, f"holds {name} twice", "other programs would read another image from it: make it anew"
            )
        if member.isreg():
            if member.size < 0 or member.offset_data + member.size > length:
                raise _wrong(
                    self.where,
                    f"is cut off: {name[:200]!r} should have {member.size} bytes, and the archive ends before",
                    "copy or make the archive anew",
                )
            self._members[name] = _Member(member.offset_data, member.size)
        elif member.issym():
            target = str(member.linkname)
            self._members[name] = target if target.startswith("/") else posixpath.join(posixpath.dirname(name), target)
        else:
            self._members[name] = str(member.linkname)


class NoArchive(KezuriError):
    """What was given is no tar archive."""


class Window(io.RawIOBase):
    """A stretch of a file, read through a descriptor that others read through as well."""

    def __init__(self, descriptor: int, offset: int, size: int, where: str) -> None:
        self._descriptor = descriptor
        self._at = offset
        self._end = offset + size
        self._where = where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        try:
            taken = os.preadv(self._descriptor, [view[: self._end - self._at]], self._at) if self._at < self._end else 0
        except OSError as error:
            raise _wrong(self._where, f"cannot be read: {error.strerror}") from None
        self._at += taken
        return taken


class _Headers:
    """The file as the indexer sees it: only what headers need can be read at once, and holes in it are passed over."""

    def __init__(self, descriptor: int, length: int) -> None:
        self._descriptor = descriptor
        self._length = length
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_HEADER:
            raise ValueError(size)
        data = os.pread(self._descriptor, size, self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset if whence == 0 else offset + (self._at if whence == 1 else self._length)
        return self._at

    def tell(self) -> int:
        return self._at


def _descriptor_of(stream: BinaryIO | IO[bytes]) -> int:
    """The stream's descriptor; -1 for one that has none."""
    try:
        return stream.fileno()
    except (OSError, AttributeError):
        return -1


def _is_compressed(descriptor: int) -> bool:
    from kezuri.layer.decompression import detect

    return detect(os.pread(descriptor, 512, 0)) != "plain"


def _spooled(stream: BinaryIO, where: str) -> int:
    """A descriptor of a file without a name that holds the stream's plain bytes."""
    from kezuri.layer.decompression import decompress
    from kezuri.linux.descriptors import write_all

    directory = spool_directory()
    descriptor = nameless_file(directory)
    try:
        free = os.statvfs(directory)
        limit = max(_MARGIN, free.f_bavail * free.f_frsize - _MARGIN)
        plain = decompress(stream, where, limit)
        while piece := plain.read(_CHUNK):
            try:
                write_all(descriptor, piece)
            except OSError as error:
                raise KezuriError.of(
                    f"{where}: no room for it in {directory}: {error.strerror}",
                    hint="TMPDIR names another directory for what is read from compressed archives and pipes",
                    exit_code=125,
                ) from error
        return descriptor
    except BaseException:
        os.close(descriptor)
        raise


def spool_directory() -> str:
    """Where large files lie that are needed for a moment: TMPDIR, else /var/tmp, which is no memory, else /tmp."""
    wanted = os.environ.get("TMPDIR", "")
    return next((d for d in (wanted, "/var/tmp", "/tmp") if d and os.path.isdir(d) and os.access(d, os.W_OK)), ".")


def nameless_file(directory: str) -> int:
    """A descriptor of a new file that nobody can find, so that nothing of it remains when this process ends."""
    try:
        return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        pass  # This file system has no such files.
    path = os.path.join(directory, f".kezuri-{os.getpid()}-{os.urandom(6).hex()}")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.unlink(path)
    except OSError as error:
        raise KezuriError.of(
            f"cannot make a file in {directory}: {error.strerror}", hint="TMPDIR names another directory", exit_code=125
        ) from error
    return descriptor


def _clean(name: str) -> str:
    """A member's name without dots; empty for one that leads out of the archive, which nothing can refer to."""
    cleaned = posixpath.normpath("/" + name).lstrip("/") if name else ""
    return "" if posixpath.normpath(name or ".").startswith("..") else cleaned


def _wrong(where: str, message: str, hint: str = "") -> KezuriError:
    return KezuriError.of(f"{where}: {message}", hint=hint, exit_code=125)
