"""Images for tests of copying: layouts by hand, archives of `docker save` as docker 1.10 to 24 wrote them."""

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from tests.images.test_images_layout import write_layout
from tests.registry.registry_faults import Image, make_image, make_index

from kezuri.oci import INDEX, Descriptor, digest_of
from kezuri.oci.descriptor import MANIFEST, canonical

NAME = "org.opencontainers.image.ref.name"
AMD64 = {"os": "linux", "architecture": "amd64"}
ARM64 = {"os": "linux", "architecture": "arm64"}


def tar_of(*files: tuple[str, bytes]) -> bytes:
    """A plain tar with these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def image(*texts: str, architecture: str = "amd64", **extra: Any) -> Image:
    """An image with a gzip layer for each text."""
    layers = [gzip.compress(tar_of((f"f{i}", text.encode())), mtime=0) for i, text in enumerate(texts)]
    return make_image(*layers, architecture=architecture, **extra)


def several() -> tuple[bytes, Image, Image, Image]:
    """An index nested in an index: amd64 on the outside, arm64 within, and an attestation. The outer index, and the
    three images."""
    amd, arm = image("base", "amd"), image("base", "arm", architecture="arm64")
    said = image("attested")
    inner = make_index((arm, ARM64))
    outer = json.loads(make_index((amd, AMD64), (said, {"os": "unknown", "architecture": "unknown"})))
    outer["manifests"][1]["annotations"] = {"vnd.docker.reference.type": "attestation-manifest"}
    outer["manifests"].append({"mediaType": INDEX, "digest": digest_of(inner), "size": len(inner)})
    return canonical(outer), amd, arm, said


def layout_of_several(path: Path) -> tuple[str, bytes]:
    """A layout with the index above under the tag `several`, and that index."""
    outer, amd, arm, said = several()
    inner = make_index((arm, ARM64))
    where = write_layout(str(path), (amd, {NAME: "amd"}), (arm, {NAME: "arm"}), (said, {NAME: "said"}))
    for raw in (outer, inner):
        (path / "blobs" / "sha256" / digest_of(raw)[7:]).write_bytes(raw)
    top = json.loads((path / "index.json").read_bytes())
    top["manifests"].append(
        {"mediaType": INDEX, "digest": digest_of(outer), "size": len(outer), "annotations": {NAME: "several"}}
    )
    (path / "index.json").write_text(json.dumps(top))
    return where, outer


def layout_of_two(path: Path) -> tuple[str, bytes]:
    """A layout with an index for amd64 and arm64 under the tag `two`, and that index: skopeo knows no nested ones."""
    amd, arm = image("base", "amd"), image("base", "arm", architecture="arm64")
    where = write_layout(str(path), (amd, {NAME: "amd"}), (arm, {NAME: "arm"}))
    raw = make_index((amd, AMD64), (arm, ARM64))
    (path / "blobs" / "sha256" / digest_of(raw)[7:]).write_bytes(raw)
    top = json.loads((path / "index.json").read_bytes())
    top["manifests"].append(
        {"mediaType": INDEX, "digest": digest_of(raw), "size": len(raw), "annotations": {NAME: "two"}}
    )
    (path / "index.json").write_text(json.dumps(top))
    return where, raw


def refer(path: Path, subject: bytes, text: str) -> bytes:
    """An artifact in the layout that refers to a manifest of it; its manifest."""
    config, layer = b"{}", text.encode()
    raw = canonical(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.example.note",
            "config": Descriptor("application/vnd.oci.empty.v1+json", digest_of(config), len(config)).to_json(),
            "layers": [Descriptor("text/plain", digest_of(layer), len(layer)).to_json()],
            "subject": Descriptor(MANIFEST, digest_of(subject), len(subject)).to_json(),
        }
    )
    for data in (raw, config, layer):
        (path / "blobs" / "sha256" / digest_of(data)[7:]).write_bytes(data)
    top = json.loads((path / "index.json").read_bytes())
    top["manifests"].append({"mediaType": MANIFEST, "digest": digest_of(raw), "size": len(raw)})
    (path / "index.json").write_text(json.dumps(top))
    return raw


class Tarring:
    """A tar written entry by entry, as hostile as one likes."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._out, mode="w", format=tarfile.GNU_FORMAT)  # noqa: SIM115

    def file(self, name: str, data: bytes) -> "Tarring":
        info = tarfile.TarInfo(name)
        info.size = len(data)
        self._tar.addfile(info, io.BytesIO(data))
        return self

    def link(self, name: str, target: str, *, hard: bool = False) -> "Tarring":
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.LNKTYPE if hard else tarfile.SYMTYPE, target
        self._tar.addfile(info)
        return self

    def bytes(self) -> bytes:
        self._tar.close()
        return self._out.getvalue()


def docker_save(tags: list[str], *layers: bytes, linked: bool = False, **changes: Any) -> bytes:
    """As docker 1.10 to 24 saved an image: a directory for each layer. With `linked` the second layer's tar is a link
    to the first's, as docker wrote layers that occur twice. `changes` replace fields of manifest.json."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["/hello"]},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
        }
    ).encode()
    out = Tarring().file(f"{digest_of(config)[7:]}.json", config)
    names = []
    for i, layer in enumerate(layers):
        directory = f"{i:064x}"
        names.append(f"{directory}/layer.tar")
        out.file(f"{directory}/VERSION", b"1.0")
        if linked and i == 1:
            out.link(names[-1], f"../{0:064x}/layer.tar")
        else:
            out.file(names[-1], layer)
    saved = {"Config": f"{digest_of(config)[7:]}.json", "RepoTags": tags or None, "Layers": names, **changes}
    return out.file("manifest.json", json.dumps([saved]).encode()).bytes()


def with_config(text: str, **fields: Any) -> Image:
    """An image of one layer whose config has these fields too (`created`, `config`)."""
    made = image(text)
    manifest = json.loads(made.manifest)
    old = manifest["config"]["digest"]
    raw = canonical({**json.loads(made.blobs[old]), **fields})
    manifest["config"].update(digest=digest_of(raw), size=len(raw))
    data = canonical(manifest)
    blobs = {digest: blob for digest, blob in made.blobs.items() if digest != old} | {digest_of(raw): raw}
    return Image(data, blobs, made.layers, digest_of(data))
