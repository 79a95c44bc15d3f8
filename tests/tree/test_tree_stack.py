"""Stacks of layers seen as one tree: against a plain dictionary, against each form, against the kernel."""

import io
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.layer.layer_trees import ROOT, USERXATTR, loose_entries, loose_items, tar_of, trees

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry, Item
from kezuri.layer.listing import Listing
from kezuri.layer.unpacker import unpack
from kezuri.layer.view import View
from kezuri.tree.layers import DirectoryLayer, LayerForm, ListedLayer
from kezuri.tree.stack import StackView

stacks = st.lists(trees(), min_size=1, max_size=4)
Shape = dict[str, tuple[object, ...]]


def describe(entry: Entry, content: bytes) -> tuple[object, ...]:
    return entry.kind, entry.mode, entry.uid, entry.gid, entry.mtime, entry.link, entry.xattrs, content


def modelled(layers: list[list[Item]]) -> Shape:
    """The merged tree by the book: first a layer's removals, then its additions."""
    merged: dict[str, tuple[Entry, bytes]] = {}

    def drop(path: str, itself: bool) -> None:
        for known in [known for known in merged if known.startswith(path + "/") or (itself and known == path)]:
            del merged[known]

    for items in layers:
        for entry, _ in items:
            if entry.kind in ("whiteout", "opaque"):
                drop(entry.path, entry.kind == "whiteout")
        own: dict[str, tuple[Entry, bytes]] = {}
        for entry, content in items:
            if entry.kind in ("whiteout", "opaque"):
                continue
            assert not isinstance(content, str)
            before = merged.get(entry.path)
            if before is not None and not before[0].kind == entry.kind == "dir":
                drop(entry.path, True)
            if entry.kind == "hardlink":
                entry, content = own[entry.link][0]._replace(path=entry.path), own[entry.link][1]
            own[entry.path] = merged[entry.path] = entry, content or b""
    return {path: describe(*found) for path, found in merged.items()}


def seen(view: StackView) -> Shape:
    found: Shape = {}
    for entry in everything(view):
        content = b""
        if entry.kind == "file":
            data = view.read("/" + entry.path)
            assert data is not None
            content = data
        found[entry.path] = describe(entry, content)
    return found


def everything(view: StackView) -> list[Entry]:
    found: list[Entry] = []
    todo = [""]
    while todo:
        entries = [item.entry for item in view.scan(todo.pop())]
        found += entries
        todo += [entry.path for entry in entries if entry.kind == "dir"]
    return found


def listed(items: list[Item], lower: View | None = None) -> ListedLayer:
    data = tar_of(items)
    return ListedLayer(Listing.of_tar(io.BytesIO(data), lower=lower), lambda: io.BytesIO(data))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(layers=stacks)
def test_listed_layers_agree_with_the_model(layers: list[list[Item]]) -> None:
    view = StackView([listed(items) for items in layers])
    assert seen(view) == modelled(layers)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(layers=stacks, forms=st.lists(st.booleans(), min_size=4, max_size=4))
def test_mixed_forms_agree_with_the_model(
    layers: list[list[Item]], forms: list[bool], tmp_path_factory: pytest.TempPathFactory
) -> None:
    stack: list[LayerForm] = []
    for items, as_directory in zip(layers, forms, strict=False):
        lower = StackView(stack)
        if as_directory:
            directory = str(tmp_path_factory.mktemp("layer"))
            unpack(io.BytesIO(tar_of(items)), directory, lower=lower, userxattr=USERXATTR, where="layer")
            stack.append(DirectoryLayer(directory, USERXATTR))
        else:
            stack.append(listed(items, lower))
    view = StackView(stack)
    expected = modelled(layers)
    assert seen(view) == expected
    for entry in everything(view):
        found = view.stat(entry.path)
        assert found is not None
        if isinstance(found.content, str):
            assert Path(found.content).read_bytes() == expected[entry.path][-1]


@pytest.mark.slow
@pytest.mark.skipif(not ROOT, reason="needs root to mount")
@settings(max_examples=25, deadline=None)
@given(layers=stacks)
def test_the_kernel_agrees(layers: list[list[Item]], tmp_path_factory: pytest.TempPathFactory) -> None:
    top = tmp_path_factory.mktemp("overlay")
    stack: list[LayerForm] = []
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(top)], check=True)
    try:
        for number, items in enumerate([[], *layers]):
            directory = top / str(number)
            directory.mkdir()
            view = StackView(stack)
            unpack(io.BytesIO(tar_of(items)), str(directory), lower=view, userxattr=False, where="layer")
            stack.append(DirectoryLayer(str(directory), False))
        merged = top / "merged"
        merged.mkdir()
        lowers = ":".join(str(top / str(number)) for number in range(len(layers), -1, -1))
        subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={lowers}", "overlay", str(merged)], check=True)
        try:
            assert seen(StackView([DirectoryLayer(str(merged), False)])) == seen(StackView(stack)) == modelled(layers)
        finally:
            subprocess.run(["umount", str(merged)], check=True)
    finally:
        subprocess.run(["umount", str(top)], check=True)


@pytest.mark.slow
@pytest.mark.skipif(not ROOT, reason="needs root to mount")
@settings(max_examples=30, deadline=None)
@given(drawn=st.lists(loose_entries, min_size=2, max_size=4))
def test_layers_in_any_order_are_the_same_listed_unpacked_and_mounted(
    drawn: list[list[tuple[str, str, str, int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also where a layer has something below what is a link or a file in another layer."""
    top = tmp_path_factory.mktemp("overlay")
    unpacked: list[LayerForm] = []
    tars: list[ListedLayer] = []
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(top)], check=True)
    try:
        (top / "empty").mkdir()
        for loose in drawn:
            items = loose_items(loose)
            directory = top / str(len(unpacked))
            directory.mkdir()
            view = StackView(unpacked)
            try:
                unpack(io.BytesIO(tar_of(items)), str(directory), lower=view, userxattr=False, where="layer")
            except KezuriError as error:
                with pytest.raises(KezuriError) as again:
                    listed(items, StackView(tars))
                assert str(again.value) == str(error)
                subprocess.run(["rm", "-rf", str(directory)], check=True)
                continue
            tars.append(listed(items, StackView(tars)))
            unpacked.append(DirectoryLayer(str(directory), False))
        if not unpacked:
            return
        merged = top / "merged"
        merged.mkdir()
        lowers = ":".join([*(str(top / str(number)) for number in reversed(range(len(unpacked)))), str(top / "empty")])
        subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir={lowers}", "overlay", str(merged)], check=True)
        try:
            by_kernel = shapes(StackView([DirectoryLayer(str(merged), False)]))
            assert by_kernel == shapes(StackView(unpacked)) == shapes(StackView(tars))
        finally:
            subprocess.run(["umount", str(merged)], check=True)
    finally:
        subprocess.run(["umount", str(top)], check=True)


def shapes(view: StackView) -> Shape:
    """What is where, without the times of directories that nobody describes."""
    return {path: (*found[:4], *found[5:]) if found[0] == "dir" else found for path, found in seen(view).items()}


def _items(*entries: Entry) -> list[Item]:
    return [(entry._replace(size=1) if entry.kind == "file" else entry, b"x") for entry in entries]


def folder(path: str) -> Entry:
    return Entry(path, "dir", 0o755)


def link(path: str, target: str) -> Entry:
    return Entry(path, "symlink", 0o777, link=target)


def test_resolve_follows_links_within_the_root() -> None:
    low = [folder("usr"), folder("usr/bin"), link("bin", "usr/bin"), link("usr/up", "../.."), link("loop", "loop")]
    high = [link("usr/bin/sh", "/bin/busybox"), Entry("usr/bin/busybox", "file"), link("abs", "/../../usr/./bin//")]
    view = StackView([listed(_items(*low)), listed(_items(*high))])
    for path, real in (
        ("", ""),
        ("/", ""),
        ("bin/sh", "usr/bin/busybox"),
        ("/abs/sh", "usr/bin/busybox"),
        ("usr/up/bin/x/y", "usr/bin/x/y"),
        ("../../bin", "usr/bin"),
        ("nothing/../bin/sh", "usr/bin/busybox"),
        ("bin/..", "usr"),
    ):
        assert view.resolve(path) == real
    assert view.read("bin/sh") == b"x"
    assert view.lookup("bin/sh") is None
    assert view.read("bin") is None
    with pytest.raises(KezuriError, match='too many symbolic links in "/loop/x"'):
        view.resolve("/loop/x")


def test_the_root_always_exists() -> None:
    for view in (StackView([]), StackView([listed([])])):
        assert view.lookup("") == Entry("", "dir", 0o755)
        assert view.scan("") == []
        assert view.lookup("x") is None
        assert view.read("x") is None


def test_the_uppermost_description_of_a_directory_counts() -> None:
    low, high = Entry("a", "dir", 0o700, 1, 2), Entry("a", "dir", 0o711, 3, 4)
    implied = listed(_items(Entry("a/f", "file")))
    assert StackView([listed(_items(low)), listed(_items(high)), implied]).lookup("a") == high
    assert StackView([listed(_items(low)), implied]).lookup("a") == low
    assert StackView([implied]).lookup("a") == Entry("a", "dir", 0o755)


def test_reading_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(100))
    for layer in (DirectoryLayer(str(tmp_path)), listed([(Entry("f", "file", size=100), bytes(100))])):
        assert StackView([layer]).read("f", 99) is None
        assert StackView([layer]).read("f", 100) == bytes(100)


def test_deep_paths_need_no_recursion() -> None:
    deep = "/".join(["d"] * 500)
    view = StackView([listed(_items(Entry(deep, "file")))])
    assert view.lookup(deep) is not None
    assert view.resolve(deep + "/" + "x/" * 3000).count("/") == 3499


def test_hard_links_of_a_directory_form_stay_one_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    os.link(tmp_path / "a", tmp_path / "b")
    a, b = StackView([DirectoryLayer(str(tmp_path))]).scan("")
    assert (a.entry.kind, b.entry.kind) == ("file", "file")
    assert a.identity == b.identity is not None


def test_symbolic_links_that_are_directories_elsewhere_are_not_entered(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "secret").write_text("s")
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer" / "l").symlink_to(tmp_path / "out")
    view = StackView([DirectoryLayer(str(tmp_path / "layer"))])
    assert view.lookup("l/secret") is None
    assert view.scan("l") == []
    assert view.read("l/secret") is None
