"""Where COPY puts things: every destination rule."""

import os
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.source.source_trees import DictView, by_path, bytes_of, make

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.chmod import parse_chmod
from kezuri.layer.entry import UNDATED, Entry, Item
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.item_tree import ItemTree
from kezuri.tree.recipe import CopyOptions, recipe
from kezuri.tree.selection import download, heredoc, select

IMAGE = DictView(
    Entry("usr", "dir", 0o755, mtime=11),
    Entry("usr/bin", "dir", 0o2775, 1, 2, mtime=12, xattrs=(("user.a", b"1"),)),
    Entry("bin", "symlink", 0o777, link="usr/bin"),
    Entry("abs", "symlink", 0o777, link="/usr/bin"),
    Entry("escape", "symlink", 0o777, link="../../../usr"),
    Entry("opt/link", "symlink", 0o777, link="real"),
    Entry("opt/real", "file", 0o600, 3, 3, 4),
    Entry("data/sub", "dir", 0o700, 7, 7, mtime=13, xattrs=(("user.old", b"o"),)),
    Entry("data/sub/old", "file"),
    Entry("data/l", "symlink", link="/usr"),
    Entry("data/file", "file"),
    Entry("var/dangling", "symlink", link="/new/place"),
)

Copy = Callable[..., tuple[Item, ...]]


@pytest.fixture
def tree(tmp_path: os.PathLike[str]) -> DirectoryTree:
    return DirectoryTree(
        make(
            f"{tmp_path}/c",
            {"f": "file", "g": "gg", "d/x": "x", "d/sub/y": "y", "d2/l/z": "", "d3/sub": "", "d4/file/q": ""},
        ),
        owner=(0, 0),
    )


@pytest.fixture
def copy(tree: DirectoryTree) -> Copy:
    def run(sources: str, destination: str, view: DictView = IMAGE, **options: object) -> tuple[Item, ...]:
        parents = bool(options.pop("parents", False))
        selection = select(tree, sources.split(), parents=parents)
        return recipe(selection, CopyOptions(destination, **options), view)  # type: ignore[arg-type]

    return run


@pytest.mark.parametrize(
    ("sources", "destination", "expected"),
    [
        ("f", "/new", ["new"]),
        ("f", "/new/", ["new", "new/f"]),
        ("f", "/new/.", ["new", "new/f"]),
        ("f", "/a/b/c", ["a", "a/b", "a/b/c"]),
        ("f", "/", ["f"]),
        ("f", "/usr", ["usr", "usr/f"]),
        ("f", "/usr/bin/", ["usr", "usr/bin", "usr/bin/f"]),
        ("f", "/bin", ["usr", "usr/bin", "usr/bin/f"]),
        ("f", "/bin/t", ["usr", "usr/bin", "usr/bin/t"]),
        ("f", "/abs/t", ["usr", "usr/bin", "usr/bin/t"]),
        ("f", "/escape/t", ["usr", "usr/t"]),
        ("f", "/opt/link", ["opt", "opt/real"]),
        ("f", "/var/dangling", ["new", "new/place"]),
        ("f", "/data/file", ["data", "data/file"]),
        ("f", "rel", ["srv", "srv/rel"]),
        ("f", ".", ["srv", "srv/f"]),
        ("f", "", ["srv", "srv/f"]),
        ("f", "./", ["srv", "srv/f"]),
        ("f", "../up", ["up"]),
        ("f", "/bin/../t", ["t"]),
        ("d", "/new", ["new", "new/sub", "new/sub/y", "new/x"]),
        ("d", "/new/", ["new", "new/sub", "new/sub/y", "new/x"]),
        ("d", "/", ["sub", "sub/y", "x"]),
        ("d", "/bin", ["usr", "usr/bin", "usr/bin/sub", "usr/bin/sub/y", "usr/bin/x"]),
        ("f g", "/new/", ["new", "new/f", "new/g"]),
        ("f g", "/new", ["new"]),
        ("d f", "/new", ["new", "new/f", "new/sub", "new/sub/y", "new/x"]),
        ("zz*", "/new/", []),
    ],
)
def test_where(copy: Copy, sources: str, destination: str, expected: list[str]) -> None:
    items = copy(sources, destination, workdir="/srv")
    assert [entry.path for entry, _ in items] == expected


def test_later_sources_win(copy: Copy) -> None:
    ((entry, content),) = copy("f g", "/new")
    assert (entry.size, bytes_of(content)) == (2, b"gg")


def test_directories_made_below_a_set_group_id_one(copy: Copy) -> None:
    view = DictView(Entry("s", "dir", 0o2775, 7, 8))
    for destination in ("/s/a/", "/s/a/f"):
        assert by_path(copy("f", destination, view))["s/a"][2:5] == (0o2755, 0, 8)
    assert by_path(copy("f", "/s/a/", view, chown=(3, 4)))["s/a"][2:5] == (0o2755, 3, 4)
    assert by_path(copy("f", "/s/a/", view, chmod=parse_chmod("700")))["s/a"][2:5] == (0o2700, 0, 8)
    entries = by_path(copy("d", "/s/a/b", view))
    assert entries["s/a"][2:5] == entries["s/a/b"][2:5] == (0o2755, 0, 8)
    assert entries["s/a/b/sub"][2:5] == (0o755, 0, 0), "what is copied keeps what it has"


def test_a_directory_of_which_patterns_leave_nothing_gives_its_time_to_a_new_one_only(tree: DirectoryTree) -> None:
    there = Entry("n", "dir", 0o700, 1, 2, 0, 5)
    for excludes, parents in ((["**"], False), ([], True)):
        word = "d/./nothing*" if parents else "d"
        selection = select(tree, [word], excludes=excludes, parents=parents)
        assert recipe(selection, CopyOptions("/n"), DictView(there)) == ()
        for destination in ("/new", "/new/"):
            made = by_path(recipe(selection, CopyOptions(destination), DictView()))["new"]
            assert made.mtime == selection[0].top.entry.mtime != UNDATED
    assert by_path(recipe(select(tree, ["d"]), CopyOptions("/n"), DictView(there)))["n"].mtime != 5


def test_created_directories(copy: Copy) -> None:
    entries = by_path(copy("d", "/a/b"))
    assert entries["a"] == Entry("a", "dir", 0o755, 0, 0, 0, UNDATED)
    # The destination is made as any parent is, and then takes the source's time; the source's mode counts for nothing.
    assert entries["a/b"][:6] == ("a/b", "dir", 0o755, 0, 0, 0)
    assert entries["a/b"].mtime != UNDATED
    entries = by_path(copy("f", "/a/b/", chown=(5, 6)))
    assert entries["a"][2:5] == entries["a/b"][2:5] == (0o755, 5, 6)
    entries = by_path(copy("f", "/a/", chmod=parse_chmod("4700")))
    assert (entries["a"].mode, entries["a/f"].mode) == (0o700, 0o4700)
    entries = by_path(copy("f", "/a/", chmod=parse_chmod("go=")))
    assert (entries["a"].mode, entries["a/f"].mode) == (0o755, 0o600)


def test_existing_directories(copy: Copy, tree: DirectoryTree) -> None:
    entries = by_path(copy("d", "/usr/bin", chown=(8, 9), chmod=parse_chmod("700")))
    top = tree.stat("d")
    assert top is not None
    assert entries["usr"] == IMAGE.entries["usr"]
    assert entries["usr/bin"] == IMAGE.entries["usr/bin"]._replace(mtime=top.entry.mtime)
    assert entries["usr/bin/x"][2:5] == (0o700, 8, 9)
    nested = by_path(copy("d", "/data", chown=(8, 9)))["data/sub"]
    source = tree.stat("d/sub")
    assert source is not None
    assert nested == Entry("data/sub", "dir", 0o755, 8, 9, 0, source.entry.mtime, xattrs=(("user.old", b"o"),))


def test_metadata_of_files(copy: Copy, tree: DirectoryTree) -> None:
    source = tree.stat("f")
    assert source is not None
    assert by_path(copy("f", "/t"))["t"] == source.entry._replace(path="t")
    assert by_path(copy("f", "/t", chown=(1, 2)))["t"][3:5] == (1, 2)


@pytest.mark.parametrize(
    ("sources", "destination", "message"),
    [
        ("d", "/data/file", 'cannot copy to non-directory: "/data/file" is a file'),
        ("d2", "/data", 'cannot copy to non-directory: "/data/l" is a symbolic link'),
        ("d4", "/data", 'cannot copy to non-directory: "/data/file" is a file'),
        ("d3", "/data", 'cannot replace to directory "/data/sub" with file'),
        ("f", "/data/file/", 'cannot create directory "/data/file": "/data/file" is a file, not a directory'),
        ("f", "/data/file/x", '"/data/file" is a file, not a directory'),
        ("d d3", "/new", 'cannot replace to directory "/new/sub" with file'),
    ],
)
def test_kinds_that_do_not_go_together(copy: Copy, sources: str, destination: str, message: str) -> None:
    with pytest.raises(KezuriError) as error:
        copy(sources, destination)
    assert message in str(error.value)


def test_file_over_link_in_a_copied_tree_replaces_it(tmp_path: os.PathLike[str]) -> None:
    tree = DirectoryTree(make(f"{tmp_path}/c", {"d/l": "text"}))
    entries = by_path(recipe(select(tree, ["d"]), CopyOptions("/data"), IMAGE))
    assert entries["data/l"].kind == "file"
    entries = by_path(recipe(select(tree, ["d/l"]), CopyOptions("/data/"), IMAGE))
    assert entries["data/l"].kind == "file"


def test_links_that_the_same_copy_made_are_followed(tmp_path: os.PathLike[str]) -> None:
    tree = DirectoryTree(make(f"{tmp_path}/c", {"a/l": "-> /else/where", "b": "text"}))
    first = select(tree, ["a"])
    items = recipe(first + select(tree, ["b"]), CopyOptions("/new/l"), DictView())
    assert set(by_path(items)) == {"new", "new/l", "new/l/l", "new/l/b"}


def test_links_keep_their_mode(tmp_path: os.PathLike[str]) -> None:
    tree = DirectoryTree(make(f"{tmp_path}/c", {"d/l": "-> x", "d/x": ""}))
    items = recipe(select(tree, ["d"]), CopyOptions("/n/", chown=(4, 5), chmod=parse_chmod("600")), DictView())
    entries = by_path(items)
    assert (entries["n/l"].mode, entries["n/l"].uid, entries["n/l"].link) == (0o777, 4, "x")
    assert entries["n/x"].mode == 0o600


def test_link_flag(copy: Copy) -> None:
    assert by_path(copy("f", "/bin/t", link=True)) == by_path(copy("f", "/bin/t", DictView(), link=True))
    entries = by_path(copy("f", "/usr/bin", link=True))
    assert entries["usr"] == Entry("usr", "dir", 0o755, 0, 0, 0, UNDATED)
    assert entries["usr/bin"].kind == "file", "without a slash a file takes the place of the directory below"
    assert by_path(copy("f", "/usr/bin/", link=True))["usr/bin"].mode == 0o755
    # BuildKit leaves --link aside where --chmod is given.
    assert "usr/bin/t" in by_path(copy("f", "/bin/t", link=True, chmod=parse_chmod("600")))


def test_parents(copy: Copy, tree: DirectoryTree) -> None:
    entries = by_path(copy("d/sub/y", "/data", parents=True))
    assert list(entries) == ["data", "data/d", "data/d/sub", "data/d/sub/y"]
    d = tree.stat("d")
    assert d is not None and entries["data/d"] == d.entry._replace(path="data/d")


def test_parents_keep_the_owner_of_existing_directories(tmp_path: os.PathLike[str]) -> None:
    root = make(f"{tmp_path}/c", {"data/sub/new": ""})
    os.chmod(f"{root}/data/sub", 0o711)
    items = recipe(
        select(DirectoryTree(root), ["data/sub/new"], parents=True),
        CopyOptions("/", chown=(1, 1), chmod=parse_chmod("600")),
        IMAGE,
    )
    entries = by_path(items)
    assert entries["data/sub"] == IMAGE.entries["data/sub"]._replace(mode=0o711)
    assert entries["data/sub/new"][2:5] == (0o600, 1, 1)


def test_hard_links(tmp_path: os.PathLike[str]) -> None:
    root = make(f"{tmp_path}/c", {"d/m": "one", "e": "other"})
    os.makedirs(f"{root}/d/sub")
    for name in ("d/z", "d/sub/a", "elsewhere"):
        os.link(f"{root}/d/m", f"{root}/{name}")
    tree = DirectoryTree(root)
    items = recipe(select(tree, ["d", "elsewhere"]), CopyOptions("/n/"), DictView())
    kinds = {entry.path: (entry.kind, entry.link) for entry, _ in items}
    assert kinds["n/m"] == ("file", "")
    assert kinds["n/sub/a"] == kinds["n/z"] == ("hardlink", "n/m")
    assert kinds["n/elsewhere"] == ("file", ""), "links are kept within one source"
    order = [entry.path for entry, _ in items]
    assert order.index("n/m") < order.index("n/sub/a")
    # When a later source takes the first name's place, the others stay one file with the old bytes.
    os.rename(f"{root}/e", f"{root}/m")
    items = recipe(select(tree, ["d", "m"]), CopyOptions("/n/"), DictView())
    entries = by_path(items)
    contents = {entry.path: content for entry, content in items}
    assert bytes_of(contents["n/m"]) == b"other"
    assert entries["n/sub/a"].kind == "file" and bytes_of(contents["n/sub/a"]) == b"one"
    assert (entries["n/z"].kind, entries["n/z"].link) == ("hardlink", "n/sub/a")


def test_heredocs_and_downloads() -> None:
    roots = (heredoc("script", b"#!/bin/sh\n", 7), download("pkg.tgz", "/somewhere", 3, 9))
    items = recipe(roots, CopyOptions("/bin/", chown=(1, 1)), IMAGE)
    entries = by_path(items)
    assert entries["usr/bin/script"] == Entry("usr/bin/script", "file", 0o644, 1, 1, 10, 7)
    assert entries["usr/bin/pkg.tgz"] == Entry("usr/bin/pkg.tgz", "file", 0o600, 1, 1, 3, 9)
    items = recipe(roots[:1], CopyOptions("/run.sh", chmod=parse_chmod("755")), IMAGE)
    assert [(entry.path, entry.mode, content) for entry, content in items] == [("run.sh", 0o755, b"#!/bin/sh\n")]


def test_reserved_names(tmp_path: os.PathLike[str]) -> None:
    tree = DirectoryTree(make(f"{tmp_path}/c", {"d/.wh.passwd": ""}))
    with pytest.raises(KezuriError, match=r'"/etc/.wh.passwd" cannot be part of an image'):
        recipe(select(tree, ["d"]), CopyOptions("/etc"), DictView())


names = st.text("ab-.", min_size=1, max_size=2).filter(lambda n: n not in (".", ".."))
trees = st.lists(st.lists(names, min_size=1, max_size=3).map("/".join), max_size=8, unique=True)


@pytest.mark.slow
@given(trees, trees, st.sampled_from(["/", "/a", "/a/", "/new/b", "a/b"]), st.booleans())
@settings(max_examples=120, deadline=None)
def test_layer_stands_alone(source: list[str], image: list[str], destination: str, link: bool) -> None:
    """Parents come before children, each path comes once, and applied to the image the files are where they belong."""

    def leaves(paths: list[str]) -> list[str]:
        return [p for p in paths if not any(q.startswith(p + "/") for q in paths)]

    tree = ItemTree([(Entry(p, "file", size=1), b"x") for p in leaves(source)], "t")
    view = DictView(*(Entry(p, "file") for p in leaves(image)))
    try:
        items = recipe(select(tree, ["."]), CopyOptions(destination, link=link), view)
    except KezuriError as error:
        assert not link and ("non-directory" in str(error) or "directory" in str(error))
        return
    seen: dict[str, Entry] = {}
    for entry, _ in items:
        assert entry.path and entry.path not in seen
        parent = entry.path.rpartition("/")[0]
        assert not parent or seen[parent].kind == "dir"
        seen[entry.path] = entry
    base = os.path.normpath("/" + destination).strip("/")
    wanted = {f"{base}/{p}" if base else p for p in leaves(source)}
    assert {p for p, entry in seen.items() if entry.kind == "file"} == wanted
