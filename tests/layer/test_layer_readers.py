"""What other programs make of our layers, and we of theirs."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

import kezuri.layer
from kezuri.diagnostics import KezuriError
from kezuri.layer.compression import compression
from kezuri.layer.decompression import decompress
from kezuri.layer.entry import Entry, Item
from kezuri.layer.packer import pack
from kezuri.layer.tar_reader import read_tar
from kezuri.layer.unpacker import unpack
from kezuri.layer.upper import walk

UMOCI = shutil.which("umoci")
SKOPEO = shutil.which("skopeo")
BSDTAR = shutil.which("bsdtar")
OWN: dict[str, Any] = {"uid": os.geteuid(), "gid": os.getegid()}
LONG = "long/" * 30 + "n" * 90

ITEMS: list[Item] = [
    (Entry("d", "dir", 0o1777, mtime=10**9, **OWN), None),
    (Entry("d/file", "file", 0o4755, size=5, mtime=2 * 10**9, **OWN), b"hello"),
    (Entry("d/hard", "hardlink", 0o4755, mtime=2 * 10**9, link="d/file", **OWN), None),
    (Entry("d/pipe", "fifo", 0o600, mtime=10**9, **OWN), None),
    (Entry("d/soft", "symlink", 0o777, mtime=10**9, link="t" * 150, **OWN), None),
    (Entry("d/\udcff\udcfe", "file", 0o644, size=3, **OWN), b"raw"),
    (Entry("é" * 80, "file", 0o644, size=3, mtime=-5 * 10**9, xattrs=(("user.note", b"\0\xff=\n"),), **OWN), b"acc"),
    (Entry(LONG, "file", 0o600, size=2_000_000, **OWN), b"0123456789" * 200_000),
]


def packed(items: list[Item], kind: str = "gzip") -> tuple[bytes, str]:
    sink = io.BytesIO()
    done = pack(items, sink, compression(kind))  # type: ignore[arg-type]
    return sink.getvalue(), done.diff_id


def test_the_room_opens_its_names_lazily() -> None:
    script = "import sys, kezuri.layer.entry, kezuri.layer.view; print(sorted(m for m in sys.modules if 'kezuri' in m))"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.strip() == str(["kezuri", "kezuri.layer", "kezuri.layer.entry", "kezuri.layer.view"])
    assert kezuri.layer.pack is pack
    assert kezuri.layer.choose_compression is compression
    with pytest.raises(AttributeError, match="nothing"):
        _ = kezuri.layer.nothing
    for name in kezuri.layer._HOMES:
        assert getattr(kezuri.layer, name) is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["tar", "--xattrs", "--xattrs-include=*", "-xpf", "-", "-C"],
        pytest.param([BSDTAR, "-xpf", "-", "-C"], marks=pytest.mark.skipif(not BSDTAR, reason="needs bsdtar")),
    ],
    ids=["gnu", "bsd"],
)
def test_other_tars_unpack_what_we_pack(tmp_path: Path, command: list[str]) -> None:
    data, _ = packed(ITEMS, "none")
    done = subprocess.run([*command, str(tmp_path)], input=data, capture_output=True, check=True)
    # What GNU tar says of 1969, and of the record (POSIX pax) that says that a name is not UTF-8.
    heard = [line for line in done.stderr.splitlines() if b"implausibly old" not in line and b"hdrcharset" not in line]
    assert heard == []
    found = {entry.path: (entry, content) for entry, content in walk(str(tmp_path), userxattr=True)}
    for entry, content in ITEMS:
        made, where = found[entry.path]
        if entry.kind == "hardlink":
            assert made.link == entry.link
            continue
        assert made == entry
        if entry.kind == "file":
            assert isinstance(where, str) and Path(where).read_bytes() == content


@pytest.mark.slow
@pytest.mark.parametrize("form", ["gnu", "pax", "ustar", "v7", "oldgnu"])
def test_we_read_what_gnu_tar_writes(tmp_path: Path, form: str) -> None:
    (tmp_path / "tree" / "d").mkdir(parents=True)
    (tmp_path / "tree" / "d" / "f").write_bytes(b"x" * 1234)
    (tmp_path / "tree" / "l").symlink_to("d")
    os.link(tmp_path / "tree" / "d" / "f", tmp_path / "tree" / "zz")
    if form in ("gnu", "pax", "oldgnu"):
        (tmp_path / "tree" / ("ä" * 120)).write_bytes(b"long")
    command = ["tar", f"--format={form}", "--sort=name", "-C", str(tmp_path / "tree"), "-cf", "-", "."]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    ours = [entry for entry, _ in walk(str(tmp_path / "tree"), userxattr=True, root=True)]
    theirs = [entry for entry, _ in read_tar(io.BytesIO(data), "tar")]
    assert len(theirs) == len(ours)
    for mine, other in zip(sorted(ours), sorted(theirs), strict=True):
        assert mine[:6] == other[:6]
        assert mine.link == other.link
        assert mine.mtime // 10**9 == other.mtime // 10**9


def layout(top: Path, layers: list[tuple[str, str, bytes, str]]) -> None:
    """An OCI image layout with one image, tag `t`, of the given (media type suffix, …, blob, diff id)."""
    blobs = top / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(kind: str, data: bytes) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": kind, "digest": "sha256:" + digest, "size": len(data)}

    described = [put("application/vnd.oci.image.layer.v1.tar" + suffix, blob) for suffix, _, blob, _ in layers]
    rootfs = {"type": "layers", "diff_ids": [diff_id for *_, diff_id in layers]}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
    head = put("application/vnd.oci.image.config.v1+json", json.dumps(config).encode())
    kind = "application/vnd.oci.image.manifest.v1+json"
    body = {"schemaVersion": 2, "mediaType": kind, "config": head, "layers": described}
    manifest = put(kind, json.dumps(body).encode())
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "t"}
    (top / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    (top / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


TOP: list[Item] = [
    (Entry("d", "dir", 0o755, **OWN), None),
    (Entry("d", "opaque", 0), None),
    (Entry("d/new", "file", 0o644, size=3, **OWN), b"new"),
    (Entry(LONG, "whiteout", 0), None),
]


@pytest.mark.slow
@pytest.mark.skipif(not UMOCI or os.geteuid() != 0, reason="needs umoci and root")
def test_umoci_unpacks_our_layers(tmp_path: Path) -> None:
    assert UMOCI
    plain = [item for item in ITEMS if "\udcff" not in item[0].path]
    layers = [("+gzip", "", *packed(plain)), ("+gzip", "", *packed(TOP))]
    layout(tmp_path / "image", layers)
    command = [UMOCI, "raw", "unpack", "--image", f"{tmp_path / 'image'}:t", str(tmp_path / "root")]
    subprocess.run(command, check=True, capture_output=True)
    found = [entry for entry, _ in walk(str(tmp_path / "root"), userxattr=True)]
    paths = [entry.path for entry in found]
    assert "d/new" in paths and "d/file" not in paths and LONG not in paths
    accents = next(entry for entry in found if entry.path == "é" * 80)
    assert accents == plain[5][0]


@pytest.mark.slow
@pytest.mark.skipif(not SKOPEO, reason="needs skopeo")
@pytest.mark.parametrize(("kind", "suffix"), [("gzip", "+gzip"), ("zstd", "+zstd"), ("none", "")])
def test_skopeo_reads_and_recompresses_our_layers(tmp_path: Path, kind: str, suffix: str) -> None:
    assert SKOPEO
    layers = [(suffix, "", *packed(ITEMS, kind)), (suffix, "", *packed(TOP, kind))]
    layout(tmp_path / "image", layers)
    for target in ("gzip", "zstd"):
        # skopeo checks each blob's digest, and each layer's diff id when it compresses anew.
        copy = tmp_path / target
        command = [SKOPEO, "copy", "--dest-compress-format", target, "--dest-compress", "--insecure-policy"]
        subprocess.run([*command, f"oci:{tmp_path / 'image'}:t", f"oci:{copy}:t"], check=True, capture_output=True)
        [manifest] = json.loads((copy / "index.json").read_text())["manifests"]
        body = json.loads((copy / "blobs" / manifest["digest"].replace(":", "/")).read_text())
        for described, (*_, diff_id) in zip(body["layers"], layers, strict=True):
            with (copy / "blobs" / described["digest"].replace(":", "/")).open("rb") as blob:
                assert "sha256:" + hashlib.sha256(decompress(blob, "theirs").read()).hexdigest() == diff_id


@pytest.mark.slow
def test_gzip_itself_reads_our_blobs() -> None:
    data, diff_id = packed(ITEMS)
    plain = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=True).stdout
    assert "sha256:" + hashlib.sha256(plain).hexdigest() == diff_id
    with tarfile.open(fileobj=gzip.open(io.BytesIO(data))) as archive:
        assert len(archive.getmembers()) == len(ITEMS)


IN_NAMESPACE = """
import io, os, sys
from kezuri.diagnostics import KezuriError
from kezuri.layer.compression import compression
from kezuri.layer.entry import Entry
from kezuri.layer.packer import pack
from kezuri.layer.unpacker import unpack
from kezuri.layer.upper import walk

def unpacked(name, items, recorded=False):
    sink = io.BytesIO()
    pack(items, sink, compression("none"))
    sink.seek(0)
    os.mkdir(sys.argv[1] + name)
    warnings = []
    unpack(sink, sys.argv[1] + name, lower=None, userxattr=True, recorded=recorded, where="layer", warn=warnings.append)
    return [entry for entry, _ in walk(sys.argv[1] + name, userxattr=True, recorded=recorded)], warnings

good = [(Entry("d", "dir", 0o755), None), (Entry("d", "opaque", 0), None), (Entry("d/w", "whiteout", 0), None)]
entries, warnings = unpacked("good", good)
assert entries == [entry for entry, _ in good] and not warnings, entries
entries, warnings = unpacked("device", [(Entry("null", "char", 0o666, device=(1, 3)), None)])
assert entries == [] and warnings == ["layer: left out the device null: making it needs real root"], warnings
others = [(Entry("f", "file", uid=1000), b""), (Entry("l", "symlink", 0o777, gid=5, link="f"), None)]
try:
    unpacked("owner", others)
except KezuriError as error:
    print("refused:", error)
entries, warnings = unpacked("recorded", others, recorded=True)
assert entries == [entry for entry, _ in others] and not warnings, entries
"""


@pytest.mark.slow
def test_inside_a_user_namespace_with_one_id(tmp_path: Path) -> None:
    probe = subprocess.run(["unshare", "-Ur", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("this machine allows no user namespaces")
    command = ["unshare", "-Ur", sys.executable, "-c", IN_NAMESPACE, str(tmp_path) + "/"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("refused: layer: cannot make f")


@pytest.mark.slow
@pytest.mark.usefixtures("ids_of_owners")
def test_real_layers_come_back_unchanged(tmp_path: Path) -> None:
    """A layer of the standard Python library, through every form."""
    source = os.path.dirname(os.__file__)
    directory = tmp_path / "one"
    chosen = ("asyncio", "email", "encodings", "json")
    items = [item for item in walk(source, userxattr=True) if item[0].path.split("/")[0] in chosen]
    items = [
        (entry._replace(uid=os.geteuid(), gid=os.getegid(), mtime=entry.mtime // 10**9 * 10**9), content)
        for entry, content in items
    ]
    with (tmp_path / "blob").open("w+b") as sink:
        done = pack(items, sink, compression())
        sink.seek(0)
        directory.mkdir()
        hasher = hashlib.sha256()
        listing = unpack(sink, str(directory), lower=None, userxattr=True, where="layer", hasher=hasher)
    assert done.diff_id == "sha256:" + hasher.hexdigest()
    again = list(walk(str(directory), userxattr=True))
    assert [entry for entry, _ in again] == [entry for entry, _ in items] == list(listing.entries())
    assert pack(again, io.BytesIO(), compression()) == done


def test_an_archive_that_is_none() -> None:
    with pytest.raises(KezuriError, match="page: this is not a tar header"):
        list(read_tar(io.BytesIO(b"<html>" * 200), "page"))
