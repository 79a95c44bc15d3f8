"""What has to be copied of an image: its documents, children first, and the blobs that they name."""

from collections.abc import Callable
from typing import IO, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import (
    INDEXES,
    MANIFESTS,
    MOST_BYTES,
    MOST_DEEP,
    Descriptor,
    Index,
    Manifest,
    digest_of,
    is_foreign,
)
from kezuri.oci.platform import Platform
from kezuri.registry.image import Document, choose, flatten
from kezuri.transfer.doors import Absent, Source

_MOST_DOCUMENTS = 2000
_MOST_IN_ALL = 64 << 20
_GENERATIONS = 3
"""How far referrers of referrers are followed: a signature of an attestation of an image is the third."""


class Load(NamedTuple):
    """What is to be copied: the root, what it leads to (children before parents), what refers to any of it, and the
    blobs, each once. `lacking` are the entries of indexes that the source does not have itself."""

    root: Document
    below: tuple[Document, ...]
    referrers: tuple[Document, ...]
    blobs: tuple[Descriptor, ...]
    lacking: tuple[Descriptor, ...]

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        """The layers of its images, each once, with those that may not be distributed, and are no blobs to copy."""
        images = [d.content for d in (*self.below, self.root) if isinstance(d.content, Manifest)]
        return tuple({layer.digest: layer for image in images for layer in image.layers}.values())


class Walk:
    """Follows one image through a source. `partial`: what an index names and the source lacks is left out and told,
    where it otherwise is an error. Memory: the documents, at most 64 MiB of them."""

    def __init__(self, source: Source, *, partial: bool = False) -> None:
        self._source = source
        self._partial = partial
        self._documents: dict[str, Document] = {}
        self._blobs: dict[str, Descriptor] = {}
        self._lacking: list[Descriptor] = []
        self._bytes = 0

    def load(self, root: Document, *, referrers: bool = False) -> Load:
        """Everything that the root leads to; with `referrers` also what refers to it."""
        self._visit(root, 1)
        below = tuple(d for digest, d in self._documents.items() if digest != root.descriptor.digest)
        about: list[Document] = []
        subjects = [root, *below]
        for _ in range(_GENERATIONS if referrers else 0):
            known = set(self._documents)
            for subject in subjects:
                for entry in self._source.referrers(subject.descriptor.digest):
                    if entry.digest not in self._documents:
                        self._visit(self._source.document(entry), 1)
            subjects = [d for digest, d in self._documents.items() if digest not in known]
            about += subjects
        return Load(root, below, tuple(about), tuple(self._blobs.values()), tuple(self._lacking))

    def _visit(self, document: Document, depth: int) -> None:
        digest = document.descriptor.digest
        if digest in self._documents:
            return
        self._bytes += len(document.raw)
        too_deep = depth > MOST_DEEP and isinstance(document.content, Index)
        if too_deep or len(self._documents) >= _MOST_DOCUMENTS or self._bytes > _MOST_IN_ALL:
            raise KezuriError.of(
                f"{self._source.where}: indexes nested more than {MOST_DEEP} deep, or with more than {_MOST_DOCUMENTS} "
                f"manifests or {_MOST_IN_ALL >> 20} MiB of them",
                exit_code=125,
            )
        if isinstance(document.content, Manifest):
            for blob in (document.content.config, *document.content.layers):
                if not is_foreign(blob):
                    self._blobs.setdefault(blob.digest, blob)
        else:
            for entry in document.content.manifests:
                self._enter(entry, depth)
        self._documents[digest] = document

    def _enter(self, entry: Descriptor, depth: int) -> None:
        if entry.digest in self._documents:
            return
        if entry.media_type not in (*INDEXES, *MANIFESTS):
            self._blobs.setdefault(entry.digest, entry)  # BuildKit's caches are indexes of blobs.
            return
        try:
            document = self._source.document(entry)
        except Absent:
            if not self._partial:
                raise
            self._lacking.append(entry)
            return
        self._visit(document, depth + 1)


def image_for(source: Source, root: Document, platform: Platform) -> Document:
    """The manifest of one platform, chosen as `pull` chooses; the root itself where it is no index. KezuriError naming
    the platforms that there are when there is none."""
    if not isinstance(root.content, Index):
        return root
    chosen = choose(flatten(root.content, source.document, source.where), platform, source.where)
    return source.document(chosen).listed(chosen)


def config_of(source: Source, manifest: Manifest) -> ImageConfig:
    """The config that a manifest of the source names, read and verified."""
    return ImageConfig.parse(read_small(source.open, manifest.config, source.where), source.where)


def platform_of(source: Source, manifest: Manifest) -> Platform | None:
    """The platform that the manifest's config says; None where it says none, and for an artifact, whose config is none
    of an image."""
    try:
        platform = config_of(source, manifest).platform
    except KezuriError:
        return None
    return platform if platform.architecture else None


def read_small(open_blob: Callable[[Descriptor], IO[bytes]], descriptor: Descriptor, where: str) -> bytes:
    """A blob of at most 8 MiB, verified."""
    if descriptor.size > MOST_BYTES:
        raise KezuriError.of(f"{where}: {descriptor.digest}: larger than {MOST_BYTES >> 20} MiB", exit_code=125)
    raw = b""
    with open_blob(descriptor) as file:
        while len(raw) <= descriptor.size and (piece := file.read(descriptor.size + 1 - len(raw))):
            raw += piece
    if len(raw) != descriptor.size or digest_of(raw) != descriptor.digest:
        raise KezuriError.of(f"{where}: the blob {descriptor.digest} is damaged", exit_code=125)
    return raw
