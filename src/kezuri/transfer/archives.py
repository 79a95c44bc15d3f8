"""Archives that images are copied into: a tar that is an OCI layout and, for docker, what `docker save` writes too."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, BinaryIO

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import CONFIG, DOCKER_CONFIG, REF_NAME, Descriptor, Index, Manifest, is_foreign
from kezuri.oci.layout import blob_file
from kezuri.oci.reference import Reference
from kezuri.registry.image import Document
from kezuri.store.layout_archive import LayoutArchive, Saved
from kezuri.transfer.doors import Progress, Source
from kezuri.transfer.layouts import named
from kezuri.transfer.pouring import damaged


class ArchiveWriter:
    """A tar with any number of images. `docker`: with a manifest.json, so that every docker loads it. KezuriError when
    what a source gives is not what its digest says: whoever holds the sink must not publish it then."""

    def __init__(self, sink: BinaryIO, *, docker: bool) -> None:
        self.docker = docker
        self._archive = LayoutArchive(sink)
        self._entries: list[Descriptor] = []
        self._saved: dict[str, Saved] = {}

    def has(self, digest: str) -> bool:
        """Whether the blob was written."""
        return self._archive.has(digest)

    def blob(self, descriptor: Descriptor, file: IO[bytes], where: str, progress: Progress) -> None:
        """Write a blob; its bytes are compared with its digest on the way."""
        self._archive.blob(
            descriptor,
            file,
            lambda digest: damaged(descriptor, where),
            lambda current: progress(descriptor, current, descriptor.size),
            where,
        )

    def document(self, document: Document) -> None:
        """Write a manifest or index."""
        self._archive.document(document.descriptor.digest, document.raw)

    def enter(self, document: Document, names: Sequence[str]) -> None:
        """List an image, with the names by which it will be found."""
        for name in names or ("",):
            entry = document.descriptor._replace(annotations=_notes(document.descriptor, name, self.docker))
            if entry not in self._entries:
                self._entries.append(entry)
        if self.docker:
            manifest = document.content
            assert isinstance(manifest, Manifest)
            layers = tuple(blob_file(layer.digest) for layer in manifest.layers)
            new = Saved(blob_file(manifest.config.digest), layers, ())
            saved = self._saved.get(document.descriptor.digest, new)
            tags = dict.fromkeys((*saved.tags, *(Reference.parse(name).familiar for name in names)))
            self._saved[document.descriptor.digest] = saved._replace(tags=tuple(tags))

    def close(self) -> None:
        """Write what lists the images, which makes the archive complete."""
        self._archive.close(Index(tuple(self._entries)), list(self._saved.values()) if self.docker else None)


@contextmanager
def written(sink: BinaryIO, *, docker: bool) -> Iterator[ArchiveWriter]:
    """An archive that is complete when the block ends without an error."""
    writer = ArchiveWriter(sink, docker=docker)
    yield writer
    writer.close()


class ArchiveDestination:
    """One image's place in an archive. `names` may be none."""

    def __init__(self, writer: ArchiveWriter, names: Sequence[str]) -> None:
        self._writer = writer
        self._names = names
        self._finished = False
        self.single = writer.docker

    def take(self, source: Source, blobs: tuple[Descriptor, ...], progress: Progress) -> int:
        """Write the blobs one after another, as a tar has to be."""
        missing = tuple(blob for blob in blobs if not self._writer.has(blob.digest))
        source.prepare(missing, progress)
        for blob in missing:
            with source.open(blob) as file:
                self._writer.blob(blob, file, source.where, progress)
        return len(blobs) - len(missing)

    def put(self, document: Document) -> None:
        """Write a document; what refers to the image is listed as well, so that it is found."""
        self._writer.document(document)
        if self._finished and not self._writer.docker:
            self._writer.enter(document, ())

    def finish(self, document: Document) -> None:
        """Write the root and list it under its names."""
        if self._writer.docker:
            _check_loadable(document)
        self._writer.document(document)
        self._writer.enter(document, self._names)
        self._finished = True


def _check_loadable(document: Document) -> None:
    manifest = document.content
    assert isinstance(manifest, Manifest)
    if manifest.config.media_type not in (CONFIG, DOCKER_CONFIG, ""):
        raise KezuriError.of(
            f"{document.descriptor.digest} is no container image but {manifest.config.media_type[:100]!r}, "
            "which docker cannot load",
            hint="an OCI archive or layout can hold it: oci-archive:FILE, oci:DIR",
            exit_code=125,
        )
    if any(map(is_foreign, manifest.layers)):
        raise KezuriError.of(
            f"{document.descriptor.digest} has layers that may not be distributed, which docker cannot load",
            hint="an OCI archive or layout can hold it: oci-archive:FILE, oci:DIR",
            exit_code=125,
        )


def _notes(descriptor: Descriptor, name: str, docker: bool) -> dict[str, str]:
    """The annotations of an entry. In archives for docker the name in full is containerd's word, and the tag stands
    alone, as docker writes it."""
    notes = dict(named(descriptor, name))
    if docker and name:
        notes[REF_NAME] = Reference.parse(name).tag or name
    return notes
