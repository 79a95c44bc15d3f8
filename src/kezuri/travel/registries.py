"""A cache pushed into a repository of a registry, under a tag."""

import io
from collections.abc import Callable, Iterable
from typing import IO

from kezuri.oci.descriptor import MANIFEST, Descriptor, digest_of
from kezuri.oci.reference import Reference
from kezuri.registry.client import Registry
from kezuri.travel.document import CONFIG_TYPE
from kezuri.travel.layouts import BlobSource, manifest_of

Progress = Callable[[Descriptor, int, int], None]
"""Receives a blob that is being sent, the bytes that were sent and the bytes in all."""


class CacheRepository:
    """A repository of a registry with caches in it. Blobs that the repository has, or another one of the registry, are
    not sent. The tag is set last: who reads it finds the old cache whole, or the new one."""

    def __init__(self, registry: Registry, reference: Reference, progress: Progress | None = None) -> None:
        self._registry = registry
        self._reference = reference
        self._progress = progress

    def write(
        self, config: bytes, blobs: tuple[Descriptor, ...], source: BlobSource, known_in: Iterable[str] = ()
    ) -> None:
        """Put a cache in the place of the one with this tag. `known_in` are paths of repositories of the same registry
        that may have some of the blobs. KezuriError when the registry does not take it."""
        document = Descriptor(CONFIG_TYPE, digest_of(config), len(config))
        where = _WithDocument(source, document, config)
        self._registry.upload_all(self._reference, (*blobs, document), where, self._progress, tuple(known_in))
        self._registry.put(self._reference, manifest_of(config, blobs), MANIFEST)


class _WithDocument:
    """The blobs of a cache, and its document."""

    def __init__(self, source: BlobSource, document: Descriptor, data: bytes) -> None:
        self._source = source
        self._document = document
        self._data = data

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """See BlobSource."""
        if descriptor.digest == self._document.digest:
            return io.BytesIO(self._data)
        return self._source.open(descriptor)
