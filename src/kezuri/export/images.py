"""What a build gives as an image: one manifest, or an index with one for each platform."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kezuri.export.image import ImageDocuments, LayerBlob, assemble
from kezuri.oci.config import HistoryEntry, ImageConfig
from kezuri.oci.descriptor import INDEX, Descriptor, Index, canonical, digest_of
from kezuri.oci.platform import Platform
from kezuri.plan.operation import HistoryItem

if TYPE_CHECKING:
    from kezuri.export.annotations import Annotations


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
    what the build was asked for, None when the config says it."""

    platform: Platform | None
    config: ImageConfig
    base_layers: Sequence[LayerBlob]
    base_history: Sequence[HistoryEntry]
    items: Sequence[HistoryItem]
    made: Mapping[tuple[int, int], LayerBlob]


def compose(
    parts: Sequence[Parts],
    names: tuple[str, ...],
    labels: Mapping[str, str],
    annotations: "Annotations | None",
    epoch: int | None,
    now: float,
    *,
    index: bool,
) -> Exported:
    """The image of these parts, one for each platform; with `index` also where there is one only. Times are seconds,
    as `assemble` takes them."""
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
        )
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
    raw = canonical(Index(tuple(i.descriptor for i in images), INDEX, notes).to_json())
    root = Descriptor(INDEX, digest_of(raw), len(raw), annotations.on("index-descriptor") if annotations else {})
    diff_ids = tuple(dict.fromkeys(diff_id for image in images for diff_id in image.image_config.diff_ids))
    return Exported(names, root, None, layers, {**documents, root.digest: raw}, diff_ids)
