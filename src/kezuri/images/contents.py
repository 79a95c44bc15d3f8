"""What images of the store consist of."""

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Index, is_foreign, read_document, valid_digest
from kezuri.store.store import Store


class Contents:
    """Follows manifests and indexes through one store, as far as it has them. Each of them is read once: what has a
    digest never changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def image_blobs(self, digest: str, seen: set[str]) -> None:
        """Add every blob that the manifest or index reaches, as far as it is there, to `seen`."""
        waiting = [digest]
        while waiting:
            document = waiting.pop()
            if document not in seen and self._store.blobs.has(document):
                seen.add(document)
                documents, blobs = self._named_in(document)
                seen.update(blobs)
                waiting += documents

    def _named_in(self, digest: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The digests of the documents that an index names, and of the other blobs that a manifest names; none of
        either when the document cannot be read."""
        known = self._read.get(digest)
        if known is not None:
            return known
        try:
            document = read_document(self._store.blobs.read(digest), digest)
        except KezuriError:
            return (), ()
        if isinstance(document, Index):
            known = tuple(entry.digest for entry in document.manifests), ()
        else:
            # What a manifest names by another algorithm the store cannot hold, and a layer that may not be distributed
            # need not be here.
            blobs = (d for d in (document.config, *document.layers) if valid_digest(d.digest))
            known = (), tuple(d.digest for d in blobs if not is_foreign(d) or self._store.blobs.has(d.digest))
        self._read[digest] = known
        return known
