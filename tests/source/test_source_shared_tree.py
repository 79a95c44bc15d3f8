"""Directories that another user of the machine changes while they are copied from."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Item, SharedPath
from kezuri.layer.packer import compression, pack
from kezuri.tree.archive import Archives
from kezuri.tree.content import on_hand
from kezuri.tree.directory import DirectoryTree, others_may_change
from kezuri.tree.materialise import materialise
from kezuri.tree.tree import Found


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """What the other user may not read, with names, sizes and kinds as in the tree."""
    directory = tmp_path / "private"
    directory.mkdir()
    (directory / "f").write_bytes(b"root's")
    return directory


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A tree in which everybody can rename."""
    top = tmp_path / "context"
    (top / "b").mkdir(parents=True)
    (top / "b" / "f").write_bytes(b"theirs")
    top.chmod(0o777)
    return top


def swap(shared: Path, private: Path) -> None:
    os.rename(shared / "b", shared / "aside")
    os.symlink(private, shared / "b")


def found_file(tree: DirectoryTree) -> Found:
    assert [item.entry.path for item in tree.scan("")] == ["b"]
    (item,) = tree.scan("b")
    return item


def test_a_link_in_the_place_of_a_listed_directory_is_not_walked_into(shared: Path, private: Path) -> None:
    tree = DirectoryTree(str(shared))
    tree.scan("")
    swap(shared, private)
    with pytest.raises(KezuriError, match='cannot read directory "b"'):
        tree.scan("b")
    assert tree.stat("b/f") is None


def packed(items: list[Item], scratch: Path) -> None:
    pack(items, io.BytesIO(), compression("none", None))


def written(items: list[Item], scratch: Path) -> None:
    materialise(items, str(scratch / "out"))


def unpacked(items: list[Item], scratch: Path) -> None:
    content = items[0][1]
    assert content is not None
    Archives(str(scratch)).extract(content)


@pytest.mark.parametrize("use", [packed, written, unpacked])
def test_a_file_behind_such_a_link_is_not_the_one_that_was_found(
    shared: Path, private: Path, tmp_path: Path, use: Callable[[list[Item], Path], None]
) -> None:
    item = found_file(DirectoryTree(str(shared)))
    placed = item.entry._replace(path="f", uid=os.geteuid(), gid=os.getegid())
    content = on_hand(item.content)
    use([(placed, content)], tmp_path)
    swap(shared, private)
    (tmp_path / "second").mkdir()
    with pytest.raises(KezuriError, match="changed"):
        use([(placed, content)], tmp_path / "second")


def test_a_root_that_was_replaced_is_not_read(shared: Path, private: Path) -> None:
    tree = DirectoryTree(str(shared))
    os.rename(shared, shared.parent / "aside")
    os.symlink(private, shared)
    with pytest.raises(KezuriError, match="it has been replaced"):
        tree.scan("")


def test_a_directory_deep_in_the_tree_may_be_the_shared_one(shared: Path) -> None:
    shared.chmod(0o755)
    (shared / "b").chmod(0o777)
    assert isinstance(found_file(DirectoryTree(str(shared))).content, SharedPath)


def test_where_nobody_else_can_change_anything_paths_are_plain(shared: Path) -> None:
    shared.chmod(0o755)
    assert type(found_file(DirectoryTree(str(shared))).content) is str


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "said"),
    [
        (0o755, 0, 0, False),
        (0o755, 4711, 0, True),
        (0o775, 0, 0, False),
        (0o775, 0, 4711, True),
        (0o777, 0, 0, True),
        (0o1777, 0, 0, False),
    ],
)
def test_who_may_change_a_directory(mode: int, uid: int, gid: int, said: bool) -> None:
    assert others_may_change(os.stat_result((mode, 0, 0, 2, uid, gid, 0, 0, 0, 0))) == said
