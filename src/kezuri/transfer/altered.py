"""An image changed without a build as something to copy from: new documents over the blobs of where it was."""

import io
from collections.abc import Iterable, Mapping
from typing import IO

from kezuri.diagnostics import KezuriError
from kezuri.images.altered import Original, Part, Remade, part_of
from kezuri.images.kept import attests
from kezuri.oci.descriptor import Descriptor, Index, digest_of
from kezuri.oci.platform import Platform
from kezuri.registry.image import Document, read_document
from kezuri.registry.sink import BlobSink
from kezuri.store.store import Store
from kezuri.transfer.doors import Progress, Source
from kezuri.transfer.pouring import pour
from kezuri.transfer.stored import StoreSource
from kezuri.transfer.walking import image_for, read_small

_MOST_PARTS = 1000
_MOST_BYTES = 64 << 20


def original_of(source: Source, name: str, platform: str = "") -> Original:
    """The image of a source, which the user calls `name`: all platforms of an index, or the one that is asked for. Its
    layers are not read. KezuriError when it is not there, or not for the platform."""
    root = source.root()
    if not isinstance(root.content, Index) or platform:
        asked = Platform.parse(platform) if platform else None
        found = root if asked is None else image_for(source, root, asked)
        part = _part(source, name, found)
        has = part.image.config.platform
        if asked is not None and has.architecture and has not in asked.accepted():
            raise KezuriError.of(f"{name} is not there for {asked}: it is for {has}", exit_code=125)
        return Original(name, (part,), digest=root.descriptor.digest)
    entries = [entry for entry in root.content.manifests if not attests(entry)]
    if not entries:
        raise KezuriError.of(f"{name} is an index without any image", exit_code=125)
    parts: list[Part] = []
    read = 0
    for entry in entries:
        parts.append(_part(source, name, source.document(entry)))
        documents = parts[-1].documents
        read += len(documents.manifest) + len(documents.config)
        if len(parts) > _MOST_PARTS or read > _MOST_BYTES:
            raise KezuriError.of(
                f"{name} is an index of more than {_MOST_PARTS} images, or of more than {_MOST_BYTES >> 20} MiB of "
                "their manifests and configs",
                hint="choose one image with --platform OS/ARCH",
                exit_code=125,
            )
    attested = len(parts) < len(root.content.manifests)
    return Original(name, tuple(parts), root.content, root.raw, attested, digest=root.descriptor.digest)


def _part(source: Source, name: str, document: Document) -> Part:
    def read(config: Descriptor) -> bytes:
        return read_small(source.open, config, source.where)

    return part_of(name, document.descriptor, document.raw, read)


class AlteredSource:
    """A changed image: a Source. Its blobs come from the store where that has them, else from where `origins` says, by
    their digests, else from the source of the image that was changed."""

    def __init__(self, source: Source, made: Remade, store: Store, origins: Mapping[str, Source]) -> None:
        self.where = source.where
        self._source = source
        self._store = store
        self._here = StoreSource(store, "")
        self._origins = origins
        self._configs = {digest_of(part.config): part.config for part in made.parts}
        self._manifests = {digest_of(part.manifest): part.manifest for part in made.parts}
        self._root = read_document(made.raw, made.root.media_type, self.where).listed(made.root)

    def root(self) -> Document:
        """The changed manifest or index."""
        return self._root

    def document(self, descriptor: Descriptor) -> Document:
        """A manifest of the changed image."""
        raw = self._manifests.get(descriptor.digest)
        if raw is None:
            return self._source.document(descriptor)
        return read_document(raw, descriptor.media_type, self.where).listed(descriptor)

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A blob's bytes."""
        config = self._configs.get(descriptor.digest)
        if config is not None:
            return io.BytesIO(config)
        return self._from(descriptor).open(descriptor)

    def prepare(self, descriptors: tuple[Descriptor, ...], progress: Progress) -> None:
        """Have blobs at hand, by asking where each comes from."""
        for source, blobs in self._sorted(descriptors):
            source.prepare(tuple(blobs), progress)

    def bring(self, descriptors: Iterable[Descriptor], sink: BlobSink, progress: Progress) -> None:
        """Copy blobs into the sink, each from where it is."""
        wanted = tuple(descriptors)
        made = [one for one in wanted if one.digest in self._configs]
        pour(self.open, made, sink, progress, self.where)
        for source, blobs in self._sorted(wanted):
            source.bring(blobs, sink, progress)

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """Nothing: what refers to the image that was changed is not about this one."""
        return ()

    def _from(self, descriptor: Descriptor) -> Source:
        blobs = self._store.blobs
        if blobs.has(descriptor.digest) and blobs.size(descriptor.digest) == descriptor.size:
            return self._here
        return self._origins.get(descriptor.digest, self._source)

    def _sorted(self, descriptors: Iterable[Descriptor]) -> list[tuple[Source, list[Descriptor]]]:
        found: dict[int, tuple[Source, list[Descriptor]]] = {}
        for descriptor in descriptors:
            if descriptor.digest not in self._configs:
                source = self._from(descriptor)
                found.setdefault(id(source), (source, []))[1].append(descriptor)
        return list(found.values())
