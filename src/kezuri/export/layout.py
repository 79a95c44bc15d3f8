"""Images as an OCI image layout (image-layout.md), as a directory or as a tar that `docker load` reads as well."""

import os
from collections.abc import Callable
from typing import IO, BinaryIO

from kezuri.export.image import Exported
from kezuri.linux.disk import disk_error
from kezuri.oci.descriptor import CONTAINERD_NAME, INDEX, REF_NAME, Descriptor, Index
from kezuri.oci.layout import blob_file
from kezuri.oci.reference import Reference
from kezuri.store.layout import LayoutDirectory
from kezuri.store.layout_archive import LayoutArchive, Saved

OpenBlob = Callable[[Descriptor], IO[bytes]]
"""Gives a blob's bytes, not verified: `Blobs.open`."""


def write_directory(image: Exported, directory: str, open_blob: OpenBlob) -> None:
    """Write the image into a layout directory, made if need be; images that are there already stay.

    The index is published last, by rename: a reader sees the image whole or not at all.
    """
    try:
        layout = LayoutDirectory(directory)
        for digest, data in image.documents.items():
            with layout.blob(digest) as file:
                file.write(data)
        for layer in image.layers:
            if not os.path.exists(layout.path(layer.digest)):
                with open_blob(layer) as file:
                    layout.copy_in(layer, file)
        layout.enter(lambda known: _with(image, known))
    except OSError as error:
        raise disk_error(error, error.filename or directory) from error


def _with(image: Exported, known: tuple[Descriptor, ...]) -> tuple[Descriptor, ...]:
    """The entries of a layout when the image was added: its names go over to it."""
    new = index_entries(image)
    names = {d.annotations.get(REF_NAME) for d in new}
    return (
        *(d for d in known if d.annotations.get(REF_NAME) not in names and d.digest != image.descriptor.digest),
        *new,
    )


def index_entries(image: Exported) -> tuple[Descriptor, ...]:
    """The index entries of the image: one for each name, or one without a name."""
    if not image.names:
        return (image.descriptor,)
    entries = []
    for name in image.names:
        tag = Reference.parse(name).tag
        notes = {**image.descriptor.annotations, CONTAINERD_NAME: name, REF_NAME: tag or name}
        entries.append(image.descriptor._replace(annotations=notes))
    return tuple(entries)


def write_tar(image: Exported, sink: BinaryIO, open_blob: OpenBlob, *, docker: bool, epoch: int | None) -> None:
    """Write the image as one tar: an OCI layout, and with `docker` the manifest.json of `docker save` beside it, over
    the same blobs (registry tools read it either way); an index does not fit into that. `epoch` is the time of the
    tar's entries in seconds."""
    archive = LayoutArchive(sink, epoch or 0)
    for digest in sorted(image.documents):
        archive.document(digest, image.documents[digest])
    for layer in image.layers:
        if not archive.has(layer.digest):
            with open_blob(layer) as file:
                archive.blob(layer, file)
    saved = None
    if docker:
        assert image.config is not None
        tags = tuple(Reference.parse(name).familiar for name in image.names)
        layers = tuple(blob_file(layer.digest) for layer in image.layers)
        saved = (Saved(blob_file(image.config.digest), layers, tags),)
    archive.close(Index(index_entries(image), INDEX), saved)
