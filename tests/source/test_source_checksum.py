"""Digests of selections, and the index that spares reading unchanged files."""

import hashlib
import mmap
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.source.source_trees import make

from kezuri.diagnostics import KezuriError
from kezuri.explain.changes import changes
from kezuri.layer.entry import Entry
from kezuri.tree.checksum import digest, fingerprint, records, text, verify_unchanged
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.item_tree import ItemTree
from kezuri.tree.selection import heredoc, select
from kezuri.tree.stat_index import StatIndex, hash_file

TREE: dict[str, str | bytes | None] = {"d/f": "one", "d/sub/g": "two", "d/l": "-> f", "h": "three", "e": None}


@pytest.fixture
def root(tmp_path: os.PathLike[str]) -> str:
    return make(f"{tmp_path}/context", TREE)


def write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def relink(path: str, target: str) -> None:
    os.unlink(path)
    os.symlink(target, path)


def of(root: str, *words: str, owner: tuple[int, int] | None = (0, 0)) -> str:
    with StatIndex(root + ".index", root) as index:
        return digest(select(DirectoryTree(root, owner=owner), words), index)


def test_what_does_not_count(root: str) -> None:
    before = of(root, "d")
    os.utime(f"{root}/d/f")
    os.utime(f"{root}/d/sub")
    os.chmod(f"{root}/d", 0o700)
    assert of(root, "d") == before
    os.rename(f"{root}/d", f"{root}/moved")
    assert of(root, "moved") == before
    os.mkdir(f"{root}/deep")
    first = of(root, "h")
    os.rename(f"{root}/h", f"{root}/deep/h")
    assert of(root, "deep/h") == first


@pytest.mark.parametrize(
    "change",
    [
        lambda r: write(f"{r}/d/f", "onf"),
        lambda r: os.chmod(f"{r}/d/f", 0o755),
        lambda r: os.chmod(f"{r}/d/sub", 0o700),
        lambda r: os.rename(f"{r}/d/f", f"{r}/d/f2"),
        lambda r: os.mkdir(f"{r}/d/empty"),
        lambda r: os.unlink(f"{r}/d/l"),
        lambda r: relink(f"{r}/d/l", "sub"),
        lambda r: os.replace(f"{r}/d/f", f"{r}/d/l"),
        lambda r: os.mkfifo(f"{r}/d/p"),
    ],
)
def test_what_counts(root: str, change: object) -> None:
    before = of(root, "d")
    change(root)  # type: ignore[operator]
    assert of(root, "d") != before


def test_attributes_count(root: str) -> None:
    before = of(root, "d")
    try:
        os.setxattr(f"{root}/d/f", "user.k", b"v")
    except OSError:
        pytest.skip("no extended attributes here")
    assert of(root, "d") != before


def test_owner_counts_where_it_is_kept(root: str) -> None:
    assert of(root, "d", owner=(1, 1)) != of(root, "d", owner=(1, 2))


def test_name_of_a_file_counts(root: str) -> None:
    before = of(root, "h")
    os.rename(f"{root}/h", f"{root}/h2")
    assert of(root, "h2") != before


def test_number_and_order_of_sources_count(root: str) -> None:
    digests = {of(root, *words) for words in (["d", "h"], ["h", "d"], ["d"], ["h"], [], ["e"], ["e", "e"])}
    assert len(digests) == 7


def test_nothing_else_is_read(root: str) -> None:
    before = of(root, "d")
    with open(f"{root}/unrelated", "w") as file:
        file.write("x")
    assert of(root, "d") == before


def test_bytes_count_as_files_do() -> None:
    with StatIndex("/proc/nowhere", "/") as index:
        assert digest((heredoc("f", b"a", 1),), index) == digest((heredoc("f", b"a", 2),), index)
        assert digest((heredoc("f", b"a", 1),), index) != digest((heredoc("f", b"b", 1),), index)
        assert digest((heredoc("f", b"a", 1),), index) != digest((heredoc("g", b"a", 1),), index)


def test_records(root: str) -> None:
    with StatIndex(root + ".index", root) as index:
        selection = select(DirectoryTree(root, owner=(0, 0)), ["d", "h"])
        found = records(selection, index)
        assert sorted(found) == ["d/f", "d/l", "d/sub", "d/sub/g", "h"]
        assert found["d/f"] == (hashlib.sha256(b"one").hexdigest(), 0o644, 0, 0, "file", "", "")
        before = text(found)
    assert before.splitlines()[0] == "f644 0:0 " + hashlib.sha256(b"one").hexdigest()[:16] + " d/f"
    with open(f"{root}/d/f", "w") as file:
        file.write("other")
    os.chmod(f"{root}/d/sub", 0o700)
    os.rename(f"{root}/d/sub/g", f"{root}/d/sub/new\nname")
    os.unlink(f"{root}/d/l")
    os.mkdir(f"{root}/d/l")
    with StatIndex(root + ".index", root) as index:
        after = text(records(select(DirectoryTree(root, owner=(3, 0)), ["d", "h"]), index))
    assert [change for change in changes(before, after) if change.what != "owner"] == [
        ("d/f", "content", "", ""),
        ("d/l", "kind", "link", "directory"),
        ("d/sub", "mode", "0755", "0700"),
        ("d/sub/g", "gone", "", ""),
        ("d/sub/new\\nname", "new", "", ""),
    ]
    assert [c for c in changes(before, after) if c.what == "owner"] == [
        (path, "owner", "0:0", "3:0") for path in ("d/f", "d/sub", "h")
    ]
    assert changes(after, after) == ()


def test_a_change_during_the_build_is_seen(root: str) -> None:
    selection = select(DirectoryTree(root), ["d"])
    verify_unchanged(selection)
    with open(f"{root}/d/f", "w") as file:
        file.write("eno")
    with pytest.raises(KezuriError, match=r'd/f" changed during the build'):
        verify_unchanged(selection)
    with pytest.raises(KezuriError, match="changed while it was read"), StatIndex(root + ".index", root) as index:
        digest(selection, index)


class Later(StatIndex):
    """An index that believes to have been opened in ten minutes, so that what is there counts as settled."""

    def __init__(self, directory: str, root: str) -> None:
        super().__init__(directory, root)
        self._began = time.time_ns() + 600 * 10**9


def run(kind: type[StatIndex], store: str, root: str, *words: str) -> tuple[str, int, int]:
    with kind(store, root) as index:
        result = digest(select(DirectoryTree(root, owner=(0, 0)), words), index)
    return result, index.hits, index.misses


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Temporary files may lie in memory: the index is told that they do not."""
    monkeypatch.setattr("kezuri.tree.stat_index._file_system", lambda device: "ext4")


@pytest.mark.usefixtures("on_disk")
def test_index_spares_reading(root: str, tmp_path: os.PathLike[str]) -> None:
    store = f"{tmp_path}/index"
    first = run(Later, store, root, "d", "h")
    assert first[1:] == (0, 3)
    assert run(StatIndex, store, root, "d", "h") == (first[0], 3, 0)
    # What one build did not look at is kept.
    with open(f"{root}/h", "w") as file:
        file.write("new")
    assert run(Later, store, root, "h")[1:] == (0, 1)
    assert run(StatIndex, store, root, "d", "h")[1:] == (3, 0)


@pytest.mark.usefixtures("on_disk")
def test_touched_file_is_read_again_and_is_the_same(root: str, tmp_path: os.PathLike[str]) -> None:
    store = f"{tmp_path}/index"
    first = run(Later, store, root, "d")
    os.utime(f"{root}/d/f")
    again = run(Later, store, root, "d")
    assert again == (first[0], 1, 1)


@pytest.mark.usefixtures("on_disk")
def test_young_files_are_not_trusted(root: str, tmp_path: os.PathLike[str]) -> None:
    """A write within the granularity of the file system's times would not show."""
    store = f"{tmp_path}/index"
    assert run(StatIndex, store, root, "d")[1:] == (0, 2)
    assert run(StatIndex, store, root, "d")[1:] == (0, 2)
    os.utime(f"{root}/d/f", ns=(2 * 10**18, 2 * 10**18))
    run(Later, store, root, "d")
    assert run(StatIndex, store, root, "d")[1:] == (1, 1), "an mtime in the future is not trusted either"


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("damage", [b"", b"kezuri stat index 1\n", b"garbage" * 100, None])
def test_damaged_index_is_empty(root: str, tmp_path: os.PathLike[str], damage: bytes | None) -> None:
    store = f"{tmp_path}/index"
    first = run(Later, store, root, "d")
    (name,) = os.listdir(store)
    path = os.path.join(store, name)
    if damage is None:
        with open(path, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\xff")
    else:
        with open(path, "wb") as file:
            file.write(damage)
    assert run(Later, store, root, "d") == (first[0], 0, 2)
    assert run(StatIndex, store, root, "d") == (first[0], 2, 0)
    assert os.listdir(store) == [name]


def test_records_that_nobody_asks_for_go_away(root: str, tmp_path: os.PathLike[str]) -> None:
    store = f"{tmp_path}/index"
    run(Later, store, root, "d")
    for number in range(18):
        with open(f"{root}/h", "w") as file:
            file.write(str(number))
        run(Later, store, root, "h")
    assert run(StatIndex, store, root, "d")[1:] == (0, 2)


def test_index_that_cannot_be_saved(root: str, tmp_path: os.PathLike[str]) -> None:
    make(f"{tmp_path}", {"file": ""})
    assert run(Later, f"{tmp_path}/file/index", root, "d")[1:] == (0, 2)


def test_other_file_systems_clock(root: str, tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file system with a clock of its own only the newest time seen is known to be past."""
    from kezuri.tree import stat_index

    monkeypatch.setattr(stat_index, "_file_system", lambda device: "nfs4")
    assert run(Later, f"{tmp_path}/index", root, "d")[1:] == (0, 2)
    assert run(StatIndex, f"{tmp_path}/index", root, "d")[1:] == (0, 2)


class Soon(StatIndex):
    """An index that believes to have been opened thirty seconds from now: longer than a write needs to show, but not
    than the kernel takes to write a page back."""

    def __init__(self, directory: str, root: str) -> None:
        super().__init__(directory, root)
        self._began = time.time_ns() + 30 * 10**9


def test_what_may_still_be_written_through_a_mapping_is_not_trusted(root: str, tmp_path: os.PathLike[str]) -> None:
    store, path = f"{tmp_path}/index", f"{root}/d/f"
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapping:
        mapping[:] = b"two"
        first = run(Soon, store, root, "d/f")
        before = os.stat(path)
        mapping[:] = b"six"
        # The page is dirty already: nothing tells of this write.
        assert os.stat(path).st_mtime_ns == before.st_mtime_ns
        assert run(StatIndex, store, root, "d/f")[0] != first[0]


@pytest.mark.parametrize("kind", ["tmpfs", "ramfs"])
def test_what_lies_in_memory_is_read_by_every_build(
    root: str, tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("kezuri.tree.stat_index._file_system", lambda device: kind)
    assert [run(Later, f"{tmp_path}/index", root, "d")[1:] for _ in range(2)] == [(0, 2), (0, 2)]


@pytest.mark.usefixtures("on_disk")
def test_where_nothing_is_written_back_nothing_is_trusted(
    root: str, tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (Path(tmp_path) / "expire_centisecs").write_text("3000\n")
    monkeypatch.setattr("kezuri.tree.stat_index._DIRTY", f"{tmp_path}/")
    for often, hits in (("0\n", 0), ("500\n", 2)):
        (Path(tmp_path) / "writeback_centisecs").write_text(often)
        assert [run(Later, f"{tmp_path}/index", root, "d")[1] for _ in range(2)] == [0, hits]


def test_hash_file(tmp_path: os.PathLike[str]) -> None:
    root = make(f"{tmp_path}", {"big": b"ab" * 1_500_000, "empty": "", "link": "-> big"})
    tree = DirectoryTree(root)
    for name, data in (("big", b"ab" * 1_500_000), ("empty", b"")):
        item = tree.stat(name)
        assert item is not None
        assert (
            hash_file(f"{root}/{name}", item.stamp)
            == hash_file(f"{root}/{name}", None)
            == hashlib.sha256(data).digest()
        )
    with pytest.raises(KezuriError, match="cannot read"):
        hash_file(f"{root}/link", None)
    item = tree.stat("big")
    assert item is not None
    os.unlink(f"{root}/big")
    os.mkfifo(f"{root}/big")
    with pytest.raises(KezuriError, match="changed while it was read"):
        hash_file(f"{root}/big", item.stamp)


metadata = st.tuples(
    st.sampled_from(["a", "b", "a/c", "ab"]),
    st.integers(0, 0o7777),
    st.integers(0, 2),
    st.binary(max_size=3),
    st.integers(0, 5),
    st.sampled_from([(), (("user.x", b"1"),), (("user.x", b"2"),)]),
)


@given(metadata, metadata)
@settings(max_examples=200, deadline=None)
def test_digest_changes_iff_what_counts_changes(one: tuple[object, ...], two: tuple[object, ...]) -> None:
    def of(values: tuple[object, ...]) -> str:
        path, mode, uid, data, mtime, xattrs = values
        assert isinstance(path, str) and isinstance(data, bytes)
        entry = Entry(path, "file", mode, uid, 0, len(data), mtime, xattrs=xattrs)  # type: ignore[arg-type]
        with StatIndex("/proc/nowhere", "/") as index:
            return fingerprint(select(ItemTree([(entry, data)], "t"), ["."]), index)[0]

    counts = [index for index in range(6) if index != 4]
    assert (of(one) == of(two)) == all(one[i] == two[i] for i in counts)
