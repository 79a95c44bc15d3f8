"""Where blobs go: the door, and two simple places behind it."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from types import TracebackType
from typing import Protocol, Self

from kezuri.diagnostics import KezuriError
from kezuri.linux.descriptors import write_all
from kezuri.oci import Descriptor

Progress = Callable[[int, int], None]


class BlobWriter(Protocol):
    """A blob on its way in.

    Laws: nobody sees it before `commit`; `commit` checks size and digest against the descriptor and raises KezuriError
    when they differ; an error that has a `__cause__` is the disk's and not the content's; leaving the context without
    `commit` publishes nothing.
    """

    @property
    def offset(self) -> int:
        """How many bytes are there already, counted from the blob's start; more than 0 on entry when a part was kept
        from before."""
        ...

    def write(self, data: bytes, /) -> object:
        """Append bytes."""
        ...

    def restart(self) -> object:
        """Forget everything that was written."""
        ...

    def commit(self) -> object:
        """Publish the blob."""
        ...


class BlobSink(Protocol):
    """Takes blobs. Threads may share one."""

    def has(self, digest: str, /) -> bool:
        """Whether the blob is there, whole."""
        ...

    def writer(self, descriptor: Descriptor, /) -> AbstractContextManager[BlobWriter]:
        """A new blob, to be used in a `with`."""
        ...


class MemorySink:
    """Keeps blobs in memory: for configs, and for tests."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        return digest in self.blobs

    def writer(self, descriptor: Descriptor) -> "MemoryWriter":
        """A new blob."""
        return MemoryWriter(self.blobs, descriptor)


class MemoryWriter:
    """A blob on its way into memory."""

    def __init__(self, blobs: dict[str, bytes], descriptor: Descriptor) -> None:
        self._blobs = blobs
        self._descriptor = descriptor
        self._data = bytearray()

    @property
    def offset(self) -> int:
        """Bytes so far."""
        return len(self._data)

    def write(self, data: bytes) -> None:
        """Append bytes."""
        self._data += data

    def restart(self) -> None:
        """Forget everything."""
        self._data.clear()

    def commit(self) -> None:
        """Keep the blob; KezuriError when it is another one."""
        data = bytes(self._data)
        _check(self._descriptor, len(data), sha256(data).hexdigest())
        self._blobs[self._descriptor.digest] = data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._data.clear()


class DirectorySink:
    """Keeps blobs as `blobs/sha256/<hex>` below a directory, and unfinished ones as `<hex>.part` beside them, from
    which the next attempt goes on."""

    def __init__(self, root: str) -> None:
        self._root = os.path.join(root, "blobs", "sha256")
        os.makedirs(self._root, exist_ok=True)

    def path(self, digest: str) -> str:
        """Where the blob is or would be."""
        return os.path.join(self._root, digest.removeprefix("sha256:"))

    def has(self, digest: str) -> bool:
        """Whether the blob is there."""
        return os.path.exists(self.path(digest))

    def writer(self, descriptor: Descriptor) -> "DirectoryWriter":
        """A new blob, or the rest of one that was begun."""
        return DirectoryWriter(self.path(descriptor.digest), descriptor)


class DirectoryWriter:
    """A blob on its way into a directory."""

    def __init__(self, path: str, descriptor: Descriptor) -> None:
        self._path = path
        self._part = path + ".part"
        self._descriptor = descriptor
        self._fd = -1
        self._hash = sha256()
        self.offset = 0

    def __enter__(self) -> Self:
        self._fd = os.open(self._part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        while piece := os.read(self._fd, 1 << 20):
            self._hash.update(piece)
            self.offset += len(piece)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        if self.offset == 0 and os.path.exists(self._part):
            os.unlink(self._part)

    def write(self, data: bytes) -> None:
        """Append bytes; KezuriError when the disk does not take them."""
        try:
            write_all(self._fd, data)
        except OSError as error:
            raise KezuriError.of(f"cannot write {self._part}: {error.strerror}", exit_code=125) from error
        self._hash.update(data)
        self.offset += len(data)

    def restart(self) -> None:
        """Forget everything."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._hash = sha256()
        self.offset = 0

    def commit(self) -> None:
        """Publish the blob; KezuriError when it is another one."""
        _check(self._descriptor, self.offset, self._hash.hexdigest())
        os.fsync(self._fd)
        os.rename(self._part, self._path)


def _check(descriptor: Descriptor, size: int, hexdigest: str) -> None:
    if size != descriptor.size or f"sha256:{hexdigest}" != descriptor.digest:
        raise KezuriError.of(
            f"blob {descriptor.digest}: got {size} bytes with digest sha256:{hexdigest}, "
            f"expected {descriptor.size} bytes",
            exit_code=125,
        )
