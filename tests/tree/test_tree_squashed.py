"""Layers made one: on what lies below, they show the same files as before, and hide nothing else."""

import tempfile

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from tests.layer.layer_trees import loose_entries, loose_items, trees
from tests.tree.test_tree_stack import Shape, listed, seen

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry, Item
from kezuri.tree.layers import ListedLayer
from kezuri.tree.squashed import readable_once, squashed
from kezuri.tree.stack import StackView

laws = settings(max_examples=60, deadline=None)


def stacked(layers: list[list[Item]]) -> list[ListedLayer]:
    forms: list[ListedLayer] = []
    for items in layers:
        forms.append(listed(items, StackView(forms)))
    return forms


def one(forms: list[ListedLayer], kept: int) -> list[Item]:
    """The layer that the upper ones become, as it is packed."""
    with tempfile.TemporaryDirectory() as scratch:
        return list(readable_once(squashed(forms, kept), scratch))


def merged(forms: list[ListedLayer], kept: int) -> StackView:
    return StackView([*forms[:kept], listed(one(forms, kept), StackView(forms[:kept]))])


def names(view: StackView) -> set[frozenset[str]]:
    """Which paths are names of one file."""
    groups: dict[object, set[str]] = {}
    todo = [""]
    while todo:
        for found in view.scan(todo.pop()):
            if found.entry.kind == "dir":
                todo.append(found.entry.path)
            if found.identity is not None:
                groups.setdefault(found.identity, set()).add(found.entry.path)
    return {frozenset(group) for group in groups.values() if len(group) > 1}


@pytest.mark.slow
class TestLaws:
    @laws
    @given(st.lists(trees(), min_size=1, max_size=4), st.data())
    def test_the_files_are_the_same(self, layers: list[list[Item]], data: st.DataObject) -> None:
        forms = stacked(layers)
        kept = data.draw(st.integers(0, len(forms) - 1))
        assert seen(merged(forms, kept)) == seen(StackView(forms))

    @laws
    @given(st.lists(trees(), min_size=1, max_size=4))
    def test_of_the_whole_nothing_that_is_not_there_is_left(self, layers: list[list[Item]]) -> None:
        forms = stacked(layers)
        items = one(forms, 0)
        assert not [entry for entry, _ in items if entry.kind in ("whiteout", "opaque")]
        view = StackView(forms)
        assert all(view.lookup(entry.path) is not None for entry, _ in items)
        assert names(merged(forms, 0)) == names(view)

    @laws
    @given(st.lists(trees(), min_size=1, max_size=3), st.data())
    def test_one_layer_stays_what_it_is(self, layers: list[list[Item]], data: st.DataObject) -> None:
        forms = stacked(layers)
        kept = data.draw(st.integers(0, len(forms) - 1))
        items = one(forms, kept)
        again = one([*forms[:kept], listed(items, StackView(forms[:kept]))], kept)
        assert again == items

    @laws
    @given(st.lists(trees(), min_size=1, max_size=3))
    def test_parents_come_first_and_links_after_their_files(self, layers: list[list[Item]]) -> None:
        done: set[str] = set()
        for entry, _ in one(stacked(layers), 0):
            parent = entry.path.rpartition("/")[0]
            assert not parent or parent in done
            assert entry.kind != "hardlink" or entry.link in done
            assert entry.path not in done
            done.add(entry.path)

    @laws
    @given(st.lists(loose_entries.map(loose_items), min_size=2, max_size=3))
    def test_layers_of_any_order_and_form(self, layers: list[list[Item]]) -> None:
        try:
            forms = stacked(layers)
        except KezuriError:
            reject()
        for kept in range(len(forms)):
            assert seen(merged(forms, kept)) == seen(StackView(forms))


def file(path: str, data: bytes) -> Item:
    return Entry(path, "file", size=len(data)), data


class TestCases:
    def test_what_was_made_and_removed_above_leaves_no_mark(self) -> None:
        forms = stacked([[file("base", b"1")], [file("tmp/x", b"2")], [(Entry("tmp/x", "whiteout", 0), None)]])
        assert [entry.path for entry, _ in one(forms, 1) if entry.kind != "dir"] == []

    def test_what_the_base_has_is_removed_from_it(self) -> None:
        forms = stacked(
            [[file("d/a", b"1"), file("d/b", b"1")], [(Entry("d/a", "whiteout", 0), None)], [file("c", b"")]]
        )
        items = one(forms, 1)
        assert (Entry("d/a", "whiteout", 0), None) in items
        assert not any(entry.path == "d/b" for entry, _ in items)

    def test_a_root_that_hides_everything_below_goes_on_doing_so(self) -> None:
        forms = stacked([[file("old", b"1")], [(Entry("", "opaque", 0), None), file("new", b"2")]])
        assert seen(merged(forms, 1)) == seen(StackView(forms))
        assert (Entry("", "opaque", 0), None) in one(forms, 1)
        assert not any(entry.kind == "opaque" for entry, _ in one(forms, 0))

    def test_a_directory_made_anew_hides_the_one_below(self) -> None:
        gone: Item = (Entry("d", "whiteout", 0), None)
        forms = stacked([[file("d/old", b"1")], [gone], [file("d/new", b"2")]])
        kinds = [(entry.path, entry.kind) for entry, _ in one(forms, 1)]
        assert ("d", "opaque") in kinds
        assert ("d/old", "whiteout") not in kinds
        shape: Shape = seen(merged(forms, 1))
        assert "d/old" not in shape
        assert "d/new" in shape

    def test_attributes_that_no_copy_has_stay(self) -> None:
        acl = ("system.posix_acl_access", b"\2\0\0\0")
        entry = Entry("f", "file", size=1, xattrs=(acl,))
        assert one(stacked([[(entry, b"1")], [file("g", b"2")]]), 0)[0] == (entry, b"1")
