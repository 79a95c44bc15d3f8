"""Registries as places to copy from and to."""

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import IO, TYPE_CHECKING

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.reference import Reference
from kezuri.registry.image import Document
from kezuri.registry.sink import BlobSink, DirectorySink
from kezuri.store.facts import Facts
from kezuri.transfer.doors import Progress, Source

if TYPE_CHECKING:
    from kezuri.registry.client import Registry

_KEPT = 16
"""How many blobs stay in the spool after they were opened: one whose upload breaks is read again."""


class RegistrySource:
    """An image of a registry. What is opened there lies in the directory that `spool` makes, and the caller removes,
    until it was read: a broken download goes on, and a broken upload can begin anew, without the other being
    repeated."""

    def __init__(self, registry: "Registry", reference: Reference, spool: Callable[[], str]) -> None:
        self.where = str(reference)
        self.reference = reference
        self._registry = registry
        self._spool = spool
        self._sink: DirectorySink | None = None
        self._opened: dict[str, None] = {}
        self._lock = threading.Lock()

    def root(self) -> Document:
        """The manifest or index that the reference names."""
        return self._registry.document(self.reference)

    def document(self, descriptor: Descriptor) -> Document:
        """A manifest or index of the same repository."""
        found = self._registry.document(self.reference._replace(tag="", digest=descriptor.digest))
        if len(found.raw) != descriptor.size:
            raise KezuriError.of(
                f"{self.where}: {descriptor.digest} has {len(found.raw)} bytes, not {descriptor.size} as it is listed",
                exit_code=125,
            )
        return found._replace(descriptor=descriptor._replace(media_type=found.descriptor.media_type))

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A blob's bytes, fetched now unless they were before, and verified."""
        sink = self._spooling()
        while True:
            self._registry.fetch(self.reference, descriptor, sink)
            try:
                return self._taken(sink, descriptor)
            except FileNotFoundError:
                pass  # It was there, and made room for others before it was opened.

    def _taken(self, sink: DirectorySink, descriptor: Descriptor) -> IO[bytes]:
        with self._lock:
            file = open(sink.path(descriptor.digest), "rb", buffering=0)  # noqa: SIM115  # the caller's `with` holds it
            self._opened.pop(descriptor.digest, None)
            self._opened[descriptor.digest] = None
            if len(self._opened) > _KEPT:
                # Whoever still reads it has it open; should it be wanted once more, it is fetched once more.
                oldest = next(iter(self._opened))
                del self._opened[oldest]
                with suppress(FileNotFoundError):
                    os.unlink(sink.path(oldest))
        return file

    def prepare(self, descriptors: tuple[Descriptor, ...], progress: Progress) -> None:
        """Fetch the blobs, several at a time."""
        if descriptors:
            self._registry.fetch_all(self.reference, descriptors, self._spooling(), progress)

    def bring(self, descriptors: Iterable[Descriptor], sink: BlobSink, progress: Progress) -> None:
        """Fetch blobs into the sink, several at a time."""
        wanted = tuple(descriptors)
        if wanted:
            self._registry.fetch_all(self.reference, wanted, sink, progress)

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """What the registry lists, or its fallback tag."""
        return self._registry.referrers(self.reference, digest)

    def _spooling(self) -> DirectorySink:
        with self._lock:
            if self._sink is None:
                self._sink = DirectorySink(self._spool())
            return self._sink


class RegistryDestination:
    """A name in a registry."""

    single = False

    def __init__(self, registry: "Registry", reference: Reference, facts: Facts) -> None:
        self._registry = registry
        self._reference = reference
        self._facts = facts

    def take(self, source: Source, blobs: tuple[Descriptor, ...], progress: Progress) -> int:
        """Upload the blobs that the registry does not have; what another repository of it is known to have is mounted
        from there."""
        origin = source.reference.repository if isinstance(source, RegistrySource) else ""
        digests = [blob.digest for blob in blobs]
        if origin:
            self._facts.put_sources(digests, origin)
        how = self._registry.upload_all(
            self._reference, blobs, source, progress, lambda digest: self._facts.sources_beside(self._reference, digest)
        )
        self._facts.put_sources(digests, self._reference.repository)
        return sum(1 for one in how.values() if one != "sent")

    def put(self, document: Document) -> None:
        """Put a document under its digest."""
        reference = self._reference._replace(tag="", digest=document.descriptor.digest)
        self._registry.put(reference, document.raw, document.descriptor.media_type)

    def finish(self, document: Document) -> None:
        """Put the root under the name."""
        wanted = self._reference.digest
        if wanted and wanted != document.descriptor.digest:
            raise KezuriError.of(
                f"{self._reference} can only be the image that has this digest, and this one has "
                f"{document.descriptor.digest}",
                hint="leave the digest out, or write a tag",
                exit_code=2,
            )
        self._registry.put(self._reference, document.raw, document.descriptor.media_type)
