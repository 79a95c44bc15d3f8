"""Archives of `docker save`, old and new, as places to copy from."""

from collections.abc import Iterable
from hashlib import sha256
from typing import IO, NamedTuple

from kezuri.diagnostics import KezuriError, nearest
from kezuri.images.layout import Layout
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import (
    CONFIG,
    LAYER,
    LAYER_GZIP,
    LAYER_ZSTD,
    MANIFEST,
    MOST_BYTES,
    Descriptor,
    Index,
    Manifest,
    canonical,
    digest_of,
)
from kezuri.oci.fields import Fields
from kezuri.oci.reference import Reference
from kezuri.registry.image import Document
from kezuri.registry.sink import BlobSink
from kezuri.store.archive_file import ArchiveFile
from kezuri.transfer.doors import Progress
from kezuri.transfer.layouts import absent
from kezuri.transfer.pouring import pour

_CHUNK = 1 << 20
_MEDIA_TYPES = {"plain": LAYER, "gzip": LAYER_GZIP, "zstd": LAYER_ZSTD}


class Saved(NamedTuple):
    """One image as manifest.json lists it: the names of its config and its layers in the archive, lowest layer first,
    and its own names."""

    config: str
    layers: tuple[str, ...]
    tags: tuple[str, ...]


class DockerArchive:
    """The images of an archive that has a manifest.json. KezuriError when it has none. `layout` is the OCI layout that
    newer archives hold over the same files: manifests come from there, so that they keep their digests."""

    def __init__(self, archive: ArchiveFile, layout: Layout | None = None) -> None:
        self.where = archive.where
        self._archive = archive
        self._layout = layout
        raw = archive.document("manifest.json", MOST_BYTES)
        if raw is None:
            old = archive.size("repositories") is not None
            raise KezuriError.of(
                f"{self.where}: not an archive of `docker save`: it has no manifest.json",
                hint="docker 1.9 and older made it: load it with a docker of its time, and save it with a newer one"
                if old
                else "for an OCI archive write oci-archive:FILE",
                exit_code=125,
            )
        listed = Fields.parse(b'{"images":' + raw + b"}", f"{self.where}: manifest.json").objects("images")
        self.images = tuple(
            Saved(image.text("Config"), image.texts("Layers"), image.texts("RepoTags")) for image in listed
        )

    def find(self, selector: str) -> Saved:
        """The image of a name, or the one at `@N` counted from 0; without a selector the only one."""
        if selector.startswith("@"):
            number = int(selector[1:]) if selector[1:].isdecimal() and len(selector) < 9 else -1
            if not 0 <= number < len(self.images):
                raise self._none(selector)
            return self.images[number]
        if not selector:
            if len(self.images) == 1:
                return self.images[0]
            raise KezuriError.of(
                f"{self.where}: holds {len(self.images)} images, and none was named",
                hint=self._choices(),
                exit_code=125,
            )
        wanted = Reference.parse(selector)
        for image in self.images:
            if any(Reference.maybe(tag) == wanted for tag in image.tags):
                return image
        raise self._none(selector)

    def source(self, image: Saved) -> "DockerArchiveSource":
        """What the image can be copied from."""
        return DockerArchiveSource(self._archive, image, self._layout)

    def _none(self, selector: str) -> KezuriError:
        near = nearest(selector, [tag for image in self.images for tag in image.tags])
        hint = f"did you mean {near!r}?" if near else self._choices()
        return KezuriError.of(f"{self.where}: holds no image {selector!r}", hint=hint, exit_code=125)

    def _choices(self) -> str:
        names = [image.tags[0] if image.tags else f"@{n}" for n, image in enumerate(self.images)]
        return f"it holds: {', '.join(names[:20])}{' …' if len(names) > 20 else ''}" if names else "it holds none"


class DockerArchiveSource:
    """One image of such an archive. Where the archive has no manifest of it, one is made: the layers as they lie there,
    and the config with which the image keeps its id."""

    def __init__(self, archive: ArchiveFile, image: Saved, layout: Layout | None) -> None:
        self.where = f"{archive.where}: {image.tags[0]}" if image.tags else archive.where
        self._archive = archive
        self._image = image
        self._layout = layout
        self._members: dict[str, str] = {}
        self._root: Document | None = None

    def root(self) -> Document:
        """The image's manifest."""
        if self._root is None:
            self._root = self._made()
        return self._root

    def document(self, descriptor: Descriptor) -> Document:
        """The manifest again: there is no other."""
        root = self.root()
        if descriptor.digest != root.descriptor.digest:
            raise absent(descriptor, self.where)
        return root

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A blob's bytes, not verified."""
        return self._archive.open_member(self._members[descriptor.digest])

    def prepare(self, descriptors: tuple[Descriptor, ...], progress: Progress) -> None:
        """Nothing: they are at hand."""

    def bring(self, descriptors: Iterable[Descriptor], sink: BlobSink, progress: Progress) -> None:
        """Copy blobs into the sink."""
        pour(self.open, descriptors, sink, progress, self.where)

    def referrers(self, digest: str) -> tuple[Descriptor, ...]:
        """None: such archives hold images only."""
        return ()

    def _made(self) -> Document:
        raw = self._archive.document(self._image.config, MOST_BYTES)
        if raw is None:
            raise KezuriError.of(
                f"{self.where}: the image's config {self._image.config[:200]!r} is not in the archive", exit_code=125
            )
        config = ImageConfig.parse(raw, self.where)
        if len(config.diff_ids) != len(self._image.layers):
            raise KezuriError.of(
                f"{self.where}: the image's config names {len(config.diff_ids)} layers, manifest.json "
                f"{len(self._image.layers)}",
                exit_code=125,
            )
        digest = digest_of(raw)
        layers = []
        for diff_id, name in zip(config.diff_ids, self._image.layers):
            layer = self._layer(diff_id, name)
            self._members[layer.digest] = name
            layers.append(layer)
        self._members[digest] = self._image.config
        known = self._manifest_of(digest, {layer.digest for layer in layers})
        if known is not None:
            return known
        content = Manifest(Descriptor(CONFIG, digest, len(raw)), tuple(layers))
        made = canonical(content.to_json())
        platform = config.platform if config.platform.architecture else None
        return Document(Descriptor(MANIFEST, digest_of(made), len(made), platform=platform), made, content)

    def _layer(self, diff_id: str, name: str) -> Descriptor:
        """The layer as it lies there: plain, and then its digest is the one that the config names, or compressed."""
        from kezuri.layer.decompression import detect

        size = self._archive.size(name)
        if size is None:
            raise KezuriError.of(
                f"{self.where}: the layer {name[:200]!r} is not in the archive",
                hint="the archive is incomplete: save the image again",
                exit_code=125,
            )
        with self._archive.open_member(name) as file:
            head = file.read(512)
            media_type = _MEDIA_TYPES.get(detect(head), "")
            if not media_type:
                raise KezuriError.of(
                    f"{self.where}: the layer {name[:200]!r} is compressed in a way that images do not have",
                    exit_code=125,
                )
            if media_type == LAYER:
                return Descriptor(LAYER, diff_id, size)
            hashed = sha256(head)
            while piece := file.read(_CHUNK):
                hashed.update(piece)
        return Descriptor(media_type, "sha256:" + hashed.hexdigest(), size)

    def _manifest_of(self, config: str, layers: set[str]) -> Document | None:
        """The manifest that the layout in the same archive has of the image, if it has one of the same layers."""
        if self._layout is None:
            return None
        todo = list(self._layout.entries())
        for _ in range(1000):
            if not todo:
                return None
            entry = todo.pop(0)
            if not self._layout.has(entry.digest):
                continue
            document = self._layout.document(entry)
            if isinstance(document.content, Index):
                todo += document.content.manifests
            elif document.content.config.digest == config and {d.digest for d in document.content.layers} == layers:
                return document
        return None
