"""Archives that images are copied into: a tar that is an OCI layout and, for docker, what `docker save` writes too."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import IO, Any, BinaryIO

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import CONFIG, DOCKER_CONFIG, REF_NAME, Descriptor, Index, Manifest, canonical, is_foreign
from kezuri.oci.layout import INDEX_FILE, MARKER, MARKER_FILE, blob_file
from kezuri.oci.reference import Reference
from kezuri.registry.image import Document
from kezuri.transfer.doors import Progress, Source
from kezuri.transfer.layouts import named
from kezuri.transfer.pouring import damaged

_PIECE = 1 << 20


class ArchiveWriter:
    """A tar with any number of images, each blob once, written straight through. `docker`: with a manifest.json, so
    that every docker loads it. Nothing in it depends on when and where it was written. KezuriError when what a
    source gives is not what its digest says: whoever holds the sink must not publish it then."""

    def __init__(self, sink: BinaryIO, *, docker: bool) -> None:
        self.docker = docker
        self._sink = sink
        self._written: set[str] = set()
        self._entries: list[Descriptor] = []
        self._saved: dict[str, dict[str, Any]] = {}
        for name in ("blobs", "blobs/sha256"):
            self._head(name, 0, directory=True)

    def has(self, digest: str) -> bool:
        """Whether the blob was written."""
        return digest in self._written

    def blob(self, descriptor: Descriptor, file: IO[bytes], where: str, progress: Progress) -> None:
        """Write a blob; its bytes are compared with its digest on the way."""
        if descriptor.digest in self._written:
            return
        self._head(blob_file(descriptor.digest, where), descriptor.size)
        hashed, rest = sha256(), descriptor.size
        while rest and (piece := file.read(min(_PIECE, rest))):
            hashed.update(piece)
            self._sink.write(piece)
            rest -= len(piece)
            progress(descriptor, descriptor.size - rest, descriptor.size)
        if rest or hashed.hexdigest() != descriptor.digest[7:]:
            raise damaged(descriptor, where)
        self._sink.write(bytes(-descriptor.size % 512))
        self._written.add(descriptor.digest)

    def document(self, document: Document) -> None:
        """Write a manifest or index."""
        digest = document.descriptor.digest
        if digest not in self._written:
            self._small(blob_file(digest), document.raw)
            self._written.add(digest)

    def enter(self, document: Document, names: Sequence[str]) -> None:
        """List an image, with the names by which it will be found."""
        for name in names or ("",):
            entry = document.descriptor._replace(annotations=_notes(document.descriptor, name, self.docker))
            if entry not in self._entries:
                self._entries.append(entry)
        if self.docker:
            manifest = document.content
            assert isinstance(manifest, Manifest)
            saved = self._saved.setdefault(
                document.descriptor.digest,
                {
                    "Config": blob_file(manifest.config.digest),
                    "RepoTags": [],
                    "Layers": [blob_file(layer.digest) for layer in manifest.layers],
                },
            )
            tags = [Reference.parse(name).familiar for name in names]
            saved["RepoTags"] += [tag for tag in tags if tag not in saved["RepoTags"]]

    def close(self) -> None:
        """Write what lists the images, which makes the archive complete."""
        self._small(INDEX_FILE, canonical(Index(tuple(self._entries)).to_json()))
        if self.docker:
            saved = [{**one, "RepoTags": one["RepoTags"] or None} for one in self._saved.values()]
            self._small("manifest.json", json.dumps(saved, separators=(",", ":")).encode())
        self._small(MARKER_FILE, MARKER)
        self._sink.write(bytes(1024))

    def _small(self, name: str, data: bytes) -> None:
        self._head(name, len(data))
        self._sink.write(data + bytes(-len(data) % 512))

    def _head(self, name: str, size: int, *, directory: bool = False) -> None:
        import tarfile

        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o755 if directory else 0o644
        if directory:
            info.type = tarfile.DIRTYPE
        self._sink.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8"))


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
