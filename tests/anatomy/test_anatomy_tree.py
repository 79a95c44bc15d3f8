"""The tree of an image's files at every level, against the layers merged as they are when they are unpacked."""

import io
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.layer.layer_trees import loose_entries, loose_items, tar_of, trees

from kezuri.anatomy.dissection import Dissection, OwnLayer
from kezuri.anatomy.listing_tree import FileTree
from kezuri.anatomy.tree_view import Filter, Selection, TreeView
from kezuri.anatomy.values import Maker
from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry, Item
from kezuri.layer.listing import Listing
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.tree.layers import ListedLayer
from kezuri.tree.stack import StackView

loose = loose_entries.map(loose_items)
stacks = st.lists(trees() | loose, min_size=1, max_size=4)


def taken_apart(layers: list[list[Item]]) -> Dissection:
    """An image of these layers."""
    own: list[OwnLayer] = []
    for items in layers:
        data = tar_of(items)
        listing = Listing.of_tar(io.BytesIO(data), lower=StackView([layer.form for layer in own]))
        form = ListedLayer(listing, lambda data=data: io.BytesIO(data))  # type: ignore[misc]
        form.digests(listing.files())
        own.append(OwnLayer("", form, listing, Maker("")))
    return Dissection("image", ImageConfig(Platform("linux", "amd64")), own)


def tree_of(layers: list[list[Item]]) -> FileTree:
    image = taken_apart(layers)
    return FileTree.of(image.pieces(), len(image.layers))


def file(path: str, data: bytes, mode: int = 0o644) -> Item:
    return Entry(path, "file", mode, size=len(data)), data


def merged(layers: Sequence[OwnLayer]) -> dict[str, Entry]:
    view = StackView([layer.form for layer in layers])
    found: dict[str, Entry] = {}
    todo = [""]
    while todo:
        entries = [each.entry for each in view.scan(todo.pop())]
        found.update((entry.path, entry) for entry in entries)
        todo += [entry.path for entry in entries if entry.kind == "dir"]
    return found


def told(found: dict[str, Entry], level: int, tree: FileTree) -> dict[str, Entry]:
    """Without the directories that no layer describes, and that nothing is in: a mark in them is all there is."""
    described = {node.path for node in tree.nodes if (stand := node.at(level)) is not None and stand.kind == "dir"}
    described |= {path for path, entry in found.items() if entry.kind != "dir"}
    return {
        path: entry
        for path, entry in found.items()
        if path in described or any(each.startswith(f"{path}/") for each in described)
    }


def agrees(layers: list[list[Item]]) -> None:
    try:
        image = taken_apart(layers)
        tree = FileTree.of(image.pieces(), len(image.layers))
        seen = [told(merged(image.layers[: level + 1]), level, tree) for level in range(-1, len(layers))]
    except KezuriError:
        assume(False)  # links to nothing
    for level in range(len(layers)):
        for since in range(-1, level):
            view = TreeView(tree, level, since)
            before, after = seen[since + 1], seen[level + 1]
            kept = Selection(view, Filter())
            for node in tree.nodes[1:]:
                path, change = node.path, view.changes[node.number]
                there = (change in ("same", "changed", "rewritten", "removed"), change not in ("absent", "removed"))
                assert there == (path in before, path in after), f"{path} {since} to {level}: {change}"
                assert bool(kept.kept[node.number]) == (change != "absent")
                if path in after:
                    assert view.directory(node) == (after[path].kind == "dir"), path
            own = [stand for node in tree.nodes if (stand := node.at(level)) is not None]
            assert view.sizes[0] == sum(stand.size for stand in own)
            assert len({node.path for node in tree.nodes}) == len(tree.nodes)
            for node in tree.nodes:
                names = [child.name for child in node.children]
                assert names == sorted(names)
            wasted = [s for node in tree.nodes for s in node.stands if since < s.layer <= level and s.fate != "shown"]
            assert view.wasted[0] == sum(stand.size for stand in wasted)


@settings(max_examples=15, deadline=None)
@given(layers=stacks)
def test_levels_agree(layers: list[list[Item]]) -> None:
    agrees(layers)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(layers=stacks)
def test_levels_agree_often(layers: list[list[Item]]) -> None:
    agrees(layers)


STACK: list[list[Item]] = [
    [
        (Entry("app", "dir", 0o755), None),
        file("app/a.txt", b"aaaa"),
        file("app/b.txt", b"bb"),
        file("app/c.txt", b"c"),
        (Entry("app/old", "dir", 0o755), None),
        file("app/old/x", b"x" * 100),
    ],
    [
        (Entry("app", "dir", 0o755, mtime=7), None),
        file("app/a.txt", b"aaaa", 0o755),
        file("app/b.txt", b"BBBBB"),
        file("app/new", b"new"),
        (Entry("app/old", "whiteout", 0), None),
    ],
]


def kept(selection: Selection) -> dict[str, int]:
    return {
        node.path: selection.sizes[node.number] for node in selection.view.tree.nodes[1:] if selection.kept[node.number]
    }


def test_what_a_layer_did_and_what_is_wanted_of_it() -> None:
    tree = tree_of(STACK)
    view = TreeView.of_layer(tree, 1)
    assert {node.path: view.changes[node.number] for node in tree.nodes[1:]} == {
        "app": "same",
        "app/a.txt": "rewritten",
        "app/b.txt": "changed",
        "app/c.txt": "same",
        "app/new": "added",
        "app/old": "removed",
        "app/old/x": "removed",
    }
    app = tree.find("app")
    assert app is not None and view.sizes[app.number] == 4 + 5 + 1 + 3 and view.gone[app.number] == 100
    assert view.touched[app.number] == 5
    everything = Selection(view, Filter())
    assert [node.name for node in everything.children(app)] == ["a.txt", "b.txt", "c.txt", "new", "old"]
    assert [node.name for node in everything.children(app, True)] == ["old", "b.txt", "a.txt", "new", "c.txt"]
    assert everything.matches == 5
    assert kept(Selection(view, Filter(frozenset(("added",))))) == {"app": 3, "app/new": 3}
    assert kept(Selection(view, Filter(frozenset(("removed",))))) == {"app": 100, "app/old": 100, "app/old/x": 100}
    assert kept(Selection(view, Filter(pattern="/[bc].txt$"))) == {"app": 6, "app/b.txt": 5, "app/c.txt": 1}
    assert kept(Selection(view, Filter(pattern="A.txt"))) == {}
    # The upper layer wastes nothing; the lower one all that was removed or put there again.
    assert kept(Selection(view, Filter(wasted=True))) == {}
    lower = TreeView.of_layer(tree, 0)
    wasted = {"app": 106, "app/a.txt": 4, "app/b.txt": 2, "app/old": 100, "app/old/x": 100}
    assert kept(Selection(lower, Filter(wasted=True))) == wasted
    assert kept(Selection(TreeView(tree, 1, -1), Filter(wasted=True))) == wasted
    assert sum(tree.sums(lambda node: node.wasted)[:1]) == 106


def test_the_progress_can_end_the_work() -> None:
    def enough(count: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        FileTree.of(taken_apart(STACK).pieces(), 2, enough)
