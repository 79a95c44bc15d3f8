"""Image layouts as a source: directories and archives, good and bad."""

import io
import json
import os
import random
import tarfile
from typing import Any

import pytest
from tests.registry.registry_faults import Image, make_image, make_index

from kezuri.diagnostics import KezuriError
from kezuri.images.layout import LayoutAddress, open_layout
from kezuri.oci import INDEX, MANIFEST, Platform, digest_of
from kezuri.registry import DirectorySink, MemorySink

AMD64 = Platform("linux", "amd64")
NAME = "org.opencontainers.image.ref.name"
FULL = "io.containerd.image.name"
LAYER = random.Random(3).randbytes(3_000_000)


def write_layout(path: str, *images: tuple[Image, dict[str, str]], extra: dict[str, bytes] | None = None) -> str:
    blobs = os.path.join(path, "blobs", "sha256")
    os.makedirs(blobs)
    entries = []
    for image, annotations in images:
        for data in (image.manifest, *image.blobs.values()):
            with open(os.path.join(blobs, digest_of(data)[7:]), "wb") as file:
                file.write(data)
        entries.append(
            {"mediaType": MANIFEST, "digest": image.digest, "size": len(image.manifest), "annotations": annotations}
        )
    for name, data in {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": entries}).encode(),
        **(extra or {}),
    }.items():
        with open(os.path.join(path, name), "wb") as file:
            file.write(data)
    return path


@pytest.fixture
def path(tmp_path: Any) -> str:
    return str(tmp_path / "layout")


ONE, TWO = make_image(LAYER), make_image(b"two")


def text(error: KezuriError) -> str:
    return "\n".join(f"{d.message}\n{d.hint}" for d in error.diagnostics)


@pytest.mark.parametrize(
    ("selector", "image"),
    [
        ("docker.io/library/node:20", ONE),
        ("node:20", ONE),
        ("20", ONE),
        (ONE.digest, ONE),
        ("ghcr.io/a/b:2", TWO),
        ("two", TWO),
        ("", TWO),
        ("latest", TWO),
    ],
)
def test_images_are_found(path: str, selector: str, image: Image) -> None:
    write_layout(
        path,
        (ONE, {NAME: "docker.io/library/node:20"}),
        (TWO, {NAME: "latest"}),
        (TWO, {NAME: "two", FULL: "ghcr.io/a/b:2"}),
    )
    with open_layout(path) as layout:
        found = layout.resolve(selector, AMD64)
        assert (found.descriptor.digest, found.host, found.index_digest) == (image.digest, path, "")
        assert found.manifest_raw == image.manifest
        assert layout.names() == ["docker.io/library/node:20", "latest", "ghcr.io/a/b:2"]


def test_the_only_image_needs_no_name(path: str) -> None:
    write_layout(path, (ONE, {NAME: "a:1"}), (ONE, {NAME: "a:2"}))
    with open_layout(path) as layout:
        assert layout.resolve("", AMD64).descriptor.digest == ONE.digest


def test_images_that_are_not_there(path: str) -> None:
    write_layout(path, (ONE, {NAME: "docker.io/library/node:20"}), (TWO, {NAME: "docker.io/library/go:20"}))
    with open_layout(path) as layout:
        for selector, words in (
            ("node:21", "did you mean 'node:20'?"),
            ("", "2 images, and none was named\nit holds: docker.io/library/node:20, docker.io/library/go:20"),
            ("20", "several images are tagged '20'"),
            ("sha256:" + "0" * 64, "no image with digest"),
        ):
            with pytest.raises(KezuriError) as caught:
                layout.resolve(selector, AMD64)
            assert words in text(caught.value)
            assert path in text(caught.value)
            assert caught.value.exit_code == 125


def test_entries_of_one_name_for_several_platforms(path: str) -> None:
    arm = make_image(b"arm", architecture="arm64")
    index = make_index((arm, {"os": "linux", "architecture": "arm64"}), (ONE, {"os": "linux", "architecture": "amd64"}))
    write_layout(path, (arm, {}), (ONE, {}), extra={"index.json": index})
    with open_layout(path) as layout:
        assert layout.resolve("", AMD64).descriptor.digest == ONE.digest
        assert layout.resolve("", Platform("linux", "arm64")).descriptor.digest == arm.digest


def test_an_index_within_the_layout(path: str) -> None:
    arm = make_image(b"arm", architecture="arm64")
    index = make_index((arm, {"os": "linux", "architecture": "arm64"}), (ONE, {"os": "linux", "architecture": "amd64"}))
    write_layout(path, (arm, {}), (ONE, {}))
    with open(os.path.join(path, "blobs", "sha256", digest_of(index)[7:]), "wb") as file:
        file.write(index)
    entry = {"mediaType": INDEX, "digest": digest_of(index), "size": len(index), "annotations": {NAME: "x"}}
    with open(os.path.join(path, "index.json"), "w") as text_file:
        json.dump({"schemaVersion": 2, "manifests": [entry]}, text_file)
    with open_layout(path) as layout:
        found = layout.resolve("x", AMD64)
        assert (found.descriptor.digest, found.index_digest) == (ONE.digest, digest_of(index))
        assert layout.resolve(arm.digest, AMD64).descriptor.digest == arm.digest


def test_blobs_are_copied(path: str, tmp_path: Any) -> None:
    write_layout(path, (ONE, {NAME: "a:1"}))
    sink = DirectorySink(str(tmp_path / "sink"))
    heard: list[int] = []
    with open_layout(path) as layout:
        layout.fetch_all(layout.resolve("", AMD64).manifest.layers, sink, lambda d, n, of: heard.append(n))
    with open(sink.path(digest_of(LAYER)), "rb") as file:
        assert file.read() == LAYER
    assert heard[-1] == len(LAYER)


def test_an_archive_is_read_where_it_lies(path: str, tmp_path: Any) -> None:
    write_layout(path, (ONE, {NAME: "a:1"}), (TWO, {NAME: "a:2"}))
    archive = str(tmp_path / "a.tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(path, ".")
    sink = MemorySink()
    with open_layout(archive) as layout:
        layout.fetch_all(layout.resolve("a:1", AMD64).manifest.layers, sink)
    assert sink.blobs[digest_of(LAYER)] == LAYER


def test_a_missing_or_damaged_blob_is_named(path: str) -> None:
    write_layout(path, (ONE, {NAME: "a:1"}))
    blob = os.path.join(path, "blobs", "sha256", digest_of(LAYER)[7:])
    sink = MemorySink()
    with open_layout(path) as layout:
        (layer,) = layout.resolve("a:1", AMD64).manifest.layers
        for damage, words in ((LAYER[:-1], "2999999 bytes instead of 3000000"), (b"x" + LAYER[1:], "its digest is")):
            with open(blob, "wb") as file:
                file.write(damage)
            with pytest.raises(KezuriError, match=f"{digest_of(LAYER)} is damaged: {words}"):
                layout.fetch(layer, sink)
        os.unlink(blob)
        with pytest.raises(KezuriError, match="is missing"):
            layout.fetch(layer, sink)
        os.mkfifo(blob)
        with pytest.raises(KezuriError, match="is missing"):
            layout.fetch(layer, sink)
        with open(os.path.join(path, "blobs", "sha256", ONE.digest[7:]), "r+b") as file:
            file.write(b"X")
        with pytest.raises(KezuriError, match=f"{ONE.digest} is damaged"):
            layout.resolve("a:1", AMD64)
    assert sink.blobs == {}


def pack(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name.replace("_", ".", 1) if name.endswith("_json") else name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "neither a directory nor a tar"),
        (b"hello" * 1000, "neither a directory nor a tar"),
        (b"\x1f\x8b\x08\x00" + b"x" * 600, "gzip: damaged data"),
        (b"(\xb5/\xfd" + b"x" * 600, "zstd: damaged data"),
        (pack(manifest_json=b"[]"), "docker save"),
    ],
)
def test_files_that_are_no_layouts(path: str, data: bytes, words: str) -> None:
    with open(path, "wb") as file:
        file.write(data)
    with pytest.raises(KezuriError) as caught:
        open_layout(path)
    assert words in text(caught.value)
    assert path in text(caught.value)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"oci-layout": b"x"}, "of version 1"),
        ({"oci-layout": b'{"imageLayoutVersion": "2.0"}'}, "of version 1"),
        ({"index.json": b"x"}, "not a JSON document"),
        ({"index.json": b'{"manifests": 7}'}, "not an image index"),
        ({"index.json": b'{"manifests": [], "annotations": "x"}'}, "annotations is a text, not an object"),
    ],
)
def test_directories_that_are_no_layouts(path: str, extra: dict[str, bytes], words: str) -> None:
    write_layout(path, (ONE, {}), extra=extra)
    with pytest.raises(KezuriError, match=words):
        open_layout(path)


def test_nothing_there(path: str) -> None:
    with pytest.raises(KezuriError, match="no such OCI image layout") as none:
        open_layout(path)
    assert none.value.exit_code == 1
    os.mkdir(path)
    with pytest.raises(KezuriError, match="it has no oci-layout"):
        open_layout(path)


D = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text_", "there", "address"),
    [
        ("oci-layout:///a/b", "/a/b", ("/a/b", "")),
        ("oci-layout://b:1", "b", ("b", "1")),
        ("oci-layout:///a/b:docker.io/library/node:20", "/a/b", ("/a/b", "docker.io/library/node:20")),
        ("/a/b:localhost:5000/x:1", "/a/b", ("/a/b", "localhost:5000/x:1")),
        (f"/a/b@{D}", "/a/b", ("/a/b", D)),
        (f"/a/b:1@{D}", "/a/b", ("/a/b", D)),
        ("/a:b/c", "/a:b/c", ("/a:b/c", "")),
        ("/a:b/c:1", "/a:b/c", ("/a:b/c", "1")),
        ("/missing:x/y:1", "", ("/missing", "x/y:1")),
        ("/missing", "", ("/missing", "")),
    ],
)
def test_addresses(text_: str, there: str, address: tuple[str, str]) -> None:
    assert LayoutAddress.parse(text_, lambda p: p == there) == address


def test_an_address_with_a_bad_digest() -> None:
    with pytest.raises(KezuriError, match="not a digest"):
        LayoutAddress.parse("/a@sha256:12")
