"""An artifact made of files of this machine, or of bytes at hand, as something to copy from."""

import io
import os
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import IO

from kezuri.diagnostics import KezuriError
from kezuri.edits.artifact import EMPTY, NOTHING
from kezuri.oci.descriptor import Descriptor, Manifest, canonical, digest_of
from kezuri.registry.image import Document
from kezuri.registry.sink import BlobSink
from kezuri.transfer.doors import Progress
from kezuri.transfer.pouring import pour

_CHUNK = 1 << 20


class ArtifactFiles:
    """The artifact with this manifest: a Source. `paths` says where its blobs are, by their digests; those of
    `contents` are here."""

    where = "the artifact"

    def __init__(
        self, manifest: Manifest, paths: Mapping[str, str], contents: Mapping[str, bytes] | None = None
    ) -> None:
        self._contents = {NOTHING.digest: EMPTY, **(contents or {})}
        raw = canonical(manifest.to_json())
        self._root = Document(Descriptor(manifest.media_type, digest_of(raw), len(raw)), raw, manifest)
        self._paths = paths

    def root(self) -> Document:
        """The manifest."""
        kind = self._root.content.kind if isinstance(self._root.content, Manifest) else ""
        return self._root._replace(descriptor=self._root.descriptor._replace(artifact_type=kind))

    def document(self, descriptor: Descriptor) -> Document:
        """The manifest: there is no other."""
        if descriptor.digest != self._root.descriptor.digest:
            raise KezuriError.of(f"{self.where} has no manifest {descriptor.digest}", exit_code=125)
        return self._root

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A file's bytes, not verified: it may be written just now."""
        if descriptor.digest in self._contents:
            return io.BytesIO(self._contents[descriptor.digest])
        path = self._paths[descriptor.digest]
        try:
            file = open(path, "rb", buffering=0)  # noqa: SIM115  # the caller's `with` holds it
        except OSError as error:
            raise _unreadable(path, error) from None
        if os.fstat(file.fileno()).st_size != descriptor.size:
            file.close()
            raise KezuriError.of(f"{path} changed while it was read", hint="attach it when nothing writes to it")
        return file

    def prepare(self, descriptors: tuple[Descriptor, ...], progress: Progress) -> None:
        """Nothing: they are at hand."""

    def bring(self, descriptors: Iterable[Descriptor], sink: BlobSink, progress: Progress) -> None:
        """Copy blobs into the sink."""
        pour(self.open, descriptors, sink, progress, self.where)

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """Nothing: it is new."""
        return ()


def described(path: str, media_type: str, annotations: Mapping[str, str]) -> Descriptor:
    """What points at the content of a file. KezuriError for what is no file, or cannot be read."""
    hashed, size = sha256(), 0
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb", buffering=0) as file:
            if not os.path.isfile(path):
                raise KezuriError.of(f"{path} is no file", hint="pack a directory first: tar czf FILE.tgz DIRECTORY")
            while piece := file.read(_CHUNK):
                hashed.update(piece)
                size += len(piece)
    except OSError as error:
        raise _unreadable(path, error) from None
    return Descriptor(media_type, f"sha256:{hashed.hexdigest()}", size, annotations)


def _unreadable(path: str, error: OSError) -> KezuriError:
    return KezuriError.of(f"cannot read {path}: {error.strerror or error}")
