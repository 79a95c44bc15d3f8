"""Writing layers."""

import gzip
import hashlib
import io
import os
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.bases import linking
from kezuri.bases.deb import Deb, Package
from kezuri.bases.elf import Linkage, linkage
from kezuri.bases.layer_writer import LayerWriter, Placed
from kezuri.diagnostics import KezuriError
from kezuri.oci import Platform

AMD64 = Platform("linux", "amd64")


def writer(lower: dict[str, Placed] | None = None) -> tuple[LayerWriter, io.BytesIO]:
    out = io.BytesIO()
    return LayerWriter(out, lower or {}), out


def test_what_is_written_is_read_back() -> None:
    layer, out = writer()
    layer.dir("tmp", 0o1777)
    layer.file("etc/deep/file", "text\n", 0o640, 1, 2)
    layer.symlink("etc/link", "deep/file")
    layer.hardlink("etc/second", "etc/deep/file")
    layer.file("long/" + "n" * 150 + "/" + "ü" * 90, b"x" * 1000)
    done = layer.finish()
    blob = out.getvalue()
    plain = gzip.decompress(blob)
    assert done.digest == "sha256:" + hashlib.sha256(blob).hexdigest()
    assert done.diff_id == "sha256:" + hashlib.sha256(plain).hexdigest()
    assert done.size == len(blob)
    assert blob[3] == 0 and blob[4:8] == bytes(4), "no name and no time in the gzip header"
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        entries = {m.name: m for m in tar}
        assert [*entries][:4] == ["tmp", "etc", "etc/deep", "etc/deep/file"]
        assert entries["tmp"].mode == 0o1777
        file = entries["etc/deep/file"]
        assert (file.mode, file.uid, file.gid, file.uname, file.mtime) == (0o640, 1, 2, "", 1735689600)
        assert entries["etc/link"].linkname == "deep/file"
        assert entries["etc/second"].islnk() and entries["etc/second"].linkname == "etc/deep/file"
        content = tar.extractfile("long/" + "n" * 150 + "/" + "ü" * 90)
        assert content is not None and content.read() == b"x" * 1000


def test_the_same_entries_give_the_same_bytes() -> None:
    blobs = []
    for _ in range(2):
        layer, out = writer()
        layer.file("a/b", os.path.basename(__file__) * 10000)
        layer.finish()
        blobs.append(out.getvalue())
    assert blobs[0] == blobs[1]


def test_a_directory_of_a_lower_layer_is_not_written_again() -> None:
    layer, out = writer({"etc": Placed("dir", 0o755)})
    layer.dir("etc")
    layer.file("etc/one", "1")
    layer.finish()
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(out.getvalue()))) as tar:
        assert tar.getnames() == ["etc/one"]


def test_mistakes_of_a_recipe_are_errors() -> None:
    layer, _ = writer({"lib": Placed("symlink", 0o777, "usr/lib"), "bin/sh": Placed("file", 0o755)})
    with pytest.raises(KezuriError, match="lib/x: lib is no directory but a symlink"):
        layer.file("lib/x", "")
    with pytest.raises(KezuriError, match="bin/sh: two packages"):
        layer.file("bin/sh", "")
    with pytest.raises(KezuriError, match="bin/ash: a hard link to bin/sh"):
        layer.hardlink("bin/ash", "bin/sh")
    for bad in ("", "/etc", "a/../b", "a//b", "./a"):
        with pytest.raises(KezuriError):
            layer.file(bad, "")
    layer.dir("tmp", 0o1777)
    with pytest.raises(KezuriError, match="mode 755 here, 1777 before"):
        layer.dir("tmp")


def test_a_package_goes_where_it_is_placed(tmp_path: Path, deb_maker: Callable[..., bytes]) -> None:
    path = tmp_path / "p.deb"
    path.write_bytes(deb_maker({"usr": None, "usr/lib": None, "usr/lib/a": b"1", "usr/doc": b"2"}))
    layer, _ = writer()
    deb = Deb(Package("p", "1", "all", "p", 0, ""), str(path))
    layer.take(deb, lambda p: "opt/a" if p == "usr/lib/a" else None)
    assert layer.placed == {"opt": Placed("dir", 0o755), "opt/a": Placed("file", 0o644)}


def running_program() -> bytes:
    with open(os.path.realpath(sys.executable), "rb") as file:
        return file.read()


def test_a_program_names_what_it_needs() -> None:
    found = linkage(running_program())
    assert found is not None
    assert found.machine in (62, 183)
    assert "ld-linux" in found.interpreter
    assert "libc.so.6" in found.needed


def test_the_writer_notes_programs() -> None:
    layer, _ = writer()
    layer.file("bin/python", running_program())
    layer.file("bin/text", "#!/bin/sh\n")
    assert list(layer.programs) == ["bin/python"]


HEAD = running_program()[:4096]


@given(st.integers(0, 4096), st.lists(st.tuples(st.integers(16, 4095), st.integers(0, 255)), max_size=8))
def test_a_damaged_program_is_no_crash(keep: int, changes: list[tuple[int, int]]) -> None:
    data = bytearray(HEAD)
    for at, value in changes:
        data[at] = value
    linkage(bytes(data[:keep]))


def test_what_a_program_lacks_is_named() -> None:
    tree = {
        "bin/a": Placed("file", 0o755),
        "lib64": Placed("symlink", 0o777, "usr/lib64"),
        "usr": Placed("dir", 0o755),
        "usr/lib64": Placed("dir", 0o755),
        "usr/lib64/ld.so": Placed("symlink", 0o777, "../lib/x86_64-linux-gnu/ld.so"),
        "usr/lib": Placed("dir", 0o755),
        "usr/lib/x86_64-linux-gnu": Placed("dir", 0o755),
        "usr/lib/x86_64-linux-gnu/ld.so": Placed("file", 0o755),
        "usr/lib/x86_64-linux-gnu/libc.so.6": Placed("file", 0o755),
    }
    good = Linkage(62, "/lib64/ld.so", ("libc.so.6",))
    linking.check({"bin/a": good}, tree, AMD64, "x")
    for wrong, message in (
        (good._replace(needed=("libc.so.6", "libm.so.6")), "/bin/a needs libm.so.6"),
        (good._replace(interpreter="/lib/other"), "/bin/a needs /lib/other"),
        (good._replace(machine=183), "/bin/a is not for amd64"),
    ):
        with pytest.raises(KezuriError, match=message):
            linking.check({"bin/a": wrong}, tree, AMD64, "x")


def test_links_in_a_circle_lead_nowhere() -> None:
    tree = {"a": Placed("symlink", 0o777, "b"), "b": Placed("symlink", 0o777, "/a")}
    assert not linking.exists("a", tree)
