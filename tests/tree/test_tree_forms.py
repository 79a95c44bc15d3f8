"""A layer is the same tree whatever form it has: what is selected, digested and copied from it does not tell."""

import errno
import io
import os
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.layer.layer_trees import ROOT, USERXATTR, loose_entries, loose_items, tar_of, trees

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry, Item
from kezuri.layer.listing import Listing
from kezuri.layer.unpacker import unpack
from kezuri.tree.checksum import Record, fingerprint
from kezuri.tree.extraction import taken_out
from kezuri.tree.layers import DirectoryLayer, LayerForm, ListedLayer
from kezuri.tree.materialise import materialise
from kezuri.tree.recipe import CopyOptions, recipe
from kezuri.tree.selection import Selection, select
from kezuri.tree.stack import StackView
from kezuri.tree.stat_index import StatIndex


def own() -> dict[str, Any]:
    """The owner of files that anybody may make. It has another number once a user namespace was entered."""
    return {"uid": os.geteuid(), "gid": os.getegid()}


class Tar:
    """A layer's tar that counts how often it is opened."""

    def __init__(self, items: list[Item]) -> None:
        self.data = tar_of(items)
        self.opened = 0

    def open(self) -> BinaryIO:
        self.opened += 1
        return io.BytesIO(self.data)

    def listing(self, lower: StackView | None = None) -> Listing:
        return Listing.of_tar(io.BytesIO(self.data), lower=lower)

    def layer(self, lower: StackView | None = None, keep: Callable[[Listing], None] | None = None) -> ListedLayer:
        return ListedLayer(self.listing(lower), self.open, keep=keep)


def both(layers: list[list[Item]], scratch: Path) -> tuple[StackView, StackView]:
    """The stack as directories and as listings."""
    on_disk: list[LayerForm] = []
    listed: list[LayerForm] = []
    for number, items in enumerate(layers):
        tar = Tar(items)
        directory = scratch / str(number)
        directory.mkdir()
        try:
            listed.append(tar.layer(StackView(listed)))
        except KezuriError:
            continue  # what no layer can be, in either form: the laws of the layer room say so
        lower = StackView(on_disk)
        unpack(io.BytesIO(tar.data), str(directory), lower=lower, userxattr=USERXATTR, where="layer")
        on_disk.append(DirectoryLayer(str(directory), USERXATTR))
    return StackView(on_disk), StackView(listed)


def print_of(selection: Selection, scratch: Path) -> tuple[str, dict[str, Record]]:
    with StatIndex(str(scratch / "index"), str(scratch)) as index:
        return fingerprint(selection, index, whole=True)


def copied(selection: Selection, scratch: Path) -> list[tuple[Entry, bytes]]:
    """What a COPY of the selection makes, bytes and all."""
    scratch.mkdir()
    options = CopyOptions("/to/", workdir="/")
    items = recipe(taken_out(selection, str(scratch)), options, StackView([]))
    return [
        (entry._replace(mtime=0) if entry.kind == "dir" else entry, Path(content).read_bytes())
        if isinstance(content, str)
        else (entry._replace(mtime=0) if entry.kind == "dir" else entry, content or b"")
        for entry, content in items
    ]


def agree(layers: list[list[Item]], scratch: Path) -> None:
    on_disk, listed = both(layers, scratch)
    for words in (["."], ["a"], ["*"], ["b/../a/*", "c"]):
        found: list[object] = []
        for name, view in (("on-disk", on_disk), ("listed", listed)):
            try:
                selection = select(view, words)
            except KezuriError as error:
                found.append(str(error))
                continue
            place = scratch / f"{name}-{len(words)}-{sha256(repr(words).encode()).hexdigest()[:8]}"
            try:
                made: object = copied(selection, place)
            except KezuriError as error:
                made = str(error)
            found.append((print_of(selection, scratch), made))
        assert found[0] == found[1]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(layers=st.lists(trees(), min_size=1, max_size=3))
def test_a_selection_is_the_same_from_directories_and_from_listings(
    layers: list[list[Item]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    agree(layers, tmp_path_factory.mktemp("stack"))


@settings(max_examples=60, deadline=None)
@given(drawn=st.lists(loose_entries, min_size=1, max_size=3))
def test_also_of_layers_whose_entries_come_in_any_order(
    drawn: list[list[tuple[str, str, str, int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    agree([loose_items(loose) for loose in drawn], tmp_path_factory.mktemp("stack"))


def file(path: str, content: bytes = b"x", **more: Any) -> Item:
    return Entry(path, "file", 0o644, size=len(content), **{**own(), **more}), content


def folder(path: str) -> Item:
    return Entry(path, "dir", 0o755, **own()), None


def test_attributes_are_those_that_a_file_of_this_machine_can_have(tmp_path: Path) -> None:
    note = (("user.note", b"n"),)
    items: list[Item] = [
        file("f", xattrs=(("security.selinux", b"s"), *note)),
        (Entry("l", "symlink", 0o777, link="f", xattrs=note, **own()), None),
        (Entry("p", "fifo", 0o644, xattrs=note, **own()), None),
    ]
    agree([items], tmp_path)
    kept = {found.entry.path: found.entry.xattrs for found in StackView([Tar(items).layer()]).scan("")}
    assert kept == {"f": note, "l": (), "p": ()}


@pytest.mark.slow
@pytest.mark.skipif(not ROOT, reason="file capabilities need root")
def test_capabilities_are_the_same_from_both_forms(tmp_path: Path) -> None:
    sound = bytes.fromhex("0100000200040000000000000000000000000000")
    bound = bytes.fromhex("010000030004000000000000000000000000000000000000")
    for number, value in enumerate((sound, bound, b"nonsense", sound[:3] + b"\x01" + sound[4:12])):
        (place := tmp_path / str(number)).mkdir()
        items = [file("f", xattrs=(("security.capability", value),))]
        agree([items], place)
        (found,) = StackView([Tar(items).layer()]).scan("")
        assert found.entry.xattrs == ((("security.capability", sound),) if number < 2 else ())


def test_a_tar_is_read_once_for_all_its_files_and_only_they_are_written(tmp_path: Path) -> None:
    large = os.urandom(1 << 20)
    low = Tar(
        [folder("d"), *(file(f"d/{number:03}", bytes([number])) for number in range(200)), file("unasked", large)]
    )
    high = Tar([folder("d"), file("d/large", large), file("d/empty", b"")])
    view = StackView([low.layer(), high.layer()])
    selection = select(view, ["d"])
    digest, records = print_of(selection, tmp_path)
    assert (low.opened, high.opened) == (1, 1)
    assert records["d/large"].digest == sha256(large).hexdigest()
    assert records["d/empty"].digest == sha256(b"").hexdigest()
    assert print_of(select(view, ["d"]), tmp_path)[0] == digest
    assert (low.opened, high.opened) == (1, 1), "digests that are known are not computed again"
    (scratch := tmp_path / "scratch").mkdir()
    (root,) = taken_out(selection, str(scratch))
    assert (low.opened, high.opened) == (2, 2)
    (written,) = scratch.iterdir()
    assert written.read_bytes() == large, "small files stay in memory, and others are not taken out"
    assert [item.content for item in root.items][:3] == [b"\0", b"\1", b"\2"]


def test_digests_are_kept_in_the_listing_and_older_listings_are_read(tmp_path: Path) -> None:
    tar = Tar(
        [file("a", b"one"), file("a/../b", b""), file("c", b"three"), file("etc/passwd", b"u"), file("a", b"new")]
    )
    saved = str(tmp_path / "listing")
    before = tar.listing()
    before.save(saved)
    assert Path(saved).read_bytes().startswith(b"kezuri listing 1\n"), "the form that earlier versions read, too"
    assert Listing.load(saved).digests(["a"]) is None
    layer = ListedLayer(Listing.load(saved), tar.open, keep=lambda listing: listing.save(saved))
    assert layer.digests(["a"]) == {"a": sha256(b"new").digest()}
    again = Listing.load(saved)
    assert again == before
    assert again.digests(["a", "c"]) == {name: sha256(text).digest() for name, text in (("a", b"new"), ("c", b"three"))}
    assert ListedLayer(again, tar.open).digests(["c"]) == {"c": sha256(b"three").digest()}
    assert tar.opened == 1


@pytest.mark.parametrize("cut", [1, 32, 33])
def test_a_listing_that_lacks_digests_is_damaged(tmp_path: Path, cut: int) -> None:
    tar = Tar([file("a", b"one"), file("b", b"two")])
    listing = tar.listing()
    listing.learn({name: sha256(name.encode()).digest() for name in "ab"})
    saved = tmp_path / "listing"
    listing.save(str(saved))
    magic, _, body = saved.read_bytes().partition(b"\n")
    plain = zlib.decompress(body)
    at = plain.index(sha256(b"a").digest())
    saved.write_bytes(magic + b"\n" + zlib.compress(plain[:at] + plain[at + cut :]))
    with pytest.raises(KezuriError, match="damaged"):
        Listing.load(str(saved))


def test_a_tar_that_does_not_hold_what_its_listing_says_is_an_error(tmp_path: Path) -> None:
    tar = Tar([file("a", b"one"), file("b", b"two")])
    layer = tar.layer()
    tar.data = tar_of([file("a", b"one")])
    with pytest.raises(KezuriError, match="layer has no 'b', though its listing says so"):
        taken_out(select(StackView([layer]), ["b"]), str(tmp_path))


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    view = StackView([Tar([file("a", bytes(1 << 20))]).layer()])
    selection = select(view, ["a"])
    with pytest.raises(KezuriError, match=r"cannot write .*No such file or directory"):
        taken_out(selection, str(tmp_path / "nowhere"))


def test_links_of_a_stage_never_lead_outside(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "secret").write_text("of this machine")
    outside = str(tmp_path / "etc")
    items: list[Item] = [
        (Entry("abs", "symlink", 0o777, link=outside, **own()), None),
        (Entry("up", "symlink", 0o777, link="../" * 40 + outside, **own()), None),
        (Entry("round", "symlink", 0o777, link="round", **own()), None),
        folder("d"),
        (Entry("d/etc", "symlink", 0o777, link="../../../etc", **own()), None),
        folder("etc"),
        file("etc/secret", b"of the image"),
    ]
    (place := tmp_path / "layers").mkdir()
    for view in both([items], place):
        for word in ("abs/secret", "up/secret", "abs", "up", "round", "round/secret"):
            with pytest.raises(KezuriError, match=r"was not found|too many symbolic links"):
                select(view, [word])
        ((_, top, *_),) = select(view, ["d/etc/secret"])
        assert (top.entry.path, view.read("/d/etc/secret")) == ("etc/secret", b"of the image")


def test_hard_links_that_lead_through_the_layers_are_files_of_the_one_that_has_them(tmp_path: Path) -> None:
    low: list[Item] = [file("a", b"from below")]
    high: list[Item] = [
        (Entry("b", "hardlink", link="a", **own()), None),
        (Entry("c", "hardlink", link="b", **own()), None),
        (Entry("a", "whiteout", 0), None),
    ]
    agree([low, high], tmp_path)
    view = StackView([Tar(low).layer(), (upper := Tar(high)).layer(StackView([Tar(low).layer()]))])
    b, c = view.scan("")
    assert b.identity == c.identity is not None
    assert view.read("c") == b"from below"
    assert upper.opened == 0


@pytest.mark.slow
def test_many_entries_are_selected_in_bounded_memory() -> None:
    """What is selected takes memory, and not what lies beside it in the listing."""
    import tracemalloc

    count = 300_000
    lines = {f"d/{number:07}": "\0f\x00644\x000\x000\x001\x000" for number in range(count)}
    listing = Listing({"": "\0i", "d": "\0d\x00755\x000\x000\x000\x000", **lines}, frozenset(), {}, {})
    view = StackView([ListedLayer(listing, lambda: io.BytesIO(b""))])
    tracemalloc.start()
    try:
        ((_, top, *_),) = select(view, [f"d/{count // 2:07}"])
        assert top.entry.size == 1
        one = tracemalloc.get_traced_memory()[1]
        assert len(select(view, ["d"])[0].items) == count
        every = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert one < 1 << 20
    assert every < count * 1000


def test_devices_that_cannot_be_made_are_left_out_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "mknod", refused)
    devices = [(Entry(f"d{number}", "char", device=(1, number), **own()), None) for number in (3, 5)]
    heard: list[str] = []
    materialise([*devices, file("f")], str(tmp_path / "made"), heard.append)
    assert os.listdir(tmp_path / "made") == ["f"]
    assert heard == ["left out the device /d3 and 1 more: making it needs real root"]
    with pytest.raises(KezuriError, match="d3"):
        materialise(devices, str(tmp_path / "strict"))
