"""Tarballs of the npm registry: each is named by its version and its digest, which stand in kezuri's own text."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.layer.decompression import decompress
from kezuri.layer.entry import Entry
from kezuri.layer.tar_reader import read_tar

REGISTRY = "https://registry.npmjs.org"
VARIABLE = "KEZURI_NPM_REGISTRY"
"""The environment variable that names another registry, or a mirror of this one."""


class Pin(NamedTuple):
    """A package of the npm registry. Its tarball is accepted with this SHA-256 and size (bytes) only, wherever it comes
    from."""

    name: str
    version: str
    sha256: str
    size: int

    @property
    def path(self) -> str:
        """Where the tarball lies in a registry, below its address."""
        return f"{self.name}/-/{self.name}-{self.version}.tgz"


class Tarball:
    """A tarball on disk. Nothing of it is held open between calls."""

    def __init__(self, pin: Pin, path: str) -> None:
        self.pin = pin
        self._path = path

    def members(self) -> Iterator[tuple[Entry, BinaryIO | None]]:
        """The files, in the order of the archive and without the directory that all of them lie in; each with a reader
        of its bytes, which is good until the next one is asked for.

        They are root's, and executable where the archive has them so for their owner: an archive carries the modes and
        the ids of the machine on which it was packed. KezuriError when it holds anything else than files and
        directories."""
        where = f"{self.pin.name} {self.pin.version} of the npm registry"
        with open(self._path, "rb") as file:
            for entry, content in read_tar(decompress(file, where), where):
                path = entry.path.partition("/")[2]
                if content is not None and path:
                    mode = 0o755 if entry.mode & 0o100 else 0o644
                    yield entry._replace(path=path, mode=mode, uid=0, gid=0), content
                elif entry.kind != "dir":
                    raise KezuriError.of(f"{where}: {entry.path} is no file of a package")
