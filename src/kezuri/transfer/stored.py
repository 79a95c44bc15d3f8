"""The local store as a place to copy from and to."""

from collections.abc import Iterable, Sequence
from typing import IO

from kezuri.diagnostics import KezuriError
from kezuri.images.held import held
from kezuri.images.kept import Kept, manifests
from kezuri.images.referrers import referrers
from kezuri.oci.descriptor import Descriptor, Index, Manifest
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.registry.image import Document, read_document
from kezuri.registry.sink import BlobSink
from kezuri.store.store import Store
from kezuri.transfer.doors import Progress, Source
from kezuri.transfer.layouts import absent
from kezuri.transfer.pouring import pour
from kezuri.transfer.walking import read_small


class StoreSource:
    """An image of the store: that of a name, of a digest, or of an id or its beginning. Of several platforms an id
    names its own."""

    def __init__(self, store: Store, name: str) -> None:
        self.where = f"image {name}"
        self._store = store
        self._name = name

    def root(self) -> Document:
        """The manifest or index that was asked for, which nobody removes from now on; NoSuchImage when there is
        none."""
        image = held(self._store, self._name)
        digits = self._name.rpartition("@")[2].removeprefix("sha256:").lower()
        descriptor = image.descriptor
        if not self._is_name_of(image) and not descriptor.digest[7:].startswith(digits):
            for digest, manifest in manifests(self._store, descriptor):
                if digits and (digest[7:].startswith(digits) or manifest.config.digest[7:].startswith(digits)):
                    descriptor = Descriptor(manifest.media_type, digest, self._store.blobs.size(digest))
                    break
        return self.document(descriptor)

    def _is_name_of(self, image: Kept) -> bool:
        """Whether the image was found by its name, and not by an id that may be one platform's."""
        name = Reference.maybe(self._name)
        return name is not None and bool(image.name) and image.name in (self._name, str(name))

    def document(self, descriptor: Descriptor) -> Document:
        """A manifest or index of the store."""
        blobs = self._store.blobs
        if not blobs.has(descriptor.digest):
            raise absent(descriptor, self.where)
        document = read_document(blobs.read(descriptor.digest), descriptor.media_type, self.where)
        return document._replace(descriptor=descriptor._replace(media_type=document.descriptor.media_type))

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A blob's bytes, not verified."""
        return self._store.blobs.open(descriptor)

    def prepare(self, descriptors: tuple[Descriptor, ...], progress: Progress) -> None:
        """Nothing: they are at hand."""

    def bring(self, descriptors: Iterable[Descriptor], sink: BlobSink, progress: Progress) -> None:
        """Copy blobs into the sink."""
        pour(self.open, descriptors, sink, progress, self.where)

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """What the store keeps with this one because it refers to it."""
        return referrers(self._store, digest)


class StoreDestination:
    """The store, under names (references in full) or under none."""

    single = False

    def __init__(self, store: Store, names: Sequence[str]) -> None:
        self._store = store
        self._names = names
        self._finished = False

    def take(self, source: Source, blobs: tuple[Descriptor, ...], progress: Progress) -> int:
        """Take the blobs that are not there. Those that are will stay: collection leaves alone what is in use."""
        lacking = []
        for blob in blobs:
            try:
                self._store.blobs.touch(blob.digest)
            except FileNotFoundError:
                lacking.append(blob)
        source.bring(lacking, self._store.blobs, progress)
        return len(blobs) - len(lacking)

    def put(self, document: Document) -> None:
        """Keep a document; what refers to the image stays for as long as the image does."""
        self._store.blobs.put(document.raw)
        if self._finished:
            self._keep(document, document.descriptor)

    def finish(self, document: Document) -> None:
        """Keep the root and let the names stand for it."""
        descriptor = document.descriptor._replace(annotations={})
        if isinstance(document.content, Index):
            descriptor = descriptor._replace(platform=None)
        elif descriptor.platform is None:
            descriptor = descriptor._replace(platform=self._platform(document))
        self._store.blobs.put(document.raw)
        self._store.sync_new()
        self._store.names.put_all(self._names, descriptor)
        if not self._names:
            self._keep(document, descriptor)
        self._finished = True

    def _keep(self, document: Document, descriptor: Descriptor) -> None:
        content = document.content
        if isinstance(content, Manifest) and content.subject is not None:
            known = descriptor._replace(artifact_type=content.kind, platform=None)
            self._store.names.refer(known, content.subject.digest)
        else:
            self._store.names.keep(descriptor)

    def _platform(self, document: Document) -> Platform | None:
        from kezuri.oci.config import ImageConfig

        assert isinstance(document.content, Manifest)
        try:
            source = StoreSource(self._store, "")
            platform = ImageConfig.parse(read_small(source.open, document.content.config, ""), "").platform
        except KezuriError:
            return None  # An artifact has a config of another kind.
        return platform if platform.architecture else None
