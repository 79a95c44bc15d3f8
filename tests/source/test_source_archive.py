"""ADD of tar archives: known by content, unpacked safely."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable

import pytest
import zstandard
from tests.source.source_trees import DictView, by_path, bytes_of, make

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.chmod import parse_chmod
from kezuri.layer.entry import UNDATED, Entry, Item
from kezuri.tree.archive import Archives
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.item_tree import ItemTree
from kezuri.tree.recipe import CopyOptions, recipe
from kezuri.tree.selection import select


def tar(*members: tuple[str, str, str | bytes], format: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of (kind, name, bytes or target); mode 0640 or 0750, owner 12:34, time 100."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for kind, name, what in members:
            info = tarfile.TarInfo(name)
            info.uid, info.gid, info.mtime, info.mode = 12, 34, 100, 0o640
            if kind == "file":
                data = what.encode() if isinstance(what, str) else what
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
                continue
            info.type = {"dir": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE}[kind]
            if kind == "dir":
                info.mode = 0o750
            info.linkname = str(what)
            archive.addfile(info)
    return out.getvalue()


SIMPLE = tar(("dir", "./", ""), ("dir", "bin", ""), ("file", "bin/tool", "#!"), ("symlink", "t", "bin/tool"))
Add = Callable[..., tuple[Item, ...]]


@pytest.fixture
def add(tmp_path: os.PathLike[str]) -> Add:
    os.mkdir(f"{tmp_path}/scratch")

    def run(destination: str, view: DictView | None = None, words: str = "*", **files: object) -> tuple[Item, ...]:
        options = {key: files.pop(key) for key in ("chown", "chmod", "link") if key in files}
        root = make(f"{tmp_path}/context", {name.replace("_", "."): data for name, data in files.items()})  # type: ignore[misc]
        selection = select(DirectoryTree(root, owner=(0, 0)), [words])
        unpack = Archives(f"{tmp_path}/scratch").extract
        return recipe(selection, CopyOptions(destination, unpack=unpack, **options), view or DictView())  # type: ignore[arg-type]

    return run


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress],
    ids=["plain", "gzip", "bzip2", "xz", "zstd"],
)
def test_every_form_by_content(add: Add, pack: Callable[[bytes], bytes]) -> None:
    items = add("/opt/x", misnamed_txt=pack(SIMPLE))
    entries = by_path(items)
    assert list(entries) == ["opt", "opt/x", "opt/x/bin", "opt/x/bin/tool", "opt/x/t"]
    made = Entry("opt/x", "dir", 0o755, 0, 0, 0, UNDATED)
    assert entries["opt/x"] == made, "the archive's own root entry does not count"
    assert entries["opt/x/bin"] == Entry("opt/x/bin", "dir", 0o750, 12, 34, 0, 100 * 10**9)
    assert entries["opt/x/bin/tool"] == Entry("opt/x/bin/tool", "file", 0o640, 12, 34, 2, 100 * 10**9)
    assert entries["opt/x/t"].link == "bin/tool"
    assert bytes_of({entry.path: content for entry, content in items}["opt/x/bin/tool"]) == b"#!"


def test_entries_whose_cleaned_name_is_the_root_are_passed_over(add: Add) -> None:
    members = [("file", ".", "a"), ("file", "x/..", "b"), ("symlink", "./.", "/etc"), ("hardlink", "x/../.", "y")]
    data = tar(("file", "y", "y"), *members, ("dir", "z/..", ""), ("file", "", "c"), ("file", "last", "d"))
    assert [entry.path for entry, _ in add("/n", a=data)] == ["n", "n/last", "n/y"]
    with pytest.raises(KezuriError, match="leaves the root"):
        add("/n", a=tar(("file", "y", "y"), ("file", "x/../..", "b")))


def test_old_tar_without_magic(add: Add) -> None:
    block = bytearray(tar(("file", "f", "x"), format=tarfile.USTAR_FORMAT))
    block[257:265] = bytes(8)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    assert set(by_path(add("/n", a=bytes(block)))) == {"n", "n/f"}


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("f", "x")
    return out.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"text", zipped(), gzip.compress(b"no tar"), bytes(10240), b"\x1f\x8b broken", SIMPLE[:200], b"BZh9 no"],
    ids=["empty", "text", "zip", "gzip of text", "zeros", "broken gzip", "short", "broken bzip2"],
)
def test_what_is_no_archive_is_copied(add: Add, data: bytes) -> None:
    items = add("/n/", f_tar_gz=data)
    assert [entry.path for entry, _ in items] == ["n", "n/f.tar.gz"]
    assert bytes_of(items[-1][1]) == data


def test_directories_are_not_looked_into(tmp_path: os.PathLike[str]) -> None:
    root = make(f"{tmp_path}/c", {"d/a.tar": SIMPLE})
    unpack = Archives(f"{tmp_path}").extract
    items = recipe(select(DirectoryTree(root), ["d"]), CopyOptions("/n", unpack=unpack), DictView())
    assert [entry.path for entry, _ in items] == ["n", "n/a.tar"]
    items = recipe(select(DirectoryTree(root), ["d/a.tar"]), CopyOptions("/n"), DictView())
    assert [entry.path for entry, _ in items] == ["n"], "COPY never unpacks"


def test_wildcards_and_owner(add: Add) -> None:
    entries = by_path(add("/n", a_tar=SIMPLE, b_tar=tar(("file", "x/y", "")), chown=(7, 8), chmod=parse_chmod("700")))
    assert {(entry.uid, entry.gid) for path, entry in entries.items() if path != "n/x"} == {(7, 8)}
    assert (entries["n/x"].uid, entries["n/x"].mode) == (0, 0o755), "directories that the archive does not name"
    assert (entries["n"].mode, entries["n/bin"].mode, entries["n/bin/tool"].mode) == (0o755, 0o750, 0o640)


def test_over_what_is_there(add: Add) -> None:
    view = DictView(
        Entry("n/link", "symlink", link="/real"),
        Entry("n/d/below", "file"),
        Entry("n/over", "symlink", link="elsewhere"),
        Entry("n/keep", "dir", 0o700, 9, 9),
    )
    data = tar(
        ("file", "link/f", "inside"),
        ("file", "d", "a file now"),
        ("dir", "over", ""),
        ("dir", "keep", ""),
        ("file", "keep/k", ""),
    )
    entries = by_path(add("/n", view, a=data))
    assert entries["n/real/f"].kind == "file", (
        "links are followed with the destination as the root, as tar in a chroot does"
    )
    assert entries["n/d"].kind == "file"
    assert entries["n/over"].kind == "dir"
    assert entries["n/keep"].mode == 0o750


def test_hard_links(add: Add) -> None:
    data = tar(("file", "b", "one"), ("hardlink", "a", "b"), ("file", "b", "two"))
    items = add("/n", x=data)
    contents = {entry.path: bytes_of(content) for entry, content in items if entry.kind == "file"}
    assert contents == {"n/a": b"one", "n/b": b"two"}
    entries = by_path(add("/n", x=tar(("file", "b", "one"), ("hardlink", "a", "b"))))
    assert (entries["n/a"].kind, entries["n/b"].kind, entries["n/b"].link) == ("file", "hardlink", "n/a")


def test_the_last_name_of_a_file_decides_on_its_metadata(add: Add) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, link, mode, mtime in (("b", "", 0o640, 100), ("c", "b", 0o751, 200), ("a", "b", 0o700, 300)):
            info = tarfile.TarInfo(name)
            info.mode, info.mtime, info.linkname = mode, mtime, link
            info.type = tarfile.LNKTYPE if link else tarfile.REGTYPE
            archive.addfile(info)
    entries = by_path(add("/n", x=out.getvalue()))
    assert [(e.kind, e.mode, e.mtime) for e in map(entries.get, ("n/a", "n/b", "n/c")) if e is not None] == [
        ("file", 0o700, 300 * 10**9),
        ("hardlink", 0o700, 300 * 10**9),
        ("hardlink", 0o700, 300 * 10**9),
    ]


def test_another_name_of_a_symlink_is_a_symlink(add: Add) -> None:
    entries = by_path(add("/n", x=tar(("symlink", "l", "to"), ("hardlink", "h", "l"))))
    assert (entries["n/h"].kind, entries["n/h"].link) == ("symlink", "to")


def test_names_are_cleaned(add: Add) -> None:
    entries = by_path(add("/n", x=tar(("dir", "t", ""), ("file", "t/../v", "x"), ("file", "/t//./w", "y"))))
    assert list(entries) == ["n", "n/t", "n/t/w", "n/v"]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("file", "../../etc/passwd", "x")], "leaves the root"),
        ([("file", "a/../../etc/passwd", "x")], "leaves the root"),
        ([("hardlink", "a", "../../../etc/shadow")], "leaves the root"),
        ([("hardlink", "a", "etc/shadow")], "does not come before it"),
        ([("file", "ok", ""), ("file", ".wh.passwd", "")], "marks deletions"),
        ([("file", "f", ""), ("file", "f/g", "")], "not a directory"),
    ],
)
def test_hostile(add: Add, members: list[tuple[str, str, str]], message: str) -> None:
    with pytest.raises(KezuriError, match=message):
        add("/n", evil_tar=tar(*members))


def test_link_out_of_the_root_stays_inside(add: Add) -> None:
    data = tar(("symlink", "out", "../../../../etc"), ("file", "out/passwd", "x"))
    assert "n/etc/passwd" in by_path(add("/n", evil=data))


def test_archive_in_memory(tmp_path: os.PathLike[str]) -> None:
    """A small archive within a context that came as an archive itself."""
    tree = ItemTree([(Entry("a.tar", "file", size=len(SIMPLE)), SIMPLE)], "context")
    unpack = Archives(f"{tmp_path}").extract
    items = recipe(select(tree, ["a.tar"]), CopyOptions("/n", unpack=unpack), DictView())
    assert "n/bin/tool" in by_path(items)
    with pytest.raises(KezuriError, match="the archive is truncated"):
        unpack(SIMPLE[:1000])


def test_truncated(add: Add) -> None:
    with pytest.raises(KezuriError, match=r"a\.tar is truncated"):
        add("/n", a_tar=tar(("file", "big", b"x" * 5000))[:3000])


def test_large_files_go_to_the_scratch_directory(add: Add, tmp_path: os.PathLike[str]) -> None:
    data = os.urandom(300_000)
    items = add("/n", a=tar(("file", "../x".replace("../", ""), data), ("file", "small", b"s")))
    contents = {entry.path: content for entry, content in items}
    assert isinstance(contents["n/x"], str) and contents["n/x"].startswith(f"{tmp_path}/scratch/")
    assert bytes_of(contents["n/x"]) == data
    assert contents["n/small"] == b"s"


def test_entries_and_attributes_without_end(add: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    many = tar(*(("file", f"f{i}", "") for i in range(60)))
    monkeypatch.setattr("kezuri.tree.archive.MOST_ENTRIES", 50)
    with pytest.raises(KezuriError, match="entries, or names and attributes of absurd length"):
        add("/d", m_tar=many)
    heavy = io.BytesIO()
    with tarfile.open(fileobj=heavy, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in ("one", "two"):
            member = tarfile.TarInfo(name)
            member.pax_headers = {"SCHILY.xattr.user.x": "x" * 60_000}
            archive.addfile(member)
    monkeypatch.setattr("kezuri.tree.archive.MOST_WEIGHT", 100_000)
    with pytest.raises(KezuriError, match="of absurd length"):
        add("/d", h_tar=heavy.getvalue())
