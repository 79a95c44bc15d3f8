"""A store with images that were put into it by hand, of any form, and what is in them."""

import gzip
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kezuri.app.request import Settings
from kezuri.layer.decompression import decompress
from kezuri.layer.listing import Listing
from kezuri.linux.ownership import Privilege
from kezuri.oci.descriptor import (
    CONFIG,
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    INDEX,
    LAYER_GZIP,
    MANIFEST,
    Descriptor,
    Index,
    canonical,
    digest_of,
)
from kezuri.oci.platform import Platform
from kezuri.store.store import Store
from kezuri.tree.layers import ListedLayer
from kezuri.tree.stack import StackView
from kezuri.upkeep.soundness import Finding, Soundness


class Shelf:
    """The store, and its images."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(str(root))
        self.root = root

    def put(
        self,
        name: str,
        tars: Sequence[bytes],
        config: Mapping[str, Any] | None = None,
        *,
        docker: bool = False,
        history: list[dict[str, Any]] | None = None,
        annotations: Mapping[str, str] | None = None,
        layers: Sequence[Descriptor] = (),
        more: Mapping[str, Any] | None = None,
        architecture: str = "",
    ) -> Descriptor:
        """Put an image there; without a name when that is empty. `layers` are named without being there."""
        host = Platform.host()
        with Store(str(self.root)) as store:
            packed = [gzip.compress(tar, mtime=0) for tar in tars]
            kind = DOCKER_LAYER if docker else LAYER_GZIP
            blobs = [Descriptor(kind, store.blobs.put(data), len(data)) for data in packed]
            document = {
                "architecture": architecture or host.architecture,
                "os": "linux",
                "created": "2026-01-02T03:04:05Z",
                "config": {"Env": ["PATH=/bin"], **(config or {})},
                "rootfs": {
                    "type": "layers",
                    "diff_ids": [*map(digest_of, tars), *(layer.digest for layer in layers)],
                },
                "history": history if history is not None else [{"created_by": f"layer {i}"} for i in range(len(tars))],
                **(more or {}),
            }
            raw = canonical(document)
            manifest = canonical(
                {
                    "schemaVersion": 2,
                    "mediaType": DOCKER_MANIFEST if docker else MANIFEST,
                    "config": Descriptor(DOCKER_CONFIG if docker else CONFIG, store.blobs.put(raw), len(raw)).to_json(),
                    "layers": [layer.to_json() for layer in (*blobs, *layers)],
                    **({"annotations": annotations} if annotations else {}),
                }
            )
            pointer = Descriptor(
                DOCKER_MANIFEST if docker else MANIFEST,
                store.blobs.put(manifest),
                len(manifest),
                platform=Platform("linux", str(document["architecture"])),
            )
            if name:
                store.names.put(f"docker.io/library/{name}:latest", pointer)
        return pointer

    def put_index(
        self, name: str, manifests: Sequence[Descriptor], annotations: Mapping[str, str] | None = None
    ) -> str:
        """Put an index of these images there."""
        raw = canonical(Index(tuple(manifests), INDEX, annotations or {}).to_json())
        with Store(str(self.root)) as store:
            digest = store.blobs.put(raw)
            store.names.put(f"docker.io/library/{name}:latest", Descriptor(INDEX, digest, len(raw)))
        return digest

    def names(self) -> dict[str, str]:
        """The names, short, and the digests that they stand for."""
        with Store(str(self.root)) as store:
            return {
                name.removeprefix("docker.io/library/").removesuffix(":latest"): descriptor.digest
                for name, descriptor in store.names.all().items()
            }

    def blob(self, digest: str) -> bytes:
        return (self.root / "blobs" / "sha256" / digest[7:]).read_bytes()

    def document(self, digest: str) -> dict[str, Any]:
        return dict(json.loads(self.blob(digest)))

    def config(self, digest: str) -> dict[str, Any]:
        """The config of the image with this manifest."""
        return self.document(self.document(digest)["config"]["digest"])

    def settings_of(self, digest: str) -> dict[str, Any]:
        return dict(self.config(digest)["config"])

    def view(self, digest: str) -> StackView:
        """The files of an image, as its blobs have them."""
        forms: list[ListedLayer] = []
        for layer in self.document(digest)["layers"]:
            data = decompress(io.BytesIO(self.blob(layer["digest"])), "layer").read()
            listing = Listing.of_tar(io.BytesIO(data), lower=StackView(forms))
            forms.append(ListedLayer(listing, lambda data=data: io.BytesIO(data)))  # type: ignore[misc]
        return StackView(forms)

    def files(self, digest: str) -> dict[str, object]:
        """Every path with its metadata and its content."""
        view, found, todo = self.view(digest), {}, [""]
        while todo:
            for item in view.scan(todo.pop()):
                entry = item.entry
                if entry.kind == "dir":
                    todo.append(entry.path)
                found[entry.path] = entry, view.read(entry.path) if entry.kind == "file" else None
        return dict(found)

    def check(self) -> list[Finding]:
        """What is wrong with the store."""
        with Store(str(self.root)) as store:
            return list(Soundness(store, Privilege()).check(repair=False))
