"""Images that a command works on: nobody removes them meanwhile."""

from contextlib import suppress

from kezuri.diagnostics import KezuriError
from kezuri.images.kept import Kept, NoSuchImage, find_image, looks_like_id
from kezuri.oci.descriptor import Index, read_document
from kezuri.oci.reference import Reference
from kezuri.store.store import Store


def held(store: Store, name: str) -> Kept:
    """The image with a name or an id, which nobody removes for as long as the store is open, even if all its names are
    taken away. NoSuchImage when it is not there."""
    kept = find_image(store, name)
    renew(store, kept.descriptor.digest)
    while (again := find_image(store, name)) != kept:
        # Somebody gave the name to another image, or took this one away, before it was known to be in use.
        kept = again
        renew(store, kept.descriptor.digest)
    return kept


def in_use(store: Store, name: str) -> Kept:
    """As `held`; NoSuchImage says how the image is fetched where it is one that could be."""
    try:
        return held(store, name)
    except NoSuchImage as error:
        if Reference.maybe(name) is None or looks_like_id(name) or error.diagnostics[0].hint.endswith("?"):
            raise
        raise NoSuchImage.of(f"no such image: {name}", hint=f"fetch it first: kezuri pull {name}") from None


def renew(store: Store, digest: str) -> None:
    """Note that a manifest or index is in use, with all that it names and the store has: nobody removes it then while
    this command works on it, whoever takes its name away."""
    blobs: set[str] = set()
    documents = [digest]
    while documents:
        at = documents.pop()
        if at in blobs or not store.blobs.has(at):
            continue
        blobs.add(at)
        try:
            document = read_document(store.blobs.read(at), at)
        except KezuriError:
            continue  # What is damaged is told where it is needed.
        if isinstance(document, Index):
            documents += [entry.digest for entry in document.manifests]
        else:
            blobs.update(blob.digest for blob in (document.config, *document.layers) if store.blobs.has(blob.digest))
    for blob in blobs:
        with suppress(FileNotFoundError):
            store.blobs.touch(blob)
