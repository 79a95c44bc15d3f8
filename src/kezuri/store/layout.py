"""An image layout in a directory that images are written into: the one writer of layouts besides the store itself."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from kezuri.diagnostics import KezuriError
from kezuri.linux.replacement import replacement
from kezuri.oci.descriptor import REF_NAME, Descriptor, Index, canonical
from kezuri.oci.layout import INDEX_FILE, MARKER, MARKER_FILE, blob_file, version_of
from kezuri.store.blobs import CheckedBlob


class LayoutDirectory:
    """A layout, made when its first blob is written; images that are there stay. OSError when the disk does not take
    something. Nothing is written through a link that lies in the way."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        os.makedirs(os.path.join(directory, "blobs", "sha256"), exist_ok=True)

    def path(self, digest: str) -> str:
        """Where the blob is or would be."""
        return os.path.join(self._directory, blob_file(digest))

    @contextmanager
    def blob(self, digest: str) -> Iterator[BinaryIO]:
        """A file that becomes the blob when the block ends without an error; whoever writes it knows its digest."""
        with replacement(self.path(digest)) as file:
            yield file

    def copy_in(self, descriptor: Descriptor, file: IO[bytes], check: Callable[[], None] = lambda: None) -> None:
        """Copy a blob of the store, whose bytes are compared with its digest on the way; `check` is called between
        pieces, and may raise. KezuriError when they are others: nothing of them remains then.

        No hard link: a change of the file's owner, mode or bytes would be one of the store's, too.
        """
        with self.blob(descriptor.digest) as copy, CheckedBlob(file, descriptor) as checked:
            for piece in checked.pieces():
                check()
                copy.write(piece)

    def move_in(self, path: str, digest: str) -> None:
        """Move a finished file to the blob's place, or copy it from another file system."""
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            try:
                os.rename(path, self.path(digest))
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                import shutil

                with self.blob(digest) as copy:
                    shutil.copyfileobj(file, copy)

    def name(self, new: Descriptor) -> None:
        """List what an entry stands for. Its name goes over to it, which then needs no entry without one. Without
        a name it is listed unless it is there, by whatever name."""
        name = new.annotations.get(REF_NAME)

        def change(known: tuple[Descriptor, ...]) -> tuple[Descriptor, ...]:
            if name is None and any(d.digest == new.digest for d in known):
                return known
            kept = [d for d in known if name is None or d.annotations.get(REF_NAME) != name]
            return (*(d for d in kept if d.digest != new.digest or REF_NAME in d.annotations), new)

        self.enter(change)

    def enter(self, change: Callable[[tuple[Descriptor, ...]], tuple[Descriptor, ...]]) -> None:
        """Change the entries of the index, which is published whole: a reader sees the old one or the new one, and two
        writers at once wait for each other. KezuriError when the directory is a layout of another version."""
        where = os.path.join(self._directory, INDEX_FILE)
        with open(os.path.join(self._directory, MARKER_FILE), "a+b", opener=_no_link) as marker:
            fcntl.flock(marker, fcntl.LOCK_EX)
            if os.fstat(marker.fileno()).st_size == 0:
                marker.write(MARKER)
            else:
                marker.seek(0)
                if version_of(marker.read()) != "1.0.0":
                    raise KezuriError.of(f"{self._directory}: not an OCI image layout of version 1.0.0")
            try:
                with open(where, "rb") as file:
                    index = Index.parse(file.read(), where)
            except FileNotFoundError:
                index = Index(())
            with replacement(where) as file:
                file.write(canonical(index._replace(manifests=change(index.manifests)).to_json()))


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
