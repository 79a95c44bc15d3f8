"""Debian as an image: what dpkg is told of the packages, and what is made of them for Python, Java and uv."""

import gzip
import hashlib
import io
import json
import struct
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from kezuri.bases import Handed, LayoutSink, Recipe, assemble
from kezuri.bases.deb import Deb, Package
from kezuri.bases.debian import more, records
from kezuri.bases.java import keystore
from kezuri.bases.layer_writer import Files, LayerWriter
from kezuri.bases.python import PYTHON
from kezuri.bases.recipe import PinnedLayer
from kezuri.bases.wheel import Wheel, WheelPin
from kezuri.diagnostics import KezuriError
from kezuri.oci import ImageConfig, Platform

AMD64 = Platform("linux", "amd64")
Maker = Callable[..., bytes]


def deb(maker: Maker, directory: Path, name: str, files: dict[str, Any], **controls: str) -> Deb:
    text = f"Package: {name}\nVersion: 1.0-1\nArchitecture: amd64\n" + controls.pop("fields", "")
    raw = maker(files, controls={"control": text.encode(), **{key: value.encode() for key, value in controls.items()}})
    (directory / f"{name}.deb").write_bytes(raw)
    return Deb(Package(name, "1.0-1", "amd64", "", len(raw), ""), str(directory / f"{name}.deb"))


def written(write: Callable[[LayerWriter], None], below: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """The files of a layer."""
    out = io.BytesIO()
    with LayerWriter(out, below or {}) as layer:
        write(layer)
        layer.finish()
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(out.getvalue()))) as tar:
        found = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
        return {name: file.read() for name, file in found.items() if file is not None}


def test_dpkg_knows_what_is_installed(tmp_path: Path, deb_maker: Maker) -> None:
    debs = {
        "tool": deb(
            deb_maker,
            tmp_path,
            "tool",
            {"etc": None, "etc/tool.conf": b"a = 1\n", "usr/bin/tool": b"#!/bin/sh\n"},
            conffiles="/etc/tool.conf\n",
            postinst="#!/bin/sh\n",
            triggers="interest-noawait ldconfig\ninterest /usr/share/icons\nactivate-noawait other\n",
        ),
        "libtool": deb(
            deb_maker, tmp_path, "libtool", {"usr/lib/l.so": b""}, fields="Multi-Arch: same\n", md5sums="x\n"
        ),
    }
    files = written(lambda layer: records(layer, debs, ("tool", "libtool")))
    status = files["var/lib/dpkg/status"].decode().split("\n\n")
    digest = hashlib.md5(b"a = 1\n").hexdigest()
    assert status[0].splitlines() == [
        "Package: tool",
        "Status: install ok installed",
        "Version: 1.0-1",
        "Architecture: amd64",
        "Conffiles:",
        f" /etc/tool.conf {digest}",
    ]
    assert status[1].splitlines()[-1] == "Multi-Arch: same" and status[2:] == [""]
    info = "var/lib/dpkg/info"
    assert files[f"{info}/tool.list"] == b"/.\n/etc\n/etc/tool.conf\n/usr/bin/tool\n"
    assert files[f"{info}/tool.postinst"] == b"#!/bin/sh\n" and f"{info}/tool.control" not in files
    assert files[f"{info}/libtool:amd64.md5sums"] == b"x\n"
    assert files["var/lib/dpkg/triggers/File"] == b"/usr/share/icons tool\n"
    assert files["var/lib/dpkg/triggers/ldconfig"] == b"tool/noawait\n"
    assert "var/lib/dpkg/triggers/other" not in files


def test_packages_on_top_are_known_beside_those_below(tmp_path: Path, deb_maker: Maker) -> None:
    from kezuri.bases.layer_writer import Placed

    debs = {name: deb(deb_maker, tmp_path, name, {f"usr/bin/{name}": b"x"}) for name in ("below", "above")}
    with pytest.raises(KezuriError, match="two packages"):
        written(lambda layer: records(layer, debs, ("above",)), {"var/lib/dpkg/status": Placed("file", 0o644)})
    below = {"var/lib/dpkg/status": Placed("file", 0o644)}
    files = written(lambda layer: more(layer, debs, ("above",), ("below",)), below)
    assert [line for line in files["var/lib/dpkg/status"].decode().splitlines() if line.startswith("Package")] == [
        "Package: below",
        "Package: above",
    ]
    assert files["usr/bin/above"] == b"x" and "usr/bin/below" not in files


def test_a_python_that_debian_has_changed_is_no_base(tmp_path: Path, deb_maker: Maker) -> None:
    home = "usr/lib/python3.13"
    for schemes, told in ((b"prefix_scheme = 'other'\n", "sysconfig"), (b"prefix_scheme = 'posix_local'\n", "pip")):
        debs = {name: deb(deb_maker, tmp_path, name, {}) for name in PYTHON.packages}
        files = {f"{home}/sysconfig/__init__.py": schemes, f"{home}/site.py": b"", f"{home}/EXTERNALLY-MANAGED": b""}
        debs["libpython3.13-minimal"] = deb(deb_maker, tmp_path, "libpython3.13-minimal", files)
        certificate = {"usr/share/ca-certificates/mozilla/a.crt": b"-----BEGIN CERTIFICATE-----\n"}
        debs["ca-certificates"] = deb(deb_maker, tmp_path, "ca-certificates", certificate)
        from kezuri.bases.debian import ESSENTIAL

        debs |= {name: deb(deb_maker, tmp_path, name, {}) for name in ESSENTIAL}
        with pytest.raises(KezuriError, match=told):
            written(lambda layer: PYTHON.write(layer, debs, AMD64))  # noqa: B023


def test_a_keystore_says_what_it_holds_and_that_it_is_whole() -> None:
    made = keystore([("root.crt", b"\x30\x03abc"), ("other.crt", b"\x30\x01x")])
    magic, version, count = struct.unpack(">III", made[:12])
    assert (magic, version, count) == (0xFEEDFEED, 2, 2)
    key = "changeit".encode("utf-16-be") + b"Mighty Aphrodite"
    assert hashlib.sha1(key + made[:-20]).digest() == made[-20:]
    tag, length = struct.unpack(">IH", made[12:18])
    assert (tag, made[18 : 18 + length]) == (2, b"root.crt")
    assert b"\0\x05X.509\0\0\0\x05\x30\x03abc" in made


WHEEL = io.BytesIO()
with zipfile.ZipFile(WHEEL, "w") as archive_:
    archive_.writestr("tool-1.0.data/scripts/tool", b"#!/bin/sh\n")
    archive_.writestr("tool/", b"")
    archive_.writestr("tool/__init__.py", b"")


def pin(data: bytes) -> WheelPin:
    return WheelPin("tool", "1.0", hashlib.sha256(data).hexdigest(), len(data), "packages/ab/tool-1.0-py3-none-any.whl")


def test_a_pinned_wheel_becomes_a_layer(archive: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = WHEEL.getvalue()
    monkeypatch.setenv("KEZURI_PYPI_FILES", archive.url.replace("/debian", "/"))
    archive.files["/packages/ab/tool-1.0-py3-none-any.whl"] = data

    def write(layer: LayerWriter, packages: Mapping[str, Files]) -> None:
        layer.take(packages["tool"], lambda path: path.rpartition("/")[2])

    layers = (PinnedLayer("tool", (pin(data),), write),)
    what = Recipe("example.com/tool:1", (), AMD64, layers, ImageConfig(AMD64), "a test's")
    sink = LayoutSink(str(tmp_path / "layout"))
    made = assemble(what, sink, str(tmp_path / "c"), mirror=archive.url, allow_unsigned=True)
    blobs = [
        gzip.decompress(p.read_bytes())
        for p in (tmp_path / "layout/blobs/sha256").iterdir()
        if p.read_bytes()[:1] == b"\x1f"
    ]
    (tar,) = [b for b in blobs if "sha256:" + hashlib.sha256(b).hexdigest() == made.config.diff_ids[0]]
    with tarfile.open(fileobj=io.BytesIO(tar)) as layer:
        assert [(member.name, member.mode) for member in layer] == [("tool", 0o755), ("__init__.py", 0o644)]
    assert any(b"Made from the Python Package Index:\ntool 1.0 sha256:" in blob for blob in blobs)
    archive.files["/packages/ab/tool-1.0-py3-none-any.whl"] = data[:-1] + b"!"
    with pytest.raises(KezuriError, match=r"\.whl: \d+ bytes with SHA-256 .* but it must have"):
        assemble(what, sink, str(tmp_path / "d"), mirror=archive.url, allow_unsigned=True)


def test_what_is_no_wheel_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"PK\3\4 no more")
    with pytest.raises(KezuriError, match=r"tool 1\.0 of the Python Package Index: not a wheel"):
        list(Wheel(pin(b""), str(tmp_path / "w")).members())


def test_images_share_the_layers_that_they_have_in_common(
    archive: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second image of a sink brings its own layers only; another sink is given everything."""
    data = WHEEL.getvalue()
    monkeypatch.setenv("KEZURI_PYPI_FILES", archive.url.replace("/debian", "/"))
    archive.files["/packages/ab/tool-1.0-py3-none-any.whl"] = data
    ran: list[str] = []

    def recipe(name: str, *tops: str) -> Recipe:
        def write(top: str) -> Callable[[LayerWriter, Mapping[str, Files]], None]:
            def one(layer: LayerWriter, packages: Mapping[str, Files]) -> None:
                ran.append(top)
                layer.take(packages["tool"], lambda path: f"{top}/{path.rpartition('/')[2]}")

            return one

        layers = tuple(PinnedLayer(top, (pin(data),), write(top)) for top in tops)
        return Recipe(name, (), AMD64, layers, ImageConfig(AMD64), name)

    handed: Handed = {}

    def make(what: Recipe, layout: str) -> tuple[str, ...]:
        sink = LayoutSink(str(tmp_path / layout))
        given = handed if layout == "layout" else {}
        made = assemble(what, sink, str(tmp_path / "c"), mirror=archive.url, allow_unsigned=True, handed=given)
        for layer in json.loads(made.manifest)["layers"]:
            assert (tmp_path / layout / "blobs/sha256" / layer["digest"][7:]).exists()
        return made.config.diff_ids

    one = make(recipe("a/one:1", "low", "high"), "layout")
    two = make(recipe("a/two:1", "low", "other"), "layout")
    assert ran == ["low", "high", "other"] and one[0] == two[0] and len({*one, *two}) == 5
    # On another layer it is another one: what lies below decides what may lie above.
    make(recipe("a/three:1", "high", "low"), "layout")
    assert ran[3:] == ["high", "low"]
    assert make(recipe("a/one:1", "low", "high"), "elsewhere") == one and ran[5:] == ["low", "high"]
