"""Where caches lie, opened to be read: a layout on this machine, or a repository of a registry."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Protocol, Self

from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import (
    CONFIG,
    DOCKER_CONFIG,
    MANIFEST,
    MOST_BYTES,
    REF_NAME,
    Descriptor,
    Index,
    Manifest,
    valid_digest,
)
from kezuri.oci.fields import Fields
from kezuri.oci.reference import Reference
from kezuri.registry.client import Registry
from kezuri.registry.image import Document, flatten, read_document
from kezuri.registry.sink import BlobSink, MemorySink
from kezuri.store.layout_reader import LayoutReader, read_layout, wrong
from kezuri.travel.document import CONFIG_TYPE, INLINE, CacheDocument

_MOST_MANIFESTS = 32
_MOST_IN_ALL = 32 << 20
"""How many bytes the records of all manifests of an index may have together."""

Progress = Callable[[int, int], None]
"""Receives the bytes that have come and the bytes in all."""


class Carrier(Protocol):
    """A cache that is there. Threads share it. Every error is a KezuriError that names the cache."""

    @property
    def repository(self) -> str:
        """The repository that it lies in, with its registry; empty when it lies in none."""
        ...

    def documents(self) -> tuple[CacheDocument, ...]:
        """What the cache says; no layer is fetched for it."""
        ...

    def fetch(self, descriptor: Descriptor, sink: BlobSink, progress: Progress | None = None) -> None:
        """Bring a blob into a sink that does not have it, verified."""
        ...


class Library:
    """Reads caches out of manifests, wherever these come from. `where` names the place in errors."""

    def __init__(
        self, where: str, load: Callable[[Descriptor], Document], small: Callable[[Descriptor], bytes]
    ) -> None:
        """`load` gives a document that an index names, `small` a small blob; both verified."""
        self._where = where
        self._load = load
        self._small = small
        self._read = 0

    def documents(self, root: Document) -> tuple[CacheDocument, ...]:
        """The caches of a manifest, or of all manifests of an index; KezuriError when there is none."""
        self._read = 0
        found = [document for manifest in self._manifests(root) if (document := self._document(manifest)) is not None]
        if not found:
            raise wrong(self._where, "holds no cache of kezuri", "export one with `kezuri build --cache-to`")
        return tuple(found)

    def _manifests(self, root: Document) -> Iterator[Manifest]:
        if isinstance(root.content, Manifest):
            yield root.content
            return
        for entry in flatten(root.content, self._load, self._where)[:_MOST_MANIFESTS]:
            content = self._load(entry).content
            if isinstance(content, Manifest):
                yield content

    def _document(self, manifest: Manifest) -> CacheDocument | None:
        if manifest.config.media_type == CONFIG_TYPE:
            named = {layer.digest: layer for layer in manifest.layers}
            return CacheDocument.parse(self._config(manifest), self._where, lambda digest, _: named.get(digest))
        if manifest.config.media_type not in (CONFIG, DOCKER_CONFIG):
            return None
        raw = self._config(manifest)
        fields = Fields.parse(raw, self._where)
        if fields.raw(INLINE) is None:
            return None
        diff_ids = ImageConfig.parse(raw, self._where).diff_ids
        # A copy of an image may have its layers compressed anew: they are known by their place.
        placed: Mapping[str, Descriptor] = dict(zip(diff_ids, manifest.layers))
        return CacheDocument.of(fields.object(INLINE), lambda _, diff_id: placed.get(diff_id))

    def _config(self, manifest: Manifest) -> bytes:
        self._read += manifest.config.size
        if manifest.config.size > MOST_BYTES or self._read > _MOST_IN_ALL:
            raise wrong(self._where, f"its records are larger than {MOST_BYTES >> 20} MiB")
        return self._small(manifest.config)


class LayoutCarrier:
    """A cache in a layout directory. Use it in a `with`."""

    def __init__(self, directory: str, tag: str = "", digest: str = "") -> None:
        self._directory = directory
        self._tag = tag or "latest"
        self._digest = digest
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._reader: LayoutReader = self._held.enter_context(read_layout(self._directory))
        self._library = Library(
            self._directory, self._document, lambda small: self._reader.read(small, self._directory)
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    @property
    def repository(self) -> str:
        """See Carrier."""
        return ""

    def documents(self) -> tuple[CacheDocument, ...]:
        """See Carrier."""
        return self._library.documents(self._document(self._entry(self._tag)))

    def fetch(self, descriptor: Descriptor, sink: BlobSink, progress: Progress | None = None) -> None:
        """See Carrier."""
        with self._reader.open(descriptor, self._directory) as file, sink.writer(descriptor) as writer:
            writer.restart()
            rest = descriptor.size
            while rest and (piece := self._reader.piece(file, min(1 << 20, rest))):
                writer.write(piece)
                rest -= len(piece)
                if progress is not None:
                    progress(descriptor.size - rest, descriptor.size)
            try:
                writer.commit()
            except BaseException:
                writer.restart()
                raise

    def _entry(self, tag: str) -> Descriptor:
        entries = self._reader.index.manifests
        if self._digest:
            for entry in entries:
                if entry.digest == self._digest:
                    return entry
            size = self._reader.size(self._digest) if valid_digest(self._digest) else None
            if size is None:
                raise wrong(self._directory, f"holds nothing with the digest {self._digest}")
            return Descriptor(MANIFEST, self._digest, size)
        for entry in entries:
            if entry.annotations.get(REF_NAME) == tag:
                return entry
        if len(entries) == 1 and tag == "latest" and REF_NAME not in entries[0].annotations:
            return entries[0]
        raise wrong(self._directory, f"holds no cache with the tag {tag!r}")

    def _document(self, descriptor: Descriptor) -> Document:
        raw = self._reader.read(descriptor, self._directory)
        return read_document(raw, descriptor.media_type, f"{self._directory}: {descriptor.digest}")


class RegistryCarrier:
    """A cache, or an image with an inline cache, in a repository of a registry."""

    def __init__(self, registry: Callable[[], Registry], reference: Reference) -> None:
        """`registry` gives the client, which may have been closed meanwhile and opened again."""
        self._registry = registry
        self.reference = reference
        self._library = Library(str(reference), self._document, self._small)

    @property
    def repository(self) -> str:
        """See Carrier."""
        return self.reference.repository

    def documents(self) -> tuple[CacheDocument, ...]:
        """See Carrier."""
        return self._library.documents(self._registry().document(self.reference))

    def fetch(self, descriptor: Descriptor, sink: BlobSink, progress: Progress | None = None) -> None:
        """See Carrier."""
        self._registry().fetch(self.reference, descriptor, sink, progress)

    def _document(self, descriptor: Descriptor) -> Document:
        found = self._registry().document(self.reference._replace(tag="", digest=descriptor.digest))
        if isinstance(found.content, Index) and descriptor.media_type == MANIFEST:
            raise KezuriError.of(f"{self.reference}: {descriptor.digest} is an index", exit_code=125)
        return found

    def _small(self, descriptor: Descriptor) -> bytes:
        sink = MemorySink()
        self._registry().fetch(self.reference, descriptor, sink)
        return sink.blobs[descriptor.digest]
