"""The blobs that images need: those that names hold, and those of the base images that builds stand on."""

import os

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Index, read_document, valid_digest
from kezuri.store.store import Store


class Reach:
    """Follows manifests and indexes through one store, as far as it has them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def image_blobs(self, digest: str, seen: set[str]) -> None:
        """Add every blob that the manifest or index reaches, as far as it is there, to `seen`."""
        if digest in seen or not self._store.blobs.has(digest):
            return
        seen.add(digest)
        try:
            document = read_document(self._store.blobs.read(digest), digest)
        except KezuriError:
            return
        if isinstance(document, Index):
            for entry in document.manifests:
                self.image_blobs(entry.digest, seen)
            return
        # What a manifest names by another algorithm the store cannot hold.
        seen.update(d.digest for d in (document.config, *document.layers) if valid_digest(d.digest))

    def named_blobs(self, untagged: bool = True) -> set[str]:
        """The blobs of all images that are kept; of those with a name only, if so wanted."""
        seen: set[str] = set()
        others = self._store.names.untagged() if untagged else ()
        for descriptor in (*self._store.names.all().values(), *others):
            self.image_blobs(descriptor.digest, seen)
        return seen

    def kept_at(self, digest: str) -> float:
        """When an image was last built, fetched or run (seconds since the epoch), which renews its manifest's blob; 0
        when that is gone."""
        try:
            return os.lstat(self._store.blobs.path(digest)).st_ctime
        except FileNotFoundError:
            return 0.0

    def base_blobs(self) -> set[str]:
        """The blobs of all images that builds have asked for."""
        seen: set[str] = set()
        for _, digest in self._store.database.facts.images():
            self.image_blobs(digest, seen)
        return seen
