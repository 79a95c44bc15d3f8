"""Trees to copy from: directories, stacks of layer directories, items."""

import os

import pytest
from tests.source.source_trees import make

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.ignore import Ignore
from kezuri.layer.entry import Entry
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.item_tree import ItemTree
from kezuri.tree.layers import DirectoryLayer
from kezuri.tree.stack import StackView
from kezuri.tree.tree import Tree, clean, kept_attribute, resolve


@pytest.mark.parametrize(
    ("path", "expected"),
    [("", ""), ("/", ""), (".", ""), ("a/./b//c/", "a/b/c"), ("../../a", "a"), ("a/../../b", "b"), ("/a/..", "")],
)
def test_clean(path: str, expected: str) -> None:
    assert clean(path) == expected


def names(tree: Tree, path: str = "") -> list[str]:
    return [item.entry.path for item in tree.scan(path)]


def test_directory(tmp_path: os.PathLike[str]) -> None:
    root = make(f"{tmp_path}/c", {"b": "xx", "a/f": "y", "a-b": "z", "l": "-> a/f", "é": "", "Z": None})
    os.link(f"{root}/b", f"{root}/b2")
    os.mkfifo(f"{root}/p")
    os.chmod(f"{root}/b", 0o4755)
    tree = DirectoryTree(root, owner=(0, 0))
    assert names(tree) == ["Z", "a", "a-b", "b", "b2", "l", "p", "é"]
    found = {item.entry.path: item for item in tree.scan("")}
    status = os.stat(f"{root}/b")
    assert found["b"].entry == Entry("b", "file", 0o4755, 0, 0, 2, status.st_mtime_ns)
    assert found["b"].content == f"{root}/b"
    assert found["b"].stamp == (status.st_dev, status.st_ino, 2, status.st_mtime_ns, status.st_ctime_ns)
    assert found["b"].identity == found["b2"].identity is not None
    assert found["a-b"].identity is None
    assert found["l"].entry.link == "a/f"
    assert found["l"].entry.mode == 0o777
    assert found["p"].entry.kind == "fifo"
    assert tree.stat("a") == found["a"]
    assert tree.stat("nothing") is None
    assert tree.stat("b/below-a-file") is None
    root_found = tree.stat("")
    assert root_found is not None and root_found.entry.kind == "dir"


def test_owner_is_kept_without_override(tmp_path: os.PathLike[str]) -> None:
    root = make(f"{tmp_path}/c", {"f": ""})
    item = DirectoryTree(root).stat("f")
    assert item is not None and (item.entry.uid, item.entry.gid) == (os.getuid(), os.stat(f"{root}/f").st_gid)


def test_sockets_are_left_out(tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    root = make(f"{tmp_path}/c", {"f": ""})
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        assert names(DirectoryTree(root)) == ["f"]


def test_names_sort_by_bytes(tmp_path: os.PathLike[str]) -> None:
    root = os.fsencode(make(f"{tmp_path}/c", {}))
    raw = [b"\xff", b"\x80", "é".encode(), "日".encode(), "😀".encode(), b"a"]
    for name in raw:
        with open(os.path.join(root, name), "wb"):
            pass
    assert [os.fsencode(name) for name in names(DirectoryTree(os.fsdecode(root)))] == sorted(raw)


def test_attributes(tmp_path: os.PathLike[str]) -> None:
    root = make(f"{tmp_path}/c", {"f": "", "d": None})
    try:
        os.setxattr(f"{root}/f", "user.b", b"2")
    except OSError:
        pytest.skip("no extended attributes here")
    os.setxattr(f"{root}/f", "user.a", b"1\0")
    item = DirectoryTree(root).stat("f")
    assert item is not None and item.entry.xattrs == (("user.a", b"1\0"), ("user.b", b"2"))


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("user.x", True),
        ("security.capability", True),
        ("security.selinux", False),
        ("security.ima", False),
        ("system.posix_acl_access", False),
        ("trusted.overlay.opaque", False),
        ("user.overlay.opaque", False),
    ],
)
def test_kept_attributes(name: str, kept: bool) -> None:
    assert kept_attribute(name) is kept


def test_what_is_no_directory(tmp_path: os.PathLike[str]) -> None:
    make(f"{tmp_path}", {"f": ""})
    with pytest.raises(KezuriError, match=r'cannot open directory ".*/gone": No such file'):
        DirectoryTree(f"{tmp_path}/gone")
    with pytest.raises(KezuriError, match="is not a directory"):
        DirectoryTree(f"{tmp_path}/f")


def test_ignore(tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    root = make(f"{tmp_path}/c", {"a/keep/x": "", "a/drop": "", "b/c/d": "", "f": "", "e/n": ""})
    rules = Ignore.parse("a\n!a/keep\nb\ne\n!e/gone\n", ".dockerignore")
    scanned: list[object] = []
    scandir = os.scandir

    def watch(path: str) -> object:
        scanned.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", watch)
    tree = DirectoryTree(root, rules)
    assert names(tree) == ["a", "f"]
    assert names(tree, "a") == ["a/keep"]
    assert names(tree, "a/keep") == ["a/keep/x"]
    assert tree.stat("a") is not None
    assert tree.stat("a/drop") is None
    assert tree.stat("b") is None
    assert tree.stat("e") is None, "a directory of which nothing is left is not there"
    assert tree.hidden("b/c/d") == 'the rule "b" on line 3 of .dockerignore excludes it'
    assert tree.hidden("a/drop") == 'the rule "a" on line 1 of .dockerignore excludes it'
    assert tree.hidden("nothing") == ""
    assert tree.hidden("f") == ""
    assert f"{root}/b" not in scanned, "an excluded directory without exceptions is not entered"


def test_resolve_stays_inside() -> None:
    links = {
        "abs": "/x/y",
        "up": "../../../etc",
        "d/rel": "../f",
        "chain": "abs/z",
        "loop": "loop2",
        "loop2": "loop",
        "through": "d/rel/../g",
    }

    def lookup(path: str) -> Entry | None:
        return Entry(path, "symlink", link=links[path]) if path in links else None

    assert resolve("abs", lookup) == "x/y"
    assert resolve("/abs/../k", lookup) == "x/k"
    assert resolve("up/passwd", lookup) == "etc/passwd"
    assert resolve("d/rel", lookup) == "f"
    assert resolve("chain", lookup) == "x/y/z"
    assert resolve("through", lookup) == "g"
    assert resolve("../..", lookup) == ""
    assert resolve("missing/too", lookup) == "missing/too"
    with pytest.raises(KezuriError, match="too many symbolic links"):
        resolve("loop", lookup)


def stacked(*directories: str, userxattr: bool = False) -> StackView:
    return StackView([DirectoryLayer(directory, userxattr) for directory in directories], "stage")


def test_stack_merges_as_overlay_does(tmp_path: os.PathLike[str]) -> None:
    low = make(f"{tmp_path}/low", {"a/x": "low", "a/y": "low", "b/z": "low", "f": "low", "t/u": "", "o/p": "low"})
    top = make(f"{tmp_path}/top", {"a/x": "top", "b": "a file now", "n": "new", "o/q": "top"})
    tree = stacked(low, top)
    assert names(tree) == ["a", "b", "f", "n", "o", "t"]
    assert names(tree, "a") == ["a/x", "a/y"]
    assert names(tree, "b") == []
    assert tree.stat("b/z") is None
    item = tree.stat("a/x")
    assert item is not None and item.content == f"{top}/a/x"


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="needs root for device nodes and trusted attributes")
def test_stack_whiteouts(tmp_path: os.PathLike[str]) -> None:
    import stat

    low = make(f"{tmp_path}/low", {"a/x": "low", "gone": "low", "o/p": "low", "d/e/f": ""})
    top = make(f"{tmp_path}/top", {"o/q": "top", "d": None})
    for name in ("gone", "d/e"):
        os.mknod(f"{top}/{name}", stat.S_IFCHR, os.makedev(0, 0))
    os.setxattr(f"{top}/o", "trusted.overlay.opaque", b"y")
    tree = stacked(low, top)
    assert names(tree) == ["a", "d", "o"]
    assert names(tree, "o") == ["o/q"]
    assert names(tree, "d") == []
    assert tree.stat("gone") is None
    assert tree.stat("d/e/f") is None
    assert tree.stat("o/p") is None
    item = tree.stat("o")
    assert item is not None and item.entry.xattrs == ()


def test_items() -> None:
    tree = ItemTree(
        [
            (Entry("d/f", "file", 0o600, 5, 5, 2), b"hi"),
            (Entry("d/g", "hardlink", link="d/f"), None),
            (Entry("l", "symlink", 0o777, link="d"), None),
            (Entry("d", "dir", 0o700, 5, 5), None),
            (Entry("x/y", "file"), b""),
            (Entry("x", "file"), b"now a file"),
        ],
        "archive",
        owner=(0, 0),
    )
    assert names(tree) == ["d", "l", "x"]
    assert names(tree, "d") == ["d/f", "d/g"]
    f, g, d = tree.stat("d/f"), tree.stat("d/g"), tree.stat("d")
    assert f is not None and g is not None and d is not None
    assert f.identity == g.identity is not None
    assert (g.content, g.entry) == (b"hi", Entry("d/g", "file", 0o600, 0, 0, 2))
    assert d.entry == Entry("d", "dir", 0o700, 0, 0)
    assert tree.stat("x/y") is None


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([Entry("a", "hardlink", link="b")], 'hard link "a" names "b"'),
        ([Entry("a", "symlink", link="/etc"), Entry("a/passwd", "file")], 'lies below "a", which is not a directory'),
    ],
)
def test_unsafe_items(items: list[Entry], message: str) -> None:
    with pytest.raises(KezuriError, match=message):
        ItemTree([(entry, None) for entry in items], "archive")


def test_opaque_marks_of_an_unprivileged_overlay(tmp_path: os.PathLike[str]) -> None:
    low = make(f"{tmp_path}/low", {"o/p": "low"})
    top = make(f"{tmp_path}/top", {"o/q": "top"})
    try:
        os.setxattr(f"{top}/o", "user.overlay.opaque", b"y")
    except OSError:
        pytest.skip("no extended attributes here")
    assert names(stacked(low, top, userxattr=True), "o") == ["o/q"]
    assert names(stacked(low, top), "o") == ["o/p", "o/q"], "a step may set that attribute itself"
