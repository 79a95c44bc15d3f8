"""The first bytes of blobs whose fetching was interrupted: they lie in a layout until the next copy to it."""

import os
import stat
from collections.abc import Collection
from contextlib import suppress
from types import TracebackType
from typing import Self

from kezuri.diagnostics import KezuriError
from kezuri.linux.held_file import hold
from kezuri.oci.descriptor import Descriptor
from kezuri.transfer.file_sink import FileWriter

DIRECTORY = ".kezuri-partial"
"""Where they are, beside the index of the layout. It is there only as long as something is in it."""


class Beginnings:
    """The directory with what was begun. Use it in a `with`.

    It serves only where it is this user's own directory on the file system of the blobs: otherwise, or where the file
    system has no locks, every blob is written as if nothing had been begun.
    """

    def __init__(self, layout: str, blobs: str, *, make: bool) -> None:
        """`blobs` is the directory that the blobs go to. `make`: there are blobs that may be interrupted."""
        self._path = os.path.join(layout, DIRECTORY)
        self._blobs = blobs
        self._make = make
        self._fd = -1

    def __enter__(self) -> Self:
        if self._make:
            with suppress(OSError):
                os.mkdir(self._path, 0o700)
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            found = os.fstat(self._fd)
            if found.st_uid != os.geteuid() or found.st_mode & 0o022 or found.st_dev != os.stat(self._blobs).st_dev:
                self._close()
        except OSError:
            self._close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0:
            with suppress(OSError):
                os.rmdir(self._path)
        self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def take(self, name: str, flags: int = os.O_CREAT) -> int:
        """A descriptor of what was begun under the name, or of a new file, which nobody else writes while it is open;
        -1 when somebody does, or when there can be none."""
        if self._fd < 0:
            return -1
        try:
            held = hold(name, os.O_NONBLOCK | flags, directory=self._fd)
        except OSError:
            return -1
        if held >= 0:
            found = os.fstat(held)
            # A file with a second name would be changed under that name, too.
            if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == os.geteuid():
                return held
            os.close(held)
        return -1

    def drop(self, name: str) -> None:
        """Remove what was begun; for whoever has taken it."""
        with suppress(OSError):
            os.unlink(name, dir_fd=self._fd)

    def publish(self, name: str, path: str) -> None:
        """Move what has become a whole blob to its place; for whoever has taken it. OSError when it cannot be."""
        os.rename(name, path, src_dir_fd=self._fd)

    def sweep(self, kept: Collection[str]) -> None:
        """Remove what others have begun that write no more, but for these names."""
        if self._fd < 0:
            return
        for name in os.listdir(self._fd):
            if name not in kept:
                held = self.take(name, 0)
                if held >= 0:
                    self.drop(name)
                    os.close(held)


class LastingWriter(FileWriter):
    """A blob on its way whose first bytes stay when it is interrupted, and from which the next writer goes on. Where
    another one writes the same blob at this moment, it is as a FileWriter."""

    def __init__(self, path: str, descriptor: Descriptor, beginnings: Beginnings) -> None:
        super().__init__(path, descriptor)
        self._beginnings = beginnings
        self._name = os.path.basename(path)
        self._taken = False
        self._useless = False

    def __enter__(self) -> Self:
        held = self._beginnings.take(self._name)
        if held < 0:
            return super().__enter__()
        self._file, self._taken = held, True
        try:
            while piece := os.read(held, 1 << 20):
                self._hash.update(piece)
                self.offset += len(piece)
        except BaseException:
            os.close(held)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # While it is locked: afterwards the name may be that of another's.
        if self._taken and (self._useless or not self.offset):
            self._beginnings.drop(self._name)
        super().__exit__(kind, error, trace)

    def write(self, data: bytes) -> None:
        """Append bytes; KezuriError when the disk does not take them: then nothing stays that would keep it full."""
        try:
            super().write(data)
        except KezuriError:
            self._useless = True
            raise

    def _publish(self) -> None:
        if not self._taken:
            super()._publish()
            return
        os.fsync(self._file)
        self._beginnings.publish(self._name, self._path)
        self._taken = False
