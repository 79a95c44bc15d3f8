"""Layers read as streams: they show what a whole stack shows, and are read no further than needed."""

import io
from collections.abc import Sequence
from contextlib import ExitStack
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.layer.layer_trees import tar_of, trees
from tests.tree.test_tree_stack import listed

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry, Item
from kezuri.tree.content import pieces
from kezuri.tree.stack import StackView
from kezuri.tree.streamed import Descent, StreamedLayer
from kezuri.tree.tree import Found


class Counted(io.BytesIO):
    """A tar that knows how far it was read at most."""

    furthest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(min(2048, size) if size is not None and size >= 0 else 2048)
        self.furthest = max(self.furthest, self.tell())
        return piece


def streamed(items: Sequence[Item], opened: list[Counted] | None = None) -> StreamedLayer:
    data = tar_of(items)

    def opener() -> BinaryIO:
        stream = Counted(data)
        if opened is not None:
            opened.append(stream)
        return cast(BinaryIO, stream)

    return StreamedLayer(opener, "layer")


def told(found: Found | None) -> object:
    if found is None:
        return None
    entry = found.entry
    if entry.kind == "dir":
        return "dir"
    return entry, b"".join(pieces(found.content)) if entry.kind == "file" else b""


def implied(layer: list[Item]) -> list[Item]:
    """The layer without its directories, but for those that an opaque mark is of."""
    marked = {entry.path for entry, _ in layer if entry.kind == "opaque"}
    return [(entry, content) for entry, content in layer if entry.kind != "dir" or entry.path in marked]


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(trees(), st.booleans()), min_size=1, max_size=4))
def test_it_shows_what_the_stack_shows(drawn: list[tuple[list[Item], bool]]) -> None:
    layers = [implied(layer) if bare else layer for layer, bare in drawn]
    whole = StackView([listed(layer) for layer in layers])
    paths = sorted({entry.path for layer in layers for entry, _ in layer} | {"", "nothing", "a/b/c"})
    with ExitStack() as held:
        shared = Descent([held.enter_context(streamed(layer)) for layer in layers])
        for path in paths:
            with ExitStack() as one:
                alone = Descent([one.enter_context(streamed(layer)) for layer in layers])
                expected = StackView([listed(layer) for layer in layers])
                place = whole._place(path)
                wanted = told(None if place is None else place.found)
                assert told(alone.stat(path)) == wanted
                assert told(shared.stat(path)) == wanted
                try:
                    resolved = whole.resolve(path)
                except KezuriError:
                    with pytest.raises(KezuriError):
                        alone.resolve(path)
                    continue
                assert alone.resolve(path) == resolved
                reached = StackView([layer.listed() for layer in alone.reaching(resolved)])
                names = [(one.entry.path, one.entry.kind) for one in expected.scan(resolved)]
                assert [(one.entry.path, one.entry.kind) for one in reached.scan(resolved)] == names


def _file(path: str, content: bytes = b"x") -> Item:
    return Entry(path, "file", 0o644, size=len(content)), content


def test_it_stops_at_the_first_hit() -> None:
    top: list[Counted] = []
    base: list[Counted] = []
    upper = [_file("etc/app"), *(_file(f"var/{number:04}", bytes(2000)) for number in range(200))]
    lower = [_file("etc/app", b"old"), _file("etc/os", b"lower")]
    with streamed(lower, base) as below, streamed(upper, top) as above:
        descent = Descent([below, above])
        assert told(descent.stat("etc/app")) == (upper[0][0], b"x")
        assert len(top) == 1 and top[0].furthest < 300_000 and not base
        assert not above.ended
        # What lies lower needs the whole of what is above it, and no layer is opened twice for it.
        found = descent.stat("etc/os")
        assert found is not None and b"".join(pieces(found.content)) == b"lower"
        assert above.ended and len(top) == 1 and len(base) == 1


def test_what_came_by_before_is_read_anew() -> None:
    opened: list[Counted] = []
    link = (Entry("z/link", "hardlink", link="a/first"), None)
    with streamed([_file("a/first", b"first"), _file("b", b"b"), link], opened) as layer:
        descent = Descent([layer])
        found = descent.stat("z/link")
        assert found is not None and found.entry.path == "z/link" and found.entry.kind == "file"
        assert b"".join(pieces(found.content)) == b"first"
        assert len(opened) == 2


def test_links_lead_through_layers() -> None:
    lower = [_file("usr/bin/sh", b"shell"), (Entry("bin", "symlink", link="usr/bin"), None)]
    upper = [
        (Entry("usr/bin/zsh", "hardlink", link="usr/bin/sh"), None),
        (Entry("app", "symlink", link="/bin/sh"), None),
    ]
    with streamed(lower) as below, streamed(upper) as above:
        descent = Descent([below, above])
        assert descent.resolve("app") == "usr/bin/sh"
        assert descent.resolve("app", last=False) == "app"
        assert descent.resolve("../../bin/../bin/sh") == "usr/bin/sh" and descent.resolve("bin", False) == "bin"
        found = descent.stat("usr/bin/zsh")
        assert found is not None and b"".join(pieces(found.content)) == b"shell"


def test_a_hard_link_to_nothing_is_an_error_and_no_gap() -> None:
    lost = [_file("d/there"), (Entry("d/lost", "hardlink", link="etc/shadow"), None)]
    with streamed(lost) as layer:
        descent = Descent([layer])
        with pytest.raises(KezuriError, match="a hard link to 'etc/shadow', which is not there"):
            descent.stat("d/lost")
        view = StackView([one.listed() for one in descent.reaching("d")])
        with pytest.raises(KezuriError, match="a hard link to 'etc/shadow', which is not there"):
            view.scan("d")


def test_a_hard_link_leads_below_the_layer_that_hides_its_directory() -> None:
    lower = [_file("usr/kept", b"kept")]
    upper = [(Entry("d", "opaque"), None), (Entry("d/link", "hardlink", link="usr/kept"), None)]
    with streamed(lower) as below, streamed(upper) as above:
        view = StackView([one.listed() for one in Descent([below, above]).reaching("d")])
        assert [told(found) for found in view.scan("d")] == [(lower[0][0]._replace(path="d/link"), b"kept")]


def test_hidden_layers_are_not_opened() -> None:
    opened: list[Counted] = []
    upper = [(Entry("data", "dir"), None), (Entry("data", "opaque", 0), None), _file("data/new")]
    with streamed([_file("data/old"), _file("gone/a")], opened) as below, streamed(upper) as above:
        descent = Descent([below, above])
        assert descent.stat("data/old") is None
        assert [layer is above for layer in descent.reaching("data")] == [True]
        assert not opened
        assert descent.stat("gone/a") is not None
    with streamed([_file("gone/a")], opened) as below, streamed([(Entry("gone", "whiteout", 0), None)]) as above:
        assert Descent([below, above]).stat("gone/a") is None
        assert len(opened) == 1


def test_links_that_go_round() -> None:
    links: list[Item] = [(Entry("a", "symlink", link="b"), None), (Entry("b", "symlink", link="a"), None)]
    with streamed(links) as layer, pytest.raises(KezuriError, match="too many symbolic links"):
        Descent([layer]).resolve("a/x")
