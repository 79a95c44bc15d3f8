"""Blobs as files of a directory, each published whole."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from types import TracebackType
from typing import Self

from kezuri.linux.descriptors import write_all
from kezuri.linux.disk import disk_error
from kezuri.oci.descriptor import Descriptor
from kezuri.transfer.pouring import damaged


class FileSink:
    """Takes blobs. `path_of` says where the one with a digest goes. What lies there and has another size than `sizes`
    say is no blob that is there."""

    def __init__(self, path_of: Callable[[str], str], sizes: Mapping[str, int]) -> None:
        self._path_of = path_of
        self._sizes = sizes

    def has(self, digest: str) -> bool:
        """Whether the blob is there, whole as far as its size tells."""
        try:
            return os.stat(self._path_of(digest)).st_size == self._sizes[digest]
        except OSError:
            return False

    def writer(self, descriptor: Descriptor) -> "FileWriter":
        """A new blob."""
        return FileWriter(self._path_of(descriptor.digest), descriptor)


class FileWriter:
    """A blob on its way: a file without a name where the file system has such, so that nothing remains of
    it when this process is killed."""

    def __init__(self, path: str, descriptor: Descriptor) -> None:
        self._path = path
        self._expected = descriptor
        self._aside = ""
        self._file = -1
        self._hash = sha256()
        self.offset = 0

    def __enter__(self) -> Self:
        directory = os.path.dirname(self._path)
        try:
            self._file = os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o644)
        except OSError:
            self._named()
        return self

    def _named(self) -> None:
        aside = f"{self._path}.{os.urandom(6).hex()}.part"
        try:
            self._file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise disk_error(error, aside) from error
        self._aside = aside

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)
        if self._aside:
            with suppress(OSError):
                os.unlink(self._aside)

    def write(self, data: bytes) -> None:
        """Append bytes; KezuriError when the disk does not take them."""
        self._hash.update(data)
        try:
            write_all(self._file, data)
        except OSError as error:
            raise disk_error(error, self._path) from error
        self.offset += len(data)

    def restart(self) -> None:
        """Forget everything that was written."""
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self._hash = sha256()
        self.offset = 0

    def commit(self) -> None:
        """Publish the blob; KezuriError when it is another one."""
        want = self._expected
        if self.offset != want.size or "sha256:" + self._hash.hexdigest() != want.digest:
            raise damaged(want, self._path)
        try:
            self._publish()
        except OSError as error:
            raise disk_error(error, self._path) from error

    def _publish(self) -> None:
        os.fsync(self._file)
        if not self._aside:
            # A file without a name gets one only where there is none: beside the blob first.
            self._aside = f"{self._path}.{os.urandom(6).hex()}.part"
            # A directory's descriptor, though it does not count here, has Python call linkat, which follows links.
            os.link(f"/proc/self/fd/{self._file}", self._aside, src_dir_fd=self._file, follow_symlinks=True)
        os.rename(self._aside, self._path)
        self._aside = ""
