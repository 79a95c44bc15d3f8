"""Layers from pinned tarballs, and layers from several Debian releases."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from kezuri.app.bases import is_offered
from kezuri.bases import LayoutSink, Recipe, assemble, node, recipes
from kezuri.bases.deb import Deb
from kezuri.bases.layer_writer import Files, LayerWriter
from kezuri.bases.recipe import Layer, PinnedLayer
from kezuri.bases.tarball import Pin
from kezuri.diagnostics import KezuriError
from kezuri.oci import ImageConfig, Platform

AMD64 = Platform("linux", "amd64")


def tarball(*members: tuple[str, bytes, int], extra: tarfile.TarInfo | None = None) -> bytes:
    """An npm tarball: files with their modes, owned by somebody."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, content, mode in members:
            info = tarfile.TarInfo(f"package/{path}")
            info.size, info.mode, info.uid, info.gid = len(content), mode, 501, 20
            tar.addfile(info, io.BytesIO(content))
        if extra:
            tar.addfile(extra)
    return out.getvalue()


def pin(data: bytes) -> Pin:
    return Pin("tool", "1.0.0", hashlib.sha256(data).hexdigest(), len(data))


def recipe(data: bytes) -> Recipe:
    def write(layer: LayerWriter, tarballs: Mapping[str, Files]) -> None:
        layer.take(tarballs["tool"], lambda path: f"usr/local/{path}")

    layers = (PinnedLayer("tool", (pin(data),), write),)
    return Recipe("example.com/tool:1", (), AMD64, layers, ImageConfig(AMD64), "a test's")


def make(what: Recipe, layout: Path, archive: Any) -> list[tarfile.TarFile]:
    made = assemble(what, LayoutSink(str(layout)), str(layout.parent / "c"), mirror=archive.url, allow_unsigned=True)
    assert len(made.config.history) == len(made.config.diff_ids)
    blobs = [p.read_bytes() for p in (layout / "blobs" / "sha256").iterdir()]
    plain = {
        "sha256:" + hashlib.sha256(p).hexdigest(): p
        for p in map(gzip.decompress, (b for b in blobs if b[:1] == b"\x1f"))
    }
    return [tarfile.open(fileobj=io.BytesIO(plain[digest])) for digest in made.config.diff_ids]


@pytest.fixture
def registry(archive: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KEZURI_NPM_REGISTRY", archive.url.replace("/debian", "/npm/"))
    return archive


TOOL = tarball(("bin/tool", b"#!/bin/sh\n", 0o700), ("README", b"text", 0o666))


def test_a_pinned_tarball_becomes_a_layer(registry: Any, tmp_path: Path) -> None:
    registry.files["/npm/tool/-/tool-1.0.0.tgz"] = TOOL
    layer, notice = make(recipe(TOOL), tmp_path / "layout", registry)
    files = {m.name: (m.mode, m.uid, m.gid) for m in layer if m.isfile()}
    assert files == {"usr/local/bin/tool": (0o755, 0, 0), "usr/local/README": (0o644, 0, 0)}
    text = notice.extractfile("etc/kezuri-standin")
    assert text is not None and f"tool 1.0.0 sha256:{pin(TOOL).sha256}" in text.read().decode()
    assert not [path for path in registry.asked if "/debian/" in path], "no package of Debian's is needed"


def test_another_tarball_than_the_pinned_one_is_refused(registry: Any, tmp_path: Path) -> None:
    registry.files["/npm/tool/-/tool-1.0.0.tgz"] = TOOL[:-1] + b"!"
    with pytest.raises(KezuriError, match=r"tool-1\.0\.0\.tgz: \d+ bytes with SHA-256 .* but it must have"):
        make(recipe(TOOL), tmp_path / "layout", registry)


def test_a_registry_that_lacks_a_tarball_is_named(registry: Any, tmp_path: Path) -> None:
    with pytest.raises(KezuriError, match=r"/npm/tool/-/tool-1\.0\.0\.tgz: the server answered 404"):
        make(recipe(TOOL), tmp_path / "layout", registry)


def test_a_link_in_a_tarball_is_refused(registry: Any, tmp_path: Path) -> None:
    link = tarfile.TarInfo("package/bin/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    data = tarball(("README", b"", 0o644), extra=link)
    registry.files["/npm/tool/-/tool-1.0.0.tgz"] = data
    with pytest.raises(KezuriError, match=r"tool 1\.0\.0 of the npm registry: package/bin/link is no file"):
        make(recipe(data), tmp_path / "layout", registry)


def test_layers_come_from_several_releases(archive: Any, tmp_path: Path, deb_maker: Callable[..., bytes]) -> None:
    def take(layer: LayerWriter, debs: Mapping[str, Deb], platform: Platform) -> None:
        (package,) = debs.values()
        layer.take(package, lambda path: path)

    archive.add("small", deb_maker({"usr/new": b"1"}))
    archive.publish()
    archive.packages.clear()
    archive.suite = "stable"
    archive.add("old", deb_maker({"usr/old": b"2"}))
    archive.publish()
    layers = (Layer("new", ("small",), take), Layer("old", ("old",), take, "stable"))
    what = Recipe("example.com/two:1", (), AMD64, layers, ImageConfig(AMD64), "a test's", (("OLD", "old"),))
    assert what.packages == {"trixie": ("small",), "stable": ("old",)}
    new, old, notice = make(what, tmp_path / "layout", archive)
    assert new.getnames() == ["usr", "usr/new"] and old.getnames() == ["usr/old"]
    text = notice.extractfile("etc/kezuri-standin")
    assert text is not None
    assert (
        "Made from Debian trixie:\nsmall " in (said := text.read().decode())
        and "Made from Debian stable:\nold " in said
    )


def test_a_layer_replaces_files_of_layers_below_only_when_told() -> None:
    from kezuri.bases.layer_writer import Placed

    with LayerWriter(io.BytesIO(), {"etc": Placed("dir", 0o755), "etc/passwd": Placed("file", 0o644)}) as layer:
        layer.file("etc/passwd", "node", replaces=True)
        with pytest.raises(KezuriError, match="etc/passwd: two packages"):
            layer.file("etc/passwd", "again", replaces=True)


def test_every_release_has_a_program_for_every_architecture() -> None:
    for platform in (AMD64, Platform("linux", "arm64")):
        found = {r.name for r in recipes(platform)}
        for release in node.RELEASES:
            assert f"docker.io/library/node:{release.major}-alpine" in found
            assert release.programs[platform.architecture].version == release.version


def test_further_names_of_an_image_are_offered() -> None:
    assert is_offered("golang:1.17.2-alpine") and is_offered("docker.io/library/node:20.20.2-alpine3.22")
    assert not is_offered("node:4")
