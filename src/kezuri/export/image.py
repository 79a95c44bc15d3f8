"""From finished stages to what a build gives as an image: config, history and manifest, and an index of several."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kezuri.oci.config import HistoryEntry, ImageConfig
from kezuri.oci.dates import timestamp
from kezuri.oci.descriptor import (
    CONFIG,
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    DOCKER_OF,
    INDEX,
    MANIFEST,
    OCI_OF,
    Descriptor,
    Index,
    Manifest,
    canonical,
    digest_of,
)
from kezuri.oci.platform import Platform
from kezuri.plan.operation import HistoryItem

if TYPE_CHECKING:
    from kezuri.export.annotations import Annotations

COMMENT = "buildkit.dockerfile.v0"


class LayerBlob(NamedTuple):
    """A layer as it goes into a manifest; `created` is seconds since 1970, `epoch` the SOURCE_DATE_EPOCH that its
    later times became, None for none."""

    diff_id: str
    descriptor: Descriptor
    created: float
    epoch: int | None = None


class ImageDocuments(NamedTuple):
    """An image's two documents and the descriptors of its layers, lowest first."""

    manifest: bytes
    descriptor: Descriptor
    config: bytes
    config_descriptor: Descriptor
    layers: tuple[Descriptor, ...]
    image_config: ImageConfig


def assemble(
    config: ImageConfig,
    base_layers: Sequence[LayerBlob],
    base_history: Sequence[HistoryEntry],
    items: Sequence[HistoryItem],
    made: Mapping[tuple[int, int], LayerBlob],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    epoch: int | None,
    now: float,
    cache: Mapping[str, object] | None = None,
) -> ImageDocuments:
    """Put the documents together (OCI image spec: config.md, manifest.md; times as BuildKit's exporter sets them).

    `made` gives the layer of each operation that `items` name. Entries without a layer take the time of the next
    layer, else of the one before, else of the base's last entry: equal inputs give equal images then. With `epoch`
    (seconds) all entries have this time, also those whose layers are older: what the cache knows changes no image.
    `cache` is an inline cache, which the config carries under its own name.
    """
    layers = [*base_layers]
    times: list[float | None] = []
    for item in items:
        blob = made.get((item.stage, item.operation)) if item.operation >= 0 else None
        if blob is not None:
            layers.append(blob)
            times.append(blob.created)
        else:
            times.append(None)
    if epoch is not None:
        filled = [timestamp(epoch)] * len(items)
    else:
        filled = _fill(times, next((h.created for h in reversed(base_history) if h.created), ""), now)
    history = list(base_history)
    missing = len(base_layers) - sum(not h.empty_layer for h in base_history)
    if missing > 0:
        # A base without a full history still has its layers: readers count entries against layers.
        history += [HistoryEntry(comment="imported from base image")] * missing
    for item, when in zip(items, filled):
        history.append(HistoryEntry(when, item.created_by, COMMENT, item.operation < 0))
    created = history[-1].created if items else config.created
    if not created:
        created = next((h.created for h in reversed(history) if h.created), timestamp(now if epoch is None else epoch))
    done = config._replace(
        created=created,
        diff_ids=tuple(layer.diff_id for layer in layers),
        history=tuple(history),
        labels={**config.labels, **labels},
    )
    config_bytes = canonical({**done.to_json(), **(cache or {})})
    config_descriptor = Descriptor(CONFIG, digest_of(config_bytes), len(config_bytes))
    descriptors = tuple(_plain(layer.descriptor) for layer in layers)
    manifest_bytes = canonical(Manifest(config_descriptor, descriptors, MANIFEST, dict(annotations)).to_json())
    descriptor = Descriptor(MANIFEST, digest_of(manifest_bytes), len(manifest_bytes), platform=done.platform)
    return ImageDocuments(manifest_bytes, descriptor, config_bytes, config_descriptor, descriptors, done)


def _docker(image: ImageDocuments) -> ImageDocuments:
    """The same image, told in Docker's media types."""
    config = image.config_descriptor._replace(media_type=DOCKER_CONFIG)
    layers = tuple(layer.worded(DOCKER_OF) for layer in image.layers)
    raw = canonical(Manifest(config, layers, DOCKER_MANIFEST).to_json())
    descriptor = image.descriptor._replace(media_type=DOCKER_MANIFEST, digest=digest_of(raw), size=len(raw))
    return image._replace(manifest=raw, descriptor=descriptor, config_descriptor=config, layers=layers)


def _plain(descriptor: Descriptor) -> Descriptor:
    return Descriptor(descriptor.media_type, descriptor.digest, descriptor.size).worded(OCI_OF)


def _fill(times: Sequence[float | None], base: str, now: float) -> list[str]:
    """The times in words; those that are missing are the next one, else the one before, else the base's, else now."""
    filled: list[str] = [""] * len(times)
    following = ""
    for i in range(len(times) - 1, -1, -1):
        own = times[i]
        if own is not None:
            following = timestamp(own)
        filled[i] = following
    before = base or timestamp(now)
    for i, text in enumerate(filled):
        before = filled[i] = text or before
    return filled


class Exported(NamedTuple):
    """An image to be exported: its names in full (none is fine), its manifest or index, and the blobs that belong to
    it.

    `config` is None for an index; `documents` are the bytes of index, manifests and configs by digest; `layers` are
    found by the path function, and are `diff_ids` unpacked.
    """

    names: tuple[str, ...]
    descriptor: Descriptor
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    documents: dict[str, bytes]
    diff_ids: tuple[str, ...] = ()


class Parts(NamedTuple):
    """What one platform's image is made of. `made` gives the layer of each operation that `items` name; `platform` is
    what the build was asked for, None when the config says it; `cache` is an inline cache: see `assemble`."""

    platform: Platform | None
    config: ImageConfig
    base_layers: Sequence[LayerBlob]
    base_history: Sequence[HistoryEntry]
    items: Sequence[HistoryItem]
    made: Mapping[tuple[int, int], LayerBlob]
    cache: Mapping[str, object] | None = None


Squash = Callable[[ImageDocuments, int], ImageDocuments]
"""Gives the same image with fewer layers; the number is that of the base's layers, which are its lowest."""


def compose(
    parts: Sequence[Parts],
    names: tuple[str, ...],
    labels: Mapping[str, str],
    annotations: "Annotations | None",
    epoch: int | None,
    now: float,
    *,
    index: bool,
    docker: bool = False,
    squash: Squash | None = None,
) -> Exported:
    """The image of these parts, one for each platform; with `index` also where there is one only, with `docker` in
    documents of Docker's media types. Times are seconds, as `assemble` takes them. `squash` makes layers of each image
    one."""
    images: list[ImageDocuments] = []
    for part in parts:
        platform = part.platform or part.config.platform
        made = assemble(
            part.config,
            part.base_layers,
            part.base_history,
            part.items,
            part.made,
            labels,
            annotations.on("manifest", platform) if annotations else {},
            epoch,
            now,
            part.cache,
        )
        if squash is not None:
            made = squash(made, len(part.base_layers))
        if docker:
            made = _docker(made)
        notes = annotations.on("manifest-descriptor", platform) if annotations else {}
        images.append(made._replace(descriptor=made.descriptor._replace(platform=platform, annotations=notes)))
    documents = {}
    for image in images:
        documents[image.descriptor.digest] = image.manifest
        documents[image.config_descriptor.digest] = image.config
    layers = tuple({layer.digest: layer for image in images for layer in image.layers}.values())
    if not index:
        (only,) = images
        diff_ids = only.image_config.diff_ids
        return Exported(names, only.descriptor, only.config_descriptor, only.layers, documents, diff_ids)
    notes = annotations.on("index") if annotations else {}
    kind = DOCKER_INDEX if docker else INDEX
    raw = canonical(Index(tuple(i.descriptor for i in images), kind, notes).to_json())
    root = Descriptor(kind, digest_of(raw), len(raw), annotations.on("index-descriptor") if annotations else {})
    diff_ids = tuple(dict.fromkeys(diff_id for image in images for diff_id in image.image_config.diff_ids))
    return Exported(names, root, None, layers, {**documents, root.digest: raw}, diff_ids)
