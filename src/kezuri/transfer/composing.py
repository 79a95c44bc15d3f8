"""Indexes made of images that are in other places, and published together with the images that they list."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    INDEX,
    Descriptor,
    Index,
    Manifest,
    canonical,
    digest_of,
)
from kezuri.registry.image import Document
from kezuri.store.names import elsewhere
from kezuri.transfer.doors import Destination, Progress, Source
from kezuri.transfer.walking import Walk, config_of


class Part(NamedTuple):
    """One entry of an index to be, and where its manifest comes from."""

    descriptor: Descriptor
    source: Source


def parts_of(source: Source, root: Document, *, whole: bool = True) -> tuple[Part, ...]:
    """The entries that an image gives: those of an index, or one for a manifest, which gets its platform from its
    config. Not `whole`: an index is one entry itself."""
    if isinstance(root.content, Index):
        if not whole:
            return (Part(elsewhere(root.descriptor), source),)
        return tuple(Part(elsewhere(entry), source) for entry in root.content.manifests)
    assert isinstance(root.content, Manifest)
    descriptor = elsewhere(root.descriptor)
    if descriptor.platform is None:
        try:
            platform = config_of(source, root.content).platform
        except KezuriError:
            platform = None  # an artifact, whose config is none of an image
        if platform is not None and platform.architecture:
            descriptor = descriptor._replace(platform=platform)
    return (Part(descriptor, source),)


def compose(descriptors: Iterable[Descriptor], annotations: dict[str, str] | None = None) -> Document:
    """The index of these entries, each once; one of docker's where all of them are docker's, and it needs no
    annotations. KezuriError for none."""
    entries: dict[str, Descriptor] = {}
    for descriptor in descriptors:
        entries[descriptor.digest] = descriptor
    if not entries:
        raise KezuriError.of("an index needs at least one image", exit_code=2)
    plain = all(entry.media_type == DOCKER_MANIFEST for entry in entries.values()) and not annotations
    media_type = DOCKER_INDEX if plain else INDEX
    content = Index(tuple(entries.values()), media_type, annotations or {})
    raw = canonical(content.to_json())
    return Document(Descriptor(media_type, digest_of(raw), len(raw)), raw, content)


def publish(index: Document, parts: Sequence[Part], destinations: Sequence[Destination], progress: Progress) -> None:
    """Copy what the index lists to where the destinations are, then let each of their names stand for it. The names
    come last: all of them, or none where something cannot be copied. The first destination takes what is copied; the
    others are other names in the same place."""
    assert isinstance(index.content, Index)
    wanted = {entry.digest for entry in index.content.manifests}
    first = destinations[0]
    for part in parts:
        if part.descriptor.digest not in wanted:
            continue
        root = part.source.document(part.descriptor)
        load = Walk(part.source).load(root)
        first.take(part.source, load.blobs, progress)
        for document in load.below:
            first.put(document)
        first.put(root)
    for destination in destinations:
        destination.finish(index)
