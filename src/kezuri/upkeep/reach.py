"""The blobs that images need: those that names hold, and those of the base images that builds stand on."""

import os
from collections.abc import Iterable

from kezuri.images.contents import Contents
from kezuri.oci.descriptor import Descriptor
from kezuri.store.names import SUBJECT
from kezuri.store.store import Store


class Reach(Contents):
    """Says what is needed of the contents of one store's images, and why."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._evicted: set[str] = set()

    def named_blobs(self, untagged: bool = True) -> set[str]:
        """The blobs of all images that are kept, and of what refers to them; of those with a name only, if so
        wanted."""
        others = self._store.names.untagged() if untagged else ()
        seen = self._all(descriptor.digest for descriptor in (*self._store.names.all().values(), *others))
        for entry in self.referring(seen):
            self.image_blobs(entry.digest, seen)
        return seen

    def referring(self, documents: set[str]) -> list[Descriptor]:
        """What refers to any of these manifests and indexes, or to what does (a signature of an SBOM)."""
        waiting, found, known = self._store.names.referring(), list[Descriptor](), set(documents)
        while True:
            more = [entry for entry in waiting if entry.annotations.get(SUBJECT) in known]
            if not more:
                return found
            found += more
            known.update(entry.digest for entry in more)
            waiting = [entry for entry in waiting if entry not in more]

    def base_blobs(self) -> set[str]:
        """The blobs of all images that builds have asked for."""
        return self._all(digest for _, digest in self._store.database.facts.images())

    def _all(self, digests: Iterable[str]) -> set[str]:
        seen: set[str] = set()
        for digest in digests:
            self.image_blobs(digest, seen)
        return seen

    def evict(self, digests: Iterable[str]) -> None:
        """Let these blobs go although builds stand on images that have them."""
        self._evicted.update(digests)

    def standing_blobs(self, everything: bool) -> set[str]:
        """The blobs that stay because builds stand on their images: with `everything` none."""
        return set() if everything else self.base_blobs() - self._evicted

    def needed_blobs(self, everything: bool) -> set[str]:
        """All blobs that something needs: images, downloads, and the layers that are known."""
        needed = self.named_blobs() | self.standing_blobs(everything)
        if not everything:
            needed |= self._store.database.facts.downloaded()
        return needed | {form.digest for form in self._store.database.forms()}

    def kept_at(self, digest: str) -> float:
        """When an image was last built, fetched or run (seconds since the epoch), which renews its manifest's blob; 0
        when that is gone."""
        try:
            return os.lstat(self._store.blobs.path(digest)).st_ctime
        except FileNotFoundError:
            return 0.0
