"""Image layouts on this machine, as directories or tar archives, read: the one reader of layouts, beside the one writer
(`layout.py`; image spec: image-layout.md)."""

import os
import stat
from collections.abc import Callable
from hashlib import sha256
from types import TracebackType
from typing import IO, Protocol, Self

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import MOST_BYTES, Descriptor, Index, digest_of
from kezuri.oci.layout import INDEX_FILE, MARKER_FILE, blob_file, version_of
from kezuri.store.archive_file import ArchiveFile, NoArchive

_CHUNK = 1 << 20


class _Files(Protocol):
    """The files of a layout by their path in it."""

    def size(self, name: str) -> int | None: ...
    def open(self, name: str) -> IO[bytes]: ...
    def close(self) -> None: ...


class _Directory:
    def __init__(self, path: str) -> None:
        self._path = path

    def size(self, name: str) -> int | None:
        try:
            found = os.stat(os.path.join(self._path, name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def open(self, name: str) -> IO[bytes]:
        # A blob that was replaced by a pipe must not hang us.
        fd = os.open(os.path.join(self._path, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        return os.fdopen(fd, "rb", buffering=0)

    def close(self) -> None:
        pass


class _Archive:
    def __init__(self, archive: ArchiveFile) -> None:
        self._archive = archive

    def size(self, name: str) -> int | None:
        return self._archive.size(name)

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open_member(name)

    def close(self) -> None:
        self._archive.close()


class _Writer(Protocol):
    """A blob on its way to somewhere (`registry/sink.py`)."""

    def write(self, data: bytes, /) -> object: ...
    def restart(self) -> object: ...
    def commit(self) -> object: ...


class LayoutReader:
    """A layout that is there, and its index. Use it in a `with`; threads may share it. Errors are KezuriError with exit
    code 125 that name the layout's path, or the `where` that is given."""

    def __init__(self, path: str, files: _Files, index: Index) -> None:
        self.path = path
        self.index = index
        self._files = files

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def size(self, digest: str) -> int | None:
        """The bytes of a blob; None when it is not there."""
        return self._files.size(blob_file(digest))

    def open(self, descriptor: Descriptor, where: str) -> IO[bytes]:
        """A blob, which has the size that its descriptor says; its bytes are for the caller to verify."""
        name = blob_file(descriptor.digest, where)
        size = self._files.size(name)
        if size is None:
            raise wrong(
                where, f"the blob {descriptor.digest} is missing", f"the layout is incomplete: there is no {name} in it"
            )
        if size != descriptor.size:
            raise damaged(descriptor, f"{size} bytes instead of {descriptor.size}", where)
        try:
            return self._files.open(name)
        except OSError as error:
            raise wrong(where, f"cannot read {name}: {error.strerror}") from None

    def piece(self, file: IO[bytes], most: int) -> bytes:
        """The next bytes of an opened blob, at most so many; none at its end."""
        try:
            return file.read(most)
        except OSError as error:
            raise wrong(self.path, f"cannot be read: {error.strerror}") from None

    def copy(self, descriptor: Descriptor, writer: _Writer, progress: Callable[[int, int], None] | None = None) -> None:
        """Copy a blob, which is checked on the way. What broke off is forgotten: half a copy of a local file is not
        worth keeping."""
        hashed, rest = sha256(), descriptor.size
        with self.open(descriptor, self.path) as file:
            writer.restart()
            try:
                while rest and (piece := self.piece(file, min(_CHUNK, rest))):
                    hashed.update(piece)
                    writer.write(piece)
                    rest -= len(piece)
                    if progress is not None:
                        progress(descriptor.size - rest, descriptor.size)
                if rest or hashed.hexdigest() != descriptor.digest[7:]:
                    raise damaged(descriptor, f"its digest is sha256:{hashed.hexdigest()}", self.path)
                writer.commit()
            except BaseException:
                writer.restart()
                raise

    def read(self, descriptor: Descriptor, where: str) -> bytes:
        """A document, verified."""
        if descriptor.size > MOST_BYTES:
            raise wrong(where, f"{descriptor.digest}: larger than {MOST_BYTES >> 20} MiB")
        with self.open(descriptor, where) as file:
            raw = b""
            while len(raw) < descriptor.size and (piece := self.piece(file, descriptor.size - len(raw))):
                raw += piece
        if digest_of(raw) != descriptor.digest:
            raise damaged(descriptor, f"its digest is {digest_of(raw)}", where)
        return raw


def damaged(descriptor: Descriptor, how: str, where: str) -> KezuriError:
    """The error for a blob that is another one than its name says."""
    return wrong(where, f"the blob {descriptor.digest} is damaged: {how}", "make the layout anew")


def wrong(where: str, message: str, hint: str = "") -> KezuriError:
    """An error of a layout."""
    return KezuriError.of(f"{where}: {message}", hint=hint, exit_code=125)


def read_layout(path: str) -> LayoutReader:
    """The layout at a path, a directory or a tar of one, which may be compressed. KezuriError when it is none, saying
    why."""
    if os.path.isdir(path):
        return _read(path, _Directory(path))
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise wrong(path, "not an OCI image layout: neither a directory nor a file")
        archive = ArchiveFile.open(path)
    except FileNotFoundError:
        raise KezuriError.of(f"{path}: there is no such OCI image layout") from None
    except OSError as error:
        raise wrong(path, f"cannot be read: {error.strerror}") from None
    except NoArchive:
        raise wrong(path, "not an OCI image layout: neither a directory nor a tar archive") from None
    try:
        return read_archive(archive)
    except BaseException:
        archive.close()
        raise


def read_archive(archive: ArchiveFile) -> LayoutReader:
    """The layout that an archive holds; leaving the reader closes the archive. KezuriError when it holds none."""
    return _read(archive.where, _Archive(archive))


def _read(path: str, files: _Files) -> LayoutReader:
    def read(name: str) -> bytes | None:
        size = files.size(name)
        if size is None:
            return None
        if size > MOST_BYTES:
            raise wrong(path, f"not an OCI image layout: {name} is larger than {MOST_BYTES >> 20} MiB")
        try:
            with files.open(name) as file:
                return file.read(size)
        except OSError as error:
            raise wrong(path, f"cannot read {name}: {error.strerror}") from None

    marker, index = read(MARKER_FILE), read(INDEX_FILE)
    if marker is None or index is None:
        old = files.size("manifest.json") is not None
        raise wrong(
            path,
            f"not an OCI image layout: it has no {MARKER_FILE if marker is None else INDEX_FILE}",
            "it is a `docker save` archive of the older form: convert it with "
            "`kezuri copy docker-archive:FILE oci:DIR`" if old else "",
        )  # fmt: skip
    version = version_of(marker)
    if version.partition(".")[0] != "1":
        raise wrong(path, f"not an OCI image layout of version 1: {version or None!r}")
    return LayoutReader(path, files, Index.parse(index, f"{path}: {INDEX_FILE}"))
