"""From recipes to images."""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from kezuri.bases import STAND_IN, LayoutSink, Recipe, assemble, find, recipes, write_layout
from kezuri.bases.alpine import applets, home_of
from kezuri.bases.deb import Deb
from kezuri.bases.golang import place as place_go
from kezuri.bases.layer_writer import LayerWriter
from kezuri.bases.recipe import Layer
from kezuri.diagnostics import KezuriError
from kezuri.oci import ImageConfig, Index, Manifest, Platform, Reference

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


def test_names_are_full_and_of_one_recipe_each() -> None:
    names = [n for r in recipes(AMD64) for n in (r.name, *r.aliases)]
    assert len(names) == len(set(names))
    for name in names:
        assert str(Reference.parse(name)) == name


@pytest.mark.parametrize(
    "text",
    [
        "golang:1.24-alpine",
        "golang:1.17.2-alpine",
        "golang:1.23-alpine",
        "node:20-alpine",
        "node:22.23.3-alpine",
        "alpine",
        "alpine:3.19",
        "busybox",
        "gcr.io/distroless/static",
    ],
)
@pytest.mark.parametrize("platform", [AMD64, ARM64, Platform.parse("linux/amd64/v3")])
def test_official_names_are_found(text: str, platform: Platform) -> None:
    recipe = find(Reference.parse(text), platform)
    assert recipe is not None
    assert recipe.platform.architecture == platform.architecture
    assert recipe.config.labels == {}


def test_what_is_not_there_is_none() -> None:
    assert find(Reference.parse("golang:1.9-alpine"), AMD64) is None
    assert find(Reference.parse("example.com/library/alpine"), AMD64) is None
    assert find(Reference.parse("alpine"), Platform("linux", "riscv64")) is None
    assert find(Reference.parse("alpine"), Platform("windows", "amd64")) is None
    assert find(Reference.parse("alpine@sha256:" + "0" * 64), AMD64) is None


def test_applets_are_read_from_the_program() -> None:
    names = ["[", "[[", "ash", *(f"tool{n:03}" for n in range(100)), "sh", "zcat"]
    program = b"\x7fELF..." + b"\0".join(n.encode() for n in names) + b"\0\0usage"
    assert applets(program) == tuple(names)
    with pytest.raises(KezuriError, match="no table of applets"):
        applets(b"\x7fELF")
    with pytest.raises(KezuriError, match="ends after 3 names"):
        applets(b"[\0[[\0sh\0\0")
    assert [home_of(n) for n in ("sh", "ip", "chroot", "awk")] == ["bin", "sbin", "usr/sbin", "usr/bin"]


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("usr/lib/go-1.24/bin/go", "usr/local/go/bin/go"),
        ("usr/lib/go-1.24/src", None),
        ("usr/lib/go-1.24/pkg/include", None),
        ("usr/share/go-1.24/pkg/include/textflag.h", "usr/local/go/pkg/include/textflag.h"),
        ("usr/share/go-1.24/src/fmt/print.go", "usr/local/go/src/fmt/print.go"),
        ("usr/share/go-1.24/src/fmt/print_test.go", None),
        ("usr/share/go-1.24/test/x.go", None),
        ("usr/share/doc/golang-1.24-go/copyright", "usr/share/doc/golang-1.24-go/copyright"),
        ("usr/share/lintian/overrides/golang-1.24-go", None),
    ],
)
def test_where_go_goes(path: str, place: str | None) -> None:
    assert place_go("1.24")(path) == place


class Sink:
    """Keeps what it is given, and checks it."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def put(self, path: str, digest: str, size: int) -> None:
        data = Path(path).read_bytes()
        assert digest == "sha256:" + hashlib.sha256(data).hexdigest() and size == len(data)
        self.blobs[digest] = data


def write_all(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
    layer.take(debs["small"], lambda path: path)


def small_recipe(write: Callable[[LayerWriter, Mapping[str, Deb], Platform], None] = write_all) -> Recipe:
    return Recipe(
        "example.com/small:1",
        (),
        AMD64,
        (Layer("all", ("small",), write),),
        ImageConfig(AMD64, env=("PATH=/bin",), cmd=("/usr/bin/program",)),
        "not the real one",
        (("SMALL_VERSION", "small"),),
    )


@pytest.fixture
def small(archive: Any, deb_maker: Callable[..., bytes]) -> Any:
    archive.add("small", deb_maker({"usr/bin/program": b"#!/bin/sh\n", "usr/bin/other": "program"}))
    archive.publish()
    return archive


def test_an_image_is_whole(small: Any, tmp_path: Path) -> None:
    sink = Sink()
    lines: list[str] = []
    made = assemble(
        small_recipe(), sink, str(tmp_path / "c"), mirror=small.url, allow_unsigned=True, report=lines.append
    )
    assert sink.blobs[made.descriptor.digest] == made.manifest
    manifest = Manifest.parse(made.manifest, "manifest")
    assert manifest.annotations == {STAND_IN: "not the real one"} == made.descriptor.annotations
    config = ImageConfig.parse(sink.blobs[manifest.config.digest], "config")
    assert config == made.config
    assert config.env == ("PATH=/bin", "SMALL_VERSION=1.0")
    assert config.labels == {}
    plain = [gzip.decompress(sink.blobs[layer.digest]) for layer in manifest.layers]
    assert config.diff_ids == tuple("sha256:" + hashlib.sha256(p).hexdigest() for p in plain)
    assert len([h for h in config.history if not h.empty_layer]) == len(plain) == 2
    with tarfile.open(fileobj=io.BytesIO(plain[0])) as tar:
        assert tar.getnames() == ["usr", "usr/bin", "usr/bin/program", "usr/bin/other"]
    with tarfile.open(fileobj=io.BytesIO(plain[1])) as tar:
        notice = tar.extractfile("etc/kezuri-standin")
        assert notice is not None
        text = notice.read().decode()
        assert "stand-in for example.com/small:1: not the real one" in text and "small 1:1.0-1 amd64 sha256:" in text
    assert any("127.0.0.1" in line for line in lines)
    assert not [n for n in os.listdir(tmp_path / "c") if n.startswith(".")]


def test_two_makings_are_the_same(small: Any, tmp_path: Path) -> None:
    first, second = (
        assemble(small_recipe(), Sink(), str(tmp_path / name), mirror=small.url, allow_unsigned=True)
        for name in ("one", "two")
    )
    assert first.manifest == second.manifest


def test_nothing_is_handed_over_when_something_is_wrong(small: Any, tmp_path: Path) -> None:
    def write(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
        with open("/proc/self/exe", "rb") as file:
            layer.file("bin/program", file.read())

    sink = Sink()
    with pytest.raises(KezuriError, match=r"the recipe for example.com/small:1 is incomplete: .*needs"):
        assemble(small_recipe(write), sink, str(tmp_path / "c"), mirror=small.url, allow_unsigned=True)
    assert sink.blobs == {}
    assert not [n for n in os.listdir(tmp_path / "c") if n.startswith(".")]


def test_the_mirror_comes_from_the_environment(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEZURI_DEBIAN_MIRROR", small.url)
    assert assemble(small_recipe(), Sink(), str(tmp_path), allow_unsigned=True)


def test_a_layout_is_extended_and_replaced(small: Any, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    made = assemble(small_recipe(), LayoutSink(str(layout)), str(tmp_path / "c"), mirror=small.url, allow_unsigned=True)
    for name in ("example.com/a:1", "example.com/b:1", "example.com/a:1"):
        write_layout(str(layout), name, made)
    assert json.loads((layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = Index.parse((layout / "index.json").read_bytes(), "index")
    assert [m.annotations["org.opencontainers.image.ref.name"] for m in index.manifests] == [
        "example.com/b:1",
        "example.com/a:1",
    ]
    for name in os.listdir(layout / "blobs" / "sha256"):
        assert hashlib.sha256((layout / "blobs" / "sha256" / name).read_bytes()).hexdigest() == name
    assert sorted(os.listdir(layout)) == ["blobs", "index.json", "oci-layout"]


def test_another_kind_of_layout_is_refused(small: Any, tmp_path: Path) -> None:
    made = assemble(small_recipe(), Sink(), str(tmp_path / "c"), mirror=small.url, allow_unsigned=True)
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')
    with pytest.raises(KezuriError, match=r"not an OCI image layout of version 1\.0\.0"):
        write_layout(str(tmp_path), "a", made)


def test_links_that_lie_in_wait_in_a_layout_are_not_written_through(small: Any, tmp_path: Path) -> None:
    victim, layout = tmp_path / "victim", tmp_path / "layout"
    victim.write_text("mine")
    made = assemble(small_recipe(), LayoutSink(str(layout)), str(tmp_path / "c"), mirror=small.url, allow_unsigned=True)
    (layout / f"index.json.{os.getpid()}.tmp").symlink_to(victim)
    write_layout(str(layout), "a", made)
    assert victim.read_text() == "mine"
    assert (layout / "index.json").stat().st_mode & 0o777 == 0o644
    (layout / "oci-layout").unlink()
    (layout / "oci-layout").symlink_to(tmp_path / "nobody's")
    with pytest.raises(OSError, match="symbolic links"):
        write_layout(str(layout), "b", made)
    assert not (tmp_path / "nobody's").exists()
