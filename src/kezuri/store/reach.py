"""The blobs that images need: those that names hold, and those of the base images that builds stand on."""

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Index, Manifest
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
            data = self._store.blobs.read(digest)
            if b'"manifests"' in data:
                for entry in Index.parse(data, digest).manifests:
                    self.image_blobs(entry.digest, seen)
                return
            manifest = Manifest.parse(data, digest)
        except KezuriError:
            return
        seen.add(manifest.config.digest)
        seen.update(layer.digest for layer in manifest.layers)

    def named_blobs(self) -> set[str]:
        """The blobs of all images with a name, or that had one."""
        seen: set[str] = set()
        for descriptor in (*self._store.names.all().values(), *self._store.names.untagged()):
            self.image_blobs(descriptor.digest, seen)
        return seen

    def base_blobs(self) -> set[str]:
        """The blobs of all images that builds have asked for."""
        seen: set[str] = set()
        for (digest,) in self._store.database.rows("SELECT value FROM memo WHERE key LIKE 'image %'"):
            self.image_blobs(str(digest), seen)
        return seen
