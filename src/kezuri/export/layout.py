"""Images as an OCI image layout (image-layout.md), as a directory or as a tar that `docker load` reads as well."""

import json
import os
from collections.abc import Callable
from typing import BinaryIO, cast

from kezuri.export.image import Exported
from kezuri.linux.disk import disk_error
from kezuri.oci.descriptor import CONTAINERD_NAME, INDEX, REF_NAME, Descriptor, Index, canonical
from kezuri.oci.layout import INDEX_FILE, MARKER, MARKER_FILE, blob_file
from kezuri.oci.reference import Reference
from kezuri.store.blobs import CheckedBlob
from kezuri.store.layout import LayoutDirectory

_CHUNK = 1 << 20

PathOf = Callable[[str], str]
"""Where the blob with a digest is on this machine."""


def write_directory(image: Exported, directory: str, path_of: PathOf) -> None:
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
                _copy(layer, path_of(layer.digest), layout)
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


def write_tar(image: Exported, sink: BinaryIO, path_of: PathOf, *, docker: bool, epoch: int | None) -> None:
    """Write the image as one tar: an OCI layout, and with `docker` the manifest.json of `docker save` beside it, over
    the same blobs (registry tools read it either way); an index does not fit into that. `epoch` is the time of the
    tar's entries in seconds."""
    import tarfile

    seen: set[str] = set()
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as tar:

        def directory(name: str) -> None:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, epoch or 0
            tar.addfile(info)

        def document(name: str, data: bytes) -> None:
            import io

            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(data), 0o644, epoch or 0
            tar.addfile(info, io.BytesIO(data))

        directory("blobs")
        directory("blobs/sha256")
        for digest in sorted(image.documents):
            document(blob_file(digest), image.documents[digest])
        for layer in image.layers:
            if layer.digest in seen:
                continue
            seen.add(layer.digest)
            info = tarfile.TarInfo(blob_file(layer.digest))
            info.size, info.mode, info.mtime = layer.size, 0o644, epoch or 0
            with CheckedBlob(path_of(layer.digest), layer.digest, layer.size) as blob:
                tar.addfile(info, cast(BinaryIO, blob))
        document(INDEX_FILE, canonical(Index(index_entries(image), INDEX).to_json()))
        if docker:
            assert image.config is not None
            entry = {
                "Config": blob_file(image.config.digest),
                "RepoTags": [_docker_name(name) for name in image.names] or None,
                "Layers": [blob_file(layer.digest) for layer in image.layers],
            }
            document("manifest.json", json.dumps([entry], separators=(",", ":")).encode())
        document(MARKER_FILE, MARKER)


def _docker_name(name: str) -> str:
    return Reference.parse(name).familiar


def _copy(blob: Descriptor, source: str, layout: LayoutDirectory) -> None:
    """Put a copy of a blob into the layout. Its bytes are compared with its digest on the way.

    No hard link: a change of the file's owner, mode or bytes would be one of the store's, too.
    """
    with layout.blob(blob.digest) as copy, CheckedBlob(source, blob.digest, blob.size) as checked:
        while chunk := checked.read(_CHUNK):
            copy.write(chunk)
