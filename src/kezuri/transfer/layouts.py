"""OCI layouts, as directories or archives, as places to copy from, and as directories to copy to."""

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import IO

from kezuri.diagnostics import KezuriError
from kezuri.images.layout import Layout
from kezuri.linux.disk import disk_error
from kezuri.oci.descriptor import CONTAINERD_NAME, REF_NAME, Descriptor, Manifest
from kezuri.oci.reference import Reference
from kezuri.registry.image import Document
from kezuri.registry.sink import BlobSink
from kezuri.store.layout import LayoutDirectory
from kezuri.store.names import elsewhere
from kezuri.transfer.beginnings import Beginnings, LastingWriter
from kezuri.transfer.doors import Absent, Progress, Source
from kezuri.transfer.file_sink import FileSink
from kezuri.transfer.pouring import pour
from kezuri.transfer.registries import RegistrySource


class LayoutSource:
    """An image of a layout: that of a name, tag or digest, else the only one."""

    def __init__(self, layout: Layout, selector: str) -> None:
        self.where = f"{layout.path}: {selector}" if selector else layout.path
        self._layout = layout
        self._selector = selector
        self._referring: dict[str, list[Descriptor]] | None = None

    def root(self) -> Document:
        """The manifest or index that was asked for."""
        return self._layout.root(self._selector)

    def document(self, descriptor: Descriptor) -> Document:
        """A manifest or index of the layout."""
        if not self._layout.has(descriptor.digest):
            raise absent(descriptor, self.where)
        return self._layout.document(descriptor)

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A blob's bytes, not verified."""
        return self._layout.open(descriptor)

    def prepare(self, descriptors: tuple[Descriptor, ...], progress: Progress) -> None:
        """Nothing: they are at hand."""

    def bring(self, descriptors: Iterable[Descriptor], sink: BlobSink, progress: Progress) -> None:
        """Copy blobs into the sink."""
        pour(self.open, descriptors, sink, progress, self.where)

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """The entries of the layout whose manifests name this one as their subject."""
        if self._referring is None:
            self._referring = {}
            for entry in self._layout.entries():
                if self._layout.has(entry.digest):
                    content = self._layout.document(entry).content
                    if isinstance(content, Manifest) and content.subject is not None:
                        self._referring.setdefault(content.subject.digest, []).append(entry)
        return tuple(self._referring.get(digest, ()))


def absent(descriptor: Descriptor, where: str) -> KezuriError:
    """The error for a document that is named and not there."""
    platform = f" (for {descriptor.platform})" if descriptor.platform is not None else ""
    return Absent.of(
        f"{where}: {descriptor.digest}{platform} is not there",
        hint="it was saved for some platforms only: --platform names one that is there",
        exit_code=125,
    )


class _Lasting:
    """A sink of blobs that go on where they were interrupted."""

    def __init__(self, path_of: Callable[[str], str], sink: FileSink, beginnings: Beginnings) -> None:
        self._path_of = path_of
        self._beginnings = beginnings
        self.has = sink.has

    def writer(self, descriptor: Descriptor) -> LastingWriter:
        """A new blob, or the rest of one that was begun."""
        return LastingWriter(self._path_of(descriptor.digest), descriptor, self._beginnings)


class LayoutDestination:
    """A layout in a directory, which is made if need be; the images that are there stay. Without a name the image is
    found by its digest, or by being the only one."""

    single = False

    def __init__(self, directory: str, name: str) -> None:
        self._directory = directory
        self._name = name
        self._finished = False
        try:
            self._layout = LayoutDirectory(directory)
        except OSError as error:
            raise disk_error(error, error.filename or directory) from error

    def take(self, source: Source, blobs: tuple[Descriptor, ...], progress: Progress) -> int:
        """Take the blobs that are not there."""
        path_of = self._layout.path
        sink = FileSink(path_of, {blob.digest: blob.size for blob in blobs})
        missing = [blob for blob in blobs if not sink.has(blob.digest)]
        # What is read on this machine is not worth keeping half.
        distant = isinstance(source, RegistrySource) and bool(missing)
        with Beginnings(self._directory, os.path.join(self._directory, "blobs", "sha256"), make=distant) as beginnings:
            # Not where all is there: of several images that are copied again the interrupted one is yet to come.
            if missing:
                beginnings.sweep({os.path.basename(path_of(blob.digest)) for blob in missing} if distant else ())
            source.bring(missing, _Lasting(path_of, sink, beginnings) if distant else sink, progress)
        return len(blobs) - len(missing)

    def put(self, document: Document) -> None:
        """Write a document; what refers to the image is listed in the layout's index as well, so that it is found."""
        self._write(document)
        if self._finished:
            self._enter(document.descriptor._replace(annotations=named(document.descriptor, "")))

    def finish(self, document: Document) -> None:
        """Write the root and give it its name in the index, which is published whole."""
        self._write(document)
        self._enter(document.descriptor._replace(annotations=named(document.descriptor, self._name)))
        self._finished = True

    def _write(self, document: Document) -> None:
        try:
            with self._layout.blob(document.descriptor.digest) as file:
                file.write(document.raw)
        except OSError as error:
            raise disk_error(error, self._directory) from error

    def _enter(self, new: Descriptor) -> None:
        name = new.annotations.get(REF_NAME)

        def change(known: tuple[Descriptor, ...]) -> tuple[Descriptor, ...]:
            if name is None and any(d.digest == new.digest for d in known):
                return known
            # The name goes over to the image, which then needs no entry without one.
            kept = [d for d in known if name is None or d.annotations.get(REF_NAME) != name]
            return (*(d for d in kept if d.digest != new.digest or REF_NAME in d.annotations), new)

        try:
            self._layout.enter(change)
        except OSError as error:
            raise disk_error(error, self._directory) from error


def named(descriptor: Descriptor, name: str) -> Mapping[str, str]:
    """The annotations of an image's entry in a layout's index under a name, which may be a tag alone; only a name in
    full says where the image belongs, in the word that containerd and docker read."""
    notes = dict(elsewhere(descriptor).annotations)
    if name:
        notes[REF_NAME] = name
        if "/" in name or ":" in name:
            with suppress(KezuriError):
                notes[CONTAINERD_NAME] = str(Reference.parse(name))
    return notes
