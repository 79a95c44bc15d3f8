"""An image layout in a tar that images are written into: the one writer of such archives, as `layout.py` is of
directories."""

import json
from collections.abc import Callable, Sequence
from typing import IO, Any, BinaryIO, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Descriptor, Index, canonical
from kezuri.oci.layout import INDEX_FILE, MARKER, MARKER_FILE, blob_file
from kezuri.store.blobs import CheckedBlob, damaged

_BLOCK = 512
_RECORD = 20 * _BLOCK
"""The bytes that an archive's length is a multiple of, as tar writes it."""


class Saved(NamedTuple):
    """One image as `manifest.json` lists it: the names of its config and its layers in the archive, lowest layer first,
    and its own names."""

    config: str
    layers: tuple[str, ...]
    tags: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """As `docker save` writes it."""
        return {"Config": self.config, "RepoTags": list(self.tags) or None, "Layers": list(self.layers)}


class LayoutArchive:
    """A tar that is a layout, written straight through, each blob once. `epoch` is the time of its entries in seconds;
    nothing else in it depends on when and where it was written. Whoever holds the sink must not publish what an error
    broke off."""

    def __init__(self, sink: BinaryIO, epoch: int = 0) -> None:
        self._sink = sink
        self._epoch = epoch
        self._size = 0
        self._written: set[str] = set()
        for name in ("blobs", "blobs/sha256"):
            self._head(name, 0, directory=True)

    def has(self, digest: str) -> bool:
        """Whether the blob was written."""
        return digest in self._written

    def blob(
        self,
        descriptor: Descriptor,
        file: IO[bytes],
        wrong: Callable[[str], KezuriError] = damaged,
        told: Callable[[int], None] = lambda current: None,
        where: str = "",
    ) -> None:
        """Write a blob, unless it was. The error that `wrong` gives when the file has other bytes than the digest
        names. `told` hears how many were written; `where` is what errors call the place that the blob comes from."""
        if descriptor.digest in self._written:
            return
        self._head(blob_file(descriptor.digest, where), descriptor.size)
        current = 0
        with CheckedBlob(file, descriptor, wrong) as checked:
            for piece in checked.pieces():
                self._write(piece)
                current += len(piece)
                told(current)
        self._fill(_BLOCK)
        self._written.add(descriptor.digest)

    def document(self, digest: str, data: bytes) -> None:
        """Write a manifest, an index or a config, unless it was."""
        if digest not in self._written:
            self._small(blob_file(digest), data)
            self._written.add(digest)

    def close(self, index: Index, saved: Sequence[Saved] | None = None) -> None:
        """Write what lists the images, which makes the archive complete; with `saved` also what `docker load` reads."""
        self._small(INDEX_FILE, canonical(index.to_json()))
        if saved is not None:
            listed = [one.to_json() for one in saved]
            self._small("manifest.json", json.dumps(listed, separators=(",", ":")).encode())
        self._small(MARKER_FILE, MARKER)
        self._write(bytes(2 * _BLOCK))
        self._fill(_RECORD)

    def _small(self, name: str, data: bytes) -> None:
        self._head(name, len(data))
        self._write(data)
        self._fill(_BLOCK)

    def _head(self, name: str, size: int, *, directory: bool = False) -> None:
        import tarfile

        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o755 if directory else 0o644, self._epoch
        if directory:
            info.type = tarfile.DIRTYPE
        self._write(info.tobuf(tarfile.PAX_FORMAT, "utf-8"))

    def _write(self, data: bytes) -> None:
        self._sink.write(data)
        self._size += len(data)

    def _fill(self, unit: int) -> None:
        self._write(bytes(-self._size % unit))
