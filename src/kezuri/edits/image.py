"""An image as a value that can be changed: its config and its manifest, and the two documents that they are."""

from collections.abc import Sequence
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci.config import HistoryEntry, ImageConfig
from kezuri.oci.descriptor import (
    CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    DOCKER_OF,
    INDEX,
    LAYER_GZIP,
    OCI_OF,
    Descriptor,
    Index,
    Manifest,
    canonical,
    digest_of,
)


class Layer(NamedTuple):
    """One layer: the digest of its plain bytes, and the blob that the manifest names for it."""

    diff_id: str
    blob: Descriptor


class Image(NamedTuple):
    """The image of one platform. Of a sound image, config and manifest have the same layers: see `checked`."""

    config: ImageConfig
    manifest: Manifest

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, lowest first."""
        return tuple(map(Layer, self.config.diff_ids, self.manifest.layers))

    def checked(self, name: str) -> "Image":
        """The image with a history that accounts for every layer, as readers count them. KezuriError naming the image
        when its config and its manifest do not have the same number of layers: nobody knows then which is which."""
        diff_ids, blobs = self.config.diff_ids, self.manifest.layers
        if len(diff_ids) != len(blobs):
            raise KezuriError.of(
                f"image {name}: its config names {len(diff_ids)} layers, its manifest {len(blobs)}", exit_code=125
            )
        history = accounted(self.config.history, len(blobs))
        return self._replace(config=self.config._replace(history=history))

    def with_layers(self, layers: Sequence[Layer], history: Sequence[HistoryEntry]) -> "Image":
        """The image with these layers and this history instead of its own."""
        config = self.config._replace(diff_ids=tuple(layer.diff_id for layer in layers), history=tuple(history))
        return Image(config, self.manifest._replace(layers=tuple(layer.blob for layer in layers)))

    def annotated(self, annotations: dict[str, str]) -> "Image":
        """The image with these annotations of its manifest beside those that it has, sorted by their keys."""
        together = {**self.manifest.annotations, **annotations}
        return self._replace(manifest=self.manifest._replace(annotations=dict(sorted(together.items()))))


class Documents(NamedTuple):
    """The bytes of an image's manifest and of its config."""

    manifest: bytes
    config: bytes

    @property
    def descriptor(self) -> Descriptor:
        """What points at the manifest; its media type is what the manifest says of itself."""
        manifest = Manifest.parse(self.manifest, "the manifest")
        return Descriptor(manifest.media_type, digest_of(self.manifest), len(self.manifest))

    def image(self, where: str) -> Image:
        """The image that they describe. KezuriError naming `where` when they do not describe one."""
        return Image(ImageConfig.parse(self.config, where), Manifest.parse(self.manifest, where))

    def of(self, image: Image) -> "Documents":
        """The documents of what this image has become. A document in which nothing changed keeps its bytes, and so its
        digest, whoever wrote it."""
        before = self.image("the image")
        config = self.config
        if image.config != before.config:
            config = canonical(image.config.to_json())
        elif image.manifest == before.manifest:
            return self
        settled = _in_one_form(image.manifest)
        kind = settled.config.media_type
        pointer = settled.config
        if config is not self.config:
            pointer = settled.config._replace(media_type=kind, digest=digest_of(config), size=len(config))
        return Documents(canonical(settled._replace(config=pointer).to_json()), config)


def accounted(history: Sequence[HistoryEntry], layers: int) -> tuple[HistoryEntry, ...]:
    """The history with exactly so many entries that have a layer. Where it has fewer, entries are added at its end;
    where it has more, the oldest are marked as empty (BuildKit's rules)."""
    entries = list(history)
    over = sum(not entry.empty_layer for entry in entries) - layers
    for number, entry in enumerate(entries):
        if over > 0 and not entry.empty_layer:
            entries[number] = entry._replace(empty_layer=True)
            over -= 1
    return (*entries, *(HistoryEntry(comment="imported from base image"),) * -over)


def index_of(manifests: Sequence[Descriptor], before: Index) -> Index:
    """The index of these manifests. It stays in docker's form as long as everything in it is, and says nothing that
    only an OCI index can say."""
    docker = before.media_type == DOCKER_INDEX and not before.annotations
    if docker and all(entry.media_type == DOCKER_MANIFEST and not entry.annotations for entry in manifests):
        return before._replace(manifests=tuple(manifests))
    return before._replace(manifests=tuple(manifests), media_type=INDEX)


def _in_one_form(manifest: Manifest) -> Manifest:
    """The manifest, its config and its layers all in docker's form, if the manifest is and can say all that it says;
    else all in OCI's form."""
    kinds = [manifest.config.media_type, *(layer.media_type for layer in manifest.layers)]
    docker = (
        manifest.media_type == DOCKER_MANIFEST
        and not manifest.annotations
        and manifest.subject is None
        and all(kind in OCI_OF or kind in (CONFIG, LAYER_GZIP) for kind in kinds)
    )
    words = DOCKER_OF if docker else OCI_OF
    return manifest._replace(
        config=manifest.config.worded(words),
        layers=tuple(layer.worded(words) for layer in manifest.layers),
        media_type=words.get(manifest.media_type, manifest.media_type),
    )
