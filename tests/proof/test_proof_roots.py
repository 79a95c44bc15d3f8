"""Trees compared: each thing that can differ is found, whatever form the layers have, and what says nothing is told."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from kezuri.layer.entry import Entry, Item
from kezuri.layer.listing import Listing
from kezuri.proof.difference import Difference, undeclared
from kezuri.proof.noise import NOISE
from kezuri.proof.roots import root_differences
from kezuri.proof.vocabulary import unknown
from kezuri.tree.item_tree import ItemTree
from kezuri.tree.layers import DirectoryLayer, ListedLayer
from kezuri.tree.stack import StackView


def file(path: str, data: bytes = b"x", mode: int = 0o644, uid: int = 0, mtime: int = 0) -> Item:
    return Entry(path, "file", mode, uid, 0, len(data), mtime), data


def tree(*items: Item) -> ItemTree:
    return ItemTree(items, "a tree")


def compared(one: list[Item], two: list[Item], times: bool = False) -> list[tuple[str, str, str | None, str | None]]:
    found = root_differences(tree(*one), tree(*two), times=times)
    return [(d.name, d.where, d.before, d.after) for d in found]


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ([file("a")], [file("a", mtime=5)], []),
        ([file("a")], [file("a", mode=0o755)], [("file.mode", "a", "0644", "0755")]),
        ([file("a")], [file("a", uid=3)], [("file.owner", "a", "0:0", "3:0")]),
        ([file("a")], [file("a", b"xy")], [("file.content", "a", "1 bytes", "2 bytes")]),
        ([file("a")], [], [("file.gone", "a", "file of 1 bytes", None)]),
        (
            [],
            [file("d/a")],
            [("file.new", "d", None, "directory"), ("file.new", "d/a", None, "file of 1 bytes")],
        ),
        ([file("a")], [(Entry("a", "symlink", link="b"), None)], [("file.kind", "a", "file", "link")]),
        (
            [(Entry("a", "symlink", link="c"), None)],
            [(Entry("a", "symlink", link="b"), None)],
            [("file.link", "a", "c", "b")],
        ),
        (
            [(Entry("a", "file", xattrs=(("user.x", b"1"),)), b"")],
            [(Entry("a", "file"), b"")],
            [("file.attributes", "a", "user.x=31", "")],
        ),
        (
            [(Entry("a", "char", device=(1, 3)), None)],
            [(Entry("a", "char", device=(1, 5)), None)],
            [("file.device", "a", "(1, 3)", "(1, 5)")],
        ),
        (
            [file("a"), (Entry("b", "hardlink", link="a"), None)],
            [file("a"), file("b")],
            [("file.same", "b", "a", "b")],
        ),
        ([(Entry("", "dir", 0o755), None)], [(Entry("", "dir", 0o700), None)], [("file.mode", "", "0755", "0700")]),
    ],
)
def test_what_differs_is_named(
    one: list[Item], two: list[Item], expected: list[tuple[str, str, str | None, str | None]]
) -> None:
    assert compared(one, two) == expected
    assert not unknown([name for name, *_ in expected])
    assert len(compared(two, one)) == len(expected)


def test_the_same_bytes_differ_in_nothing_and_others_in_their_digests() -> None:
    (found,) = compared([file("a", b"one")], [file("a", b"two")])
    assert found[0] == "file.content" and found[2] != found[3] and str(found[2]).startswith("sha256:")


def test_times_count_on_wish() -> None:
    assert [name for name, *_ in compared([file("a")], [file("a", mtime=5)], times=True)] == ["file.time"]


def test_names_that_are_no_text_and_deep_directories() -> None:
    directories = ["/".join("d" for _ in range(depth)) for depth in range(1, 1500)]
    down: list[Item] = [(Entry(path, "dir", 0o755), None) for path in directories]
    deep, odd = f"{directories[-1]}/f", "a\udcff\n"
    found = compared([*down, file(deep), file(odd)], [*down, file(deep, b"y"), file(odd, b"y")])
    assert [d[1] for d in found] == [odd, deep]


def _packed(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return made.getvalue()


class Opened:
    """A tar that counts how often it is opened."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.data = _packed(files)
        self.count = 0

    def __call__(self) -> io.BytesIO:
        self.count += 1
        return io.BytesIO(self.data)

    def layer(self) -> ListedLayer:
        return ListedLayer(Listing.of_tar(io.BytesIO(self.data)), self)


def test_files_in_a_tar_are_read_once_for_all(tmp_path: Path) -> None:
    same = {f"a{number}": b"%d" % number for number in range(50)}
    tar = Opened({**same, "z": b"1"})
    for name, data in {**same, "z": b"2"}.items():
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(0o644)
    status = tmp_path.stat()
    layers: Callable[[], StackView] = lambda: StackView([DirectoryLayer(str(tmp_path))])  # noqa: E731
    found = root_differences(StackView([tar.layer()]), layers())
    owner = {"file.owner"} if status.st_uid else set()
    assert {(d.name, d.where) for d in found if d.where and d.name not in owner} == {("file.content", "z")}
    assert tar.count == 1
    layer = tar.layer()
    assert root_differences(StackView([layer]), StackView([layer])) == ()
    assert tar.count == 1


@pytest.mark.parametrize(
    "path",
    [
        "var/log/apt/history.log",
        "etc/ld.so.cache",
        "app/__pycache__/x.cpython-312.pyc",
        "__pycache__/x.pyc",
        "etc/machine-id",
        "root/.npm/_logs/x-debug.log",
    ],
)
def test_what_is_never_the_same_says_so(path: str) -> None:
    (found,) = root_differences(tree(file(path)), tree(file(path, b"y")))
    assert found.noise and undeclared([found], []) == ()


@pytest.mark.parametrize("path", ["var/log/app.log", "etc/ld.so.cache.d", "etc/shadow", "app/pycache/x", "usr/x.py"])
def test_what_looks_like_it_does_not(path: str) -> None:
    (found,) = root_differences(tree(file(path)), tree(file(path, b"y")))
    assert not found.noise and undeclared([found], []) == (found,)


def test_a_machine_without_an_identity_is_told() -> None:
    (*_, found) = root_differences(tree(file("etc/machine-id")), tree())
    assert not found.noise and found == Difference("file.gone", "file of 1 bytes", None, "etc/machine-id")


def test_every_row_of_the_table_has_a_word_that_means_something() -> None:
    assert unknown(word for word, _ in NOISE) == ()
    assert all(reason and not reason.endswith(".") for _, reason in NOISE)


def test_a_directory_may_go_where_all_that_is_in_it_may() -> None:
    found = root_differences(tree(file("a/b/c"), file("a/d")), tree())
    assert undeclared(found, ["file.gone a/b", "file.gone a/d"]) == ()
    assert [d.where for d in undeclared(found, ["file.gone a/b"])] == ["a", "a/d"]
    empty = root_differences(tree((Entry("e", "dir", 0o755), None)), tree())
    assert [d.where for d in undeclared(empty, [])] == ["e"]
    logs = root_differences(tree(), tree(file("var/log/apt/x")))
    assert undeclared(logs, []) == ()
