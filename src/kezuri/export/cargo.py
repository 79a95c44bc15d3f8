"""What goes when an image is pushed: its documents, those that others name before them, and its blobs."""

from collections.abc import Callable
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import MOST_DEEP, Descriptor, Index, is_foreign, read_document


class Cargo(NamedTuple):
    """An image as a registry takes it. `documents` are manifests and indexes with their bytes, the root last; `blobs`
    are configs and layers, each once. `lacking` are the entries of indexes that are not here."""

    root: Descriptor
    documents: tuple[tuple[Descriptor, bytes], ...]
    blobs: tuple[Descriptor, ...]
    layers: tuple[Descriptor, ...]
    lacking: tuple[Descriptor, ...] = ()


def load(root: Descriptor, read: Callable[[str], bytes | None]) -> Cargo:
    """The cargo of an image. `read` gives a document by its digest, None for one that is not here. KezuriError for a
    root that is not here, and for a document that is damaged or none."""
    documents: dict[str, tuple[Descriptor, bytes]] = {}
    blobs: dict[str, Descriptor] = {}
    layers: dict[str, Descriptor] = {}
    lacking: dict[str, Descriptor] = {}

    def visit(entry: Descriptor, depth: int) -> None:
        if entry.digest in documents:
            return
        raw = read(entry.digest)
        if raw is None:
            lacking[entry.digest] = entry
            return
        document = read_document(raw, entry.digest, entry.media_type)
        if isinstance(document, Index):
            if depth > MOST_DEEP:
                raise KezuriError.of(f"{root.digest}: indexes nested more than {MOST_DEEP} deep", exit_code=125)
            for child in document.manifests:
                visit(child, depth + 1)
        else:
            for blob in (document.config, *document.layers):
                if not is_foreign(blob):
                    blobs[blob.digest] = blob
            layers.update({layer.digest: layer for layer in document.layers})
        documents[entry.digest] = (entry._replace(media_type=document.media_type, size=len(raw)), raw)

    visit(root, 1)
    if root.digest not in documents:
        raise KezuriError.of(f"{root.digest} is not in the store", exit_code=125)
    root = documents[root.digest][0]
    return Cargo(
        root, tuple(documents.values()), tuple(blobs.values()), tuple(layers.values()), tuple(lacking.values())
    )
