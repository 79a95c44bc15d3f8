"""The store as a place to push from: what it lacks is brought."""

import io
from collections.abc import Callable, Mapping
from typing import IO, TYPE_CHECKING

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.reference import Reference
from kezuri.registry.image import Document, read_document
from kezuri.store.blobs import missing
from kezuri.store.store import Store
from kezuri.transfer.stored import StoreSource

if TYPE_CHECKING:
    from kezuri.registry.client import Registry


class Stock(StoreSource):
    """An image of the store that is pushed. A blob that is not there is brought from a registry that is known to have
    it. `documents` are at hand, whatever the store has. `bring` is asked first for a blob that is not there, and says
    whether it has brought it."""

    def __init__(
        self,
        store: Store,
        name: str,
        registry: "Callable[[], Registry]",
        documents: Mapping[str, bytes] | None = None,
        bring: Callable[[Descriptor], bool] | None = None,
    ) -> None:
        super().__init__(store, name)
        self._asked_first = bring
        self._registry = registry
        self._documents = documents if documents is not None else {}

    def document(self, descriptor: Descriptor) -> Document:
        """A manifest or index that is at hand, or one of the store."""
        known = self._documents.get(descriptor.digest)
        if known is None:
            return super().document(descriptor)
        return read_document(known, descriptor.media_type, self.where).listed(descriptor)

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A blob from its start, not verified. KezuriError when nobody has it."""
        known = self._documents.get(descriptor.digest)
        if known is not None:
            return io.BytesIO(known)
        if not self._store.blobs.has(descriptor.digest):
            self._bring(descriptor)
        return super().open(descriptor)

    def _bring(self, descriptor: Descriptor) -> None:
        if self._asked_first is not None and self._asked_first(descriptor):
            return
        failure: KezuriError | None = None
        for repository in self._store.database.facts.sources(descriptor.digest):
            try:
                reference = Reference.parse(repository, default_tag=False)
                self._registry().fetch(reference, descriptor, self._store.blobs)
                return
            except KezuriError as error:
                failure = error
        raise failure if failure is not None else missing(descriptor.digest)
