"""Content-addressed blobs in an OCI image layout: written aside, verified, synced, renamed."""

import errno
import fcntl
import os
from hashlib import sha256
from types import TracebackType
from typing import IO, Self

from kezuri.diagnostics import KezuriError
from kezuri.linux.disk import disk_error
from kezuri.oci.descriptor import Descriptor, encoded, valid_digest

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SPARED = 2 << 20
"""Bytes that a blob leaves to others of a disk that it has filled."""
PARTIAL = "partial"
"""The directory of a store with the first bytes of blobs whose fetching was interrupted, under the whole's digests."""


class BlobWriter:
    """A blob on its way into the store. Use it in a `with`; nobody sees it before `commit`.

    Without `commit` nothing of it remains, unless it is known what it has to become: then what came of it lies in
    PARTIAL under its digest, locked as long as somebody writes it, and the next writer goes on there.
    """

    def __init__(self, blobs: "Blobs", expected: Descriptor | None = None, hashed: bool = False) -> None:
        self._blobs = blobs
        self._hashed = hashed
        self._expected = expected
        self._path = blobs.scratch("blob")
        self._descriptor = -1
        self._hash = sha256()
        self._lasting = False
        self.offset = 0

    def __enter__(self) -> Self:
        if self._expected is not None and self._go_on(self._blobs.partial(self._expected.digest)):
            return self
        try:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise disk_error(error, self._path) from error
        return self

    def _go_on(self, path: str) -> bool:
        """Take up the partial blob; False when somebody else is writing it."""
        os.makedirs(os.path.dirname(path), exist_ok=True)  # stores of earlier versions have none
        held = lock_partial(path, os.O_CREAT)
        if held < 0:
            return False
        self._path, self._descriptor, self._lasting = path, held, True
        try:
            while piece := os.read(held, 1 << 20):
                self._hash.update(piece)
                self.offset += len(piece)
        except BaseException:
            os.close(held)
            raise
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor < 0:
            return
        try:
            # While it is locked: afterwards the name may be that of another's.
            if not (self._lasting and self.offset):
                os.unlink(self._path)
        except OSError:
            pass  # It was published, or the next collection finds it.
        finally:
            os.close(self._descriptor)
            self._descriptor = -1

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append bytes; KezuriError when the disk is full."""
        from kezuri.linux.descriptors import write_all

        if not self._hashed:
            self._hash.update(data)
        try:
            write_all(self._descriptor, data)
        except OSError as error:
            self._spare(error)
            raise disk_error(error, self._path) from error
        self.offset += len(data)
        return len(data)

    def _spare(self, error: OSError) -> None:
        """Keep of a lasting blob what a full disk had room for, but for a little: who frees the disk has to write."""
        if error.errno not in _FULL:
            self._lasting = False
            return
        try:
            kept = max(0, self.offset - _SPARED)
            os.ftruncate(self._descriptor, kept)
            self.offset = kept
        except OSError:
            self._lasting = False

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
            self._lasting = False
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
    """The blobs of a store. `fixed`: it cannot be written."""

    def __init__(self, root: str, fixed: bool = False) -> None:
        self._root = root
        self._fixed = fixed
        self._directory = os.path.join(root, "blobs", "sha256")
        self._scratch = os.path.join(root, "tmp")

    def scratch(self, kind: str) -> str:
        """A path that nobody else uses, on the store's file system. Names carry the process, so that what a killed
        process left behind can be told from what a living one uses."""
        return os.path.join(self._scratch, f"{os.getpid()}-{kind}-{os.urandom(6).hex()}")

    def partial(self, digest: str) -> str:
        """Where the first bytes of a blob are whose fetching was interrupted."""
        return os.path.join(self._root, PARTIAL, os.path.basename(self.path(digest)))

    def path(self, digest: str) -> str:
        """Where the blob is or would be; KezuriError for a text that is no digest."""
        return os.path.join(self._directory, encoded(digest))

    def has(self, digest: str) -> bool:
        """Whether the blob is there; one of an algorithm that the store does not hold never is."""
        return valid_digest(digest) and os.path.exists(self.path(digest))

    def size(self, digest: str) -> int:
        """The blob's size in bytes; FileNotFoundError when it is not there."""
        return os.stat(self.path(digest)).st_size

    def read(self, digest: str, limit: int = 16 << 20) -> bytes:
        """A small blob's bytes, verified; KezuriError when it is missing, damaged or larger than `limit` bytes."""
        try:
            with open(self.path(digest), "rb", buffering=0) as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            raise missing(digest) from None
        if len(data) > limit or "sha256:" + sha256(data).hexdigest() != digest:
            raise damaged(digest)
        return data

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A blob from its start, its bytes not verified; KezuriError when it is missing or has another size than its
        descriptor says."""
        return _opened(self.path(descriptor.digest), descriptor.digest, descriptor.size)

    def is_sound(self, digest: str) -> bool:
        """Whether the blob's bytes are those that its digest names; FileNotFoundError when it is not there."""
        found = sha256()
        with open(self.path(digest), "rb", buffering=0) as file:
            while chunk := file.read(1 << 20):
                found.update(chunk)
        return found.hexdigest() == digest[7:]

    def writer(self, expected: Descriptor | None = None, *, hashed: bool = False) -> BlobWriter:
        """A new blob; with `expected`, one that must turn out to be just that. `hashed` is for callers that compute
        the digest themselves while they write."""
        return BlobWriter(self, expected, hashed)

    def touch(self, digest: str) -> None:
        """Note that a blob is in use, as if it were new: collection leaves alone what running commands have written.
        FileNotFoundError when it is not there."""
        path = self.path(digest)
        try:
            if self._fixed:
                os.stat(path)  # Nobody removes anything there.
            else:
                os.utime(path)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise disk_error(error, path) from error

    def put(self, data: bytes) -> str:
        """Store bytes and return their digest."""
        digest = "sha256:" + sha256(data).hexdigest()
        path = self.path(digest)
        try:
            with open(path, "rb", buffering=0) as file:
                there = file.read(len(data) + 1) == data
            if there:
                self.touch(digest)
        except FileNotFoundError:
            there = False
        except OSError as error:
            raise disk_error(error, path) from error
        if not there:
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


class CheckedBlob:
    """A blob's bytes on their way out of the store. Use it in a `with`: at its end, a KezuriError tells if what was
    read were not all the bytes that the digest names. `path` is where the store has it, `size` is what a manifest
    says."""

    def __init__(self, path: str, digest: str, size: int) -> None:
        self._path = path
        self._digest = digest
        self._size = size
        self._hash = sha256()

    def __enter__(self) -> Self:
        self._file = _opened(self._path, self._digest, self._size)
        return self

    def read(self, size: int) -> bytes:
        """The next bytes, at most so many."""
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if error is None and self._hash.hexdigest() != self._digest[7:]:
            raise damaged(self._digest)


def _opened(path: str, digest: str, size: int) -> IO[bytes]:
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115  # the caller's `with` holds it
    except FileNotFoundError:
        raise missing(digest) from None
    if os.fstat(file.fileno()).st_size != size:
        file.close()
        raise damaged(digest)
    return file


def missing(digest: str) -> KezuriError:
    """What to tell somebody when a blob that is known of is gone."""
    return KezuriError.of(
        f"blob {digest} is not in the store", hint="`kezuri store check` shows what is missing", exit_code=125
    )


def damaged(digest: str) -> KezuriError:
    """What to tell somebody when a blob's bytes are not those that its digest names."""
    return KezuriError.of(
        f"blob {digest} of the store is damaged",
        hint="`kezuri store check --repair` removes it; then it is fetched or built again",
        exit_code=125,
    )


def lock_partial(path: str, flags: int = 0) -> int:
    """A descriptor of a partial blob that nobody else writes while it is open; -1 when somebody does, or when there is
    none and `flags` do not say to make it."""
    while True:
        try:
            held = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o644)
        except FileNotFoundError:
            return -1
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who had it before may have published or removed it.
            if os.path.samestat(os.stat(path), os.fstat(held)):
                return held
        except BlockingIOError:
            os.close(held)
            return -1
        except FileNotFoundError:
            pass
        os.close(held)


def sync_file(path: str) -> None:
    """Write a file's data and metadata to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
