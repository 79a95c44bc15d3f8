"""Directories as skopeo's `dir:` has them, as places to copy from and to: each blob under its digits, manifest.json."""

import os
import stat
from collections.abc import Iterable
from typing import IO

from kezuri.diagnostics import KezuriError
from kezuri.linux.disk import disk_error
from kezuri.linux.replacement import replacement
from kezuri.oci.descriptor import MOST_BYTES, Descriptor, digest_of, encoded
from kezuri.registry.image import Document, read_document
from kezuri.registry.sink import BlobSink
from kezuri.transfer.doors import Progress, Source
from kezuri.transfer.file_sink import FileSink
from kezuri.transfer.layouts import absent
from kezuri.transfer.pouring import damaged, pour

_VERSION = b"Directory Transport Version: 1.1\n"
_ROOT = "manifest.json"


class DirectorySource:
    """The one image of such a directory."""

    def __init__(self, path: str) -> None:
        self.where = path
        self._path = path

    def root(self) -> Document:
        """The manifest or index that manifest.json is."""
        try:
            raw = self._read(_ROOT)
        except FileNotFoundError:
            hint = f"it is an OCI layout: write oci:{self._path}" if self._has("oci-layout") else ""
            raise KezuriError.of(
                f"{self._path}: not a directory that skopeo copied an image to: it has no {_ROOT}",
                hint=hint,
                exit_code=125,
            ) from None
        return read_document(raw, "", self._path)

    def document(self, descriptor: Descriptor) -> Document:
        """A manifest or index that the root leads to."""
        try:
            raw = self._read(f"{encoded(descriptor.digest, self._path)}.manifest.json")
        except FileNotFoundError:
            root = self.root()
            if root.descriptor.digest == descriptor.digest:
                return root
            raise absent(descriptor, self.where) from None
        if digest_of(raw) != descriptor.digest:
            raise damaged(descriptor, self.where)
        document = read_document(raw, descriptor.media_type, self._path)
        return document._replace(descriptor=descriptor._replace(media_type=document.descriptor.media_type))

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A blob's bytes, not verified."""
        name = encoded(descriptor.digest, self._path)
        try:
            # A blob that was replaced by a pipe must not hang us.
            fd = os.open(os.path.join(self._path, name), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise KezuriError.of(f"{self._path}: cannot read {name}: {error.strerror}", exit_code=125) from None
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size != descriptor.size:
            os.close(fd)
            raise damaged(descriptor, self.where)
        return os.fdopen(fd, "rb", buffering=0)

    def prepare(self, descriptors: tuple[Descriptor, ...], progress: Progress) -> None:
        """Nothing: they are at hand."""

    def bring(self, descriptors: Iterable[Descriptor], sink: BlobSink, progress: Progress) -> None:
        """Copy blobs into the sink."""
        pour(self.open, descriptors, sink, progress, self.where)

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """None: such a directory has one image."""
        return ()

    def _has(self, name: str) -> bool:
        return os.path.exists(os.path.join(self._path, name))

    def _read(self, name: str) -> bytes:
        try:
            with open(os.path.join(self._path, name), "rb", opener=_no_wait) as file:
                raw = file.read(MOST_BYTES + 1)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise KezuriError.of(f"{self._path}: cannot read {name}: {error.strerror}", exit_code=125) from None
        if len(raw) > MOST_BYTES:
            raise KezuriError.of(f"{self._path}: {name} is larger than {MOST_BYTES >> 20} MiB", exit_code=125)
        return raw


class DirectoryDestination:
    """Such a directory, made if need be. What another image had there stays, unless it has the same name: manifest.json
    is written last and says which image it is. KezuriError for a directory that holds something else."""

    single = False

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            os.makedirs(path, exist_ok=True)
            names = os.listdir(path)
            if names and "version" not in names:
                raise KezuriError.of(
                    f"{path}: holds something, and no image that was copied to a directory",
                    hint="name a new or empty directory",
                    exit_code=125,
                )
            self._write("version", _VERSION)
        except OSError as error:
            raise disk_error(error, path) from error

    def take(self, source: Source, blobs: tuple[Descriptor, ...], progress: Progress) -> int:
        """Take the blobs that are not there."""
        sink = FileSink(self._at, {blob.digest: blob.size for blob in blobs})
        missing = [blob for blob in blobs if not sink.has(blob.digest)]
        source.bring(missing, sink, progress)
        return len(blobs) - len(missing)

    def put(self, document: Document) -> None:
        """Write a document that the root leads to."""
        self._write(f"{document.descriptor.digest[7:]}.manifest.json", document.raw)

    def finish(self, document: Document) -> None:
        """Write the root."""
        self._write(_ROOT, document.raw)

    def _at(self, digest: str) -> str:
        return os.path.join(self._path, encoded(digest, self._path))

    def _write(self, name: str, data: bytes) -> None:
        try:
            with replacement(os.path.join(self._path, name)) as file:
                file.write(data)
        except OSError as error:
            raise disk_error(error, self._path) from error


def _no_wait(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)
