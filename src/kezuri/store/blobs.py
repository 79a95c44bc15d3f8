"""Content-addressed blobs in an OCI image layout: written aside, verified, synced, renamed."""

import errno
import os
from hashlib import sha256
from types import TracebackType
from typing import Self

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Descriptor, valid_digest


class BlobWriter:
    """A blob on its way into the store. Use it in a `with`; without `commit` nothing of it remains."""

    def __init__(self, blobs: "Blobs", expected: Descriptor | None = None, hashed: bool = False) -> None:
        self._blobs = blobs
        self._hashed = hashed
        self._expected = expected
        self._path = blobs.scratch("blob")
        self._descriptor = -1
        self._hash = sha256()
        self.offset = 0

    def __enter__(self) -> Self:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append bytes; KezuriError when the disk is full."""
        view = memoryview(data)
        if not self._hashed:
            self._hash.update(view)
        size = len(view)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise disk_error(error, self._path) from error
        self.offset += size
        return size

    def restart(self) -> None:
        """Forget everything that was written."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._hash = sha256()
        self.offset = 0

    def commit(self) -> str:
        """Publish the blob and return its digest; KezuriError when it is not the expected one."""
        return self._publish("sha256:" + self._hash.hexdigest())

    def commit_known(self, digest: str) -> str:
        """Publish the blob under a digest that the caller has computed while writing (`hashed` writers only)."""
        if not self._hashed:
            raise ValueError("this writer hashes by itself")
        return self._publish(digest)

    def _publish(self, digest: str) -> str:
        want = self._expected
        if want is not None and (digest != want.digest or self.offset != want.size):
            raise KezuriError.of(
                f"blob {want.digest}: got {self.offset} bytes with digest {digest}, expected {want.size} bytes",
                hint="the source is damaged or lies; nothing of it was kept",
                exit_code=125,
            )
        self._blobs.adopt(self._path, digest, self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        return digest


class Blobs:
    """The blobs of a store."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._directory = os.path.join(root, "blobs", "sha256")
        self._scratch = os.path.join(root, "tmp")

    def scratch(self, kind: str) -> str:
        """A path that nobody else uses, on the store's file system. Names carry the process, so that what a killed
        process left behind can be told from what a living one uses."""
        return os.path.join(self._scratch, f"{os.getpid()}-{kind}-{os.urandom(6).hex()}")

    def path(self, digest: str) -> str:
        """Where the blob is or would be; KezuriError for a text that is no digest."""
        if not valid_digest(digest):
            raise KezuriError.of(f"not a sha256 digest: {digest!r}", exit_code=125)
        return os.path.join(self._directory, digest[7:])

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        return os.path.exists(self.path(digest))

    def size(self, digest: str) -> int:
        """The blob's size in bytes; FileNotFoundError when it is not there."""
        return os.stat(self.path(digest)).st_size

    def read(self, digest: str, limit: int = 16 << 20) -> bytes:
        """A small blob's bytes, verified; KezuriError when it is missing, damaged or larger than `limit` bytes."""
        try:
            with open(self.path(digest), "rb", buffering=0) as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            raise KezuriError.of(
                f"blob {digest} is not in the store",
                hint="`kezuri doctor --store` shows what is missing",
                exit_code=125,
            ) from None
        if len(data) > limit or "sha256:" + sha256(data).hexdigest() != digest:
            raise KezuriError.of(
                f"blob {digest} is damaged", hint="`kezuri doctor --store --repair` removes it", exit_code=125
            )
        return data

    def writer(self, expected: Descriptor | None = None, *, hashed: bool = False) -> BlobWriter:
        """A new blob; with `expected`, one that must turn out to be just that. `hashed` is for callers that compute
        the digest themselves while they write."""
        return BlobWriter(self, expected, hashed)

    def put(self, data: bytes) -> str:
        """Store bytes and return their digest."""
        digest = "sha256:" + sha256(data).hexdigest()
        try:
            # As if it were new: collection leaves alone what running builds have written.
            os.utime(self.path(digest))
        except FileNotFoundError:
            with self.writer() as writer:
                writer.write(data)
                writer.commit()
        return digest

    def adopt(self, path: str, digest: str, descriptor: int = -1) -> None:
        """Publish a finished file of the store's file system, whose digest the caller has computed."""
        target = self.path(digest)
        try:
            if descriptor >= 0:
                os.fsync(descriptor)
            else:
                sync_file(path)
            os.rename(path, target)
        except OSError as error:
            raise disk_error(error, target) from error

    def digests(self) -> list[str]:
        """Every blob that is there."""
        return ["sha256:" + name for name in os.listdir(self._directory) if len(name) == 64]

    def delete(self, digest: str) -> int:
        """Remove a blob and return the bytes freed (0 when it was not there)."""
        path = self.path(digest)
        try:
            size = os.stat(path).st_size
            os.unlink(path)
        except FileNotFoundError:
            return 0
        return size


def sync_file(path: str) -> None:
    """Write a file's data and metadata to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_error(error: OSError, path: str) -> KezuriError:
    """What to tell somebody whose disk did not take what the store wanted to write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KezuriError.of(
            f"no space left on the device while writing {path}",
            hint="`kezuri prune` frees what the cache can spare; `--root DIR` puts the store on another disk",
            exit_code=125,
        )
    return KezuriError.of(f"cannot write {path}: {error.strerror or error}", exit_code=125)
