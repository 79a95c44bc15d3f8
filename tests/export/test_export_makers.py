"""The three that make entries on a disk give the same result for the same entries."""

import io
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.layer.layer_trees import ROOT, USERXATTR, tar_of, trees, walked

from kezuri.diagnostics import KezuriError
from kezuri.export.root import Exported, Terms, merged_items, write_directory
from kezuri.layer.anchored import AnchoredTree
from kezuri.layer.entry import Entry, Item
from kezuri.layer.listing import Listing
from kezuri.layer.maker import Maker
from kezuri.layer.unpacker import unpack
from kezuri.tree.layers import DirectoryLayer, ListedLayer
from kezuri.tree.materialise import materialise
from kezuri.tree.stack import StackView

MINE = (os.geteuid(), os.getegid())


def as_caller(items: list[Item]) -> list[Item]:
    """What becomes of the entries when they leave for a directory of the caller's."""
    terms = Terms(MINE)
    left = [(found, content) for entry, content in items if (found := terms.of(entry)) is not None]
    linked = {entry.path: entry for entry, _ in left}
    result: list[Item] = []
    for entry, content in left:
        first = linked[entry.link] if entry.kind == "hardlink" else entry
        # A hard link shows what the file is like that it is a name of.
        result.append((entry._replace(mode=first.mode, uid=MINE[0], gid=MINE[1]), content))
    return result


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(items=trees(marks=False))
def test_the_same_entries_become_the_same_files(items: list[Item], tmp_path_factory: pytest.TempPathFactory) -> None:
    top = tmp_path_factory.mktemp("made")
    data = tar_of(items)
    (top / "unpacked").mkdir()
    listing = unpack(io.BytesIO(data), str(top / "unpacked"), lower=None, userxattr=USERXATTR, where="layer")
    materialise(items, str(top / "materialised"))
    assert walked(str(top / "unpacked")) == walked(str(top / "materialised")) == items
    # Straight from the entries, from the tar, and from the directory.
    said: list[str] = []
    packed = merged_items(StackView([ListedLayer(listing, lambda: io.BytesIO(data))]))
    on_disk = merged_items(StackView([DirectoryLayer(str(top / "unpacked"), USERXATTR)]))
    given: list[Exported] = [(entry, content) for entry, content in items]
    for name, entries in (("given", given), ("packed", packed), ("on disk", on_disk)):
        write_directory(entries, str(top / name), said.append)
        assert walked(str(top / name)) == as_caller(items), name


@pytest.mark.slow
def test_every_kind_and_every_attribute_is_made_alike(tmp_path: Path) -> None:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    items: list[Item] = [
        (Entry("d", "dir", 0o1770, *MINE, 0, 7 * 10**9, xattrs=(("user.d", b"1"),)), None),
        (Entry("d/again", "hardlink", 0o4755, *MINE, 0, 5 * 10**9, "f"), None),
        (Entry("d/fifo", "fifo", 0o640, *MINE, 0, 6 * 10**9), None),
        (Entry("f", "file", 0o4755, *MINE, 3, 5 * 10**9, xattrs=(("user.f", b"\0\xff"),)), b"abc"),
        (Entry("link", "symlink", 0o777, *MINE, 0, 4 * 10**9, "/nowhere"), None),
    ]
    if ROOT:
        ping = Entry("ping", "file", 0o755, 0, 0, 1, 10**9, xattrs=(("security.capability", capability),))
        items += [(Entry("null", "char", 0o666, 0, 5, 0, 10**9, device=(1, 3)), None), (ping, b"p")]
    # A hard link comes after the file.
    items = [item for item in items if item[0].kind != "hardlink"] + [items[1]]
    (tmp_path / "unpacked").mkdir()
    unpack(io.BytesIO(tar_of(items)), str(tmp_path / "unpacked"), lower=None, userxattr=USERXATTR, where="layer")
    materialise(items, str(tmp_path / "materialised"))
    said: list[str] = []
    write_directory([(entry, content) for entry, content in items], str(tmp_path / "left"), said.append)
    made = walked(str(tmp_path / "unpacked"))
    assert made == walked(str(tmp_path / "materialised"))
    assert [item[0].path for item in made] == sorted(item[0].path for item in items)
    assert walked(str(tmp_path / "left")) == [item for item in made if item[0].kind != "char"]
    assert said == (["device /null is left out of the output directory"] if ROOT else [])
    assert os.lstat(tmp_path / "left" / "d" / "again").st_nlink == 2


@pytest.mark.parametrize("mask", [0, 0o22, 0o77])
def test_modes_are_those_of_the_entries_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    items: list[Item] = [
        (Entry("d", "dir", 0o777, *MINE), None),
        (Entry("d/f", "file", 0o666, *MINE, 1), b"x"),
        (Entry("d/p", "fifo", 0o622, *MINE), None),
        (Entry("e", "dir", 0, *MINE), None),
    ]
    before = os.umask(mask)
    try:
        materialise(items, str(tmp_path / "made"))
        write_directory([(entry, content) for entry, content in items], str(tmp_path / "left"), lambda text: None)
    finally:
        os.umask(before)
    for name, none in (("made", 0), ("left", 0o700)):
        modes = [stat.S_IMODE((tmp_path / name / entry.path).lstat().st_mode) for entry, _ in items]
        assert modes == [0o777, 0o666, 0o622, none]
    (tmp_path / "made" / "e").chmod(0o700)


def test_below_a_directory_that_nobody_may_write_to(tmp_path: Path) -> None:
    """Also as an ordinary user: directories get their modes when all is in them."""
    items: list[Item] = [
        (Entry("d", "dir", 0o500, *MINE, 0, 5 * 10**9), None),
        (Entry("d/f", "file", 0o400, *MINE, 1), b"x"),
    ]
    materialise(items, str(tmp_path / "made"))
    found = (tmp_path / "made" / "d").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (0o500, 5 * 10**9)
    (tmp_path / "made" / "d").chmod(0o700)


def test_directories_hand_on_neither_their_group_nor_their_mode(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o2777)
    items: list[Exported] = [(Entry("d", "dir", 0o755, *MINE), None), (Entry("d/f", "file", 0o604, *MINE, 1), b"x")]
    write_directory(items, str(tmp_path / "out"), lambda text: None)
    modes = [stat.S_IMODE((tmp_path / "out" / name).stat().st_mode) for name in ("d", "d/f")]
    assert modes == [0o755, 0o604]


def test_a_maker_replaces_nothing_and_follows_nothing(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "l").symlink_to(outside)
    (tmp_path / "in" / "f").write_text("there")
    with AnchoredTree(str(tmp_path / "in")) as tree:
        maker = Maker(tree)
        for kind in ("file", "symlink", "fifo"):
            for path in ("l", "f"):
                with pytest.raises(FileExistsError):
                    maker.make(Entry(path, kind, *(0o644, *MINE), link="x"), None)
        for entry in (Entry("l/f", "file"), Entry("l/d", "dir"), Entry("x", "hardlink", link="l/f")):
            with pytest.raises(OSError):
                maker.make(entry, None)
        with pytest.raises(OSError):
            maker.settle(Entry("l", "dir", 0o700, *MINE))
    assert os.listdir(outside) == [] and (tmp_path / "in" / "f").read_text() == "there"


def test_a_file_of_a_tar_that_goes_to_several_places_and_its_other_names(tmp_path: Path) -> None:
    items: list[Item] = [
        (Entry("a", "file", 0o644, *MINE, 3), b"abc"),
        (Entry("b", "hardlink", 0o644, *MINE, link="a"), None),
        (Entry("c", "file", 0o600, *MINE, 2 << 20), bytes(2 << 20)),
    ]
    data = tar_of(items)
    opened: list[int] = []

    def opener() -> io.BytesIO:
        opened.append(1)
        return io.BytesIO(data)

    view = StackView([ListedLayer(Listing.of_tar(io.BytesIO(data)), opener)])
    twice: list[Exported] = []
    for place in ("one", "two"):
        twice.append((Entry(place, "dir", 0o755, *MINE), None))
        for entry, content in merged_items(view):
            link = f"{place}/{entry.link}" if entry.kind == "hardlink" else ""
            twice.append((entry._replace(path=f"{place}/{entry.path}", link=link), content))
    write_directory(twice, str(tmp_path / "out"), lambda text: None)
    for place in ("one", "two"):
        there = tmp_path / "out" / place
        assert (there / "a").read_bytes() == b"abc" and (there / "c").read_bytes() == bytes(2 << 20)
        assert (there / "a").stat().st_ino == (there / "b").stat().st_ino
    assert len(opened) == 2


def test_a_tar_that_ends_too_early_is_told_of(tmp_path: Path) -> None:
    data = tar_of([(Entry("a", "file", 0o644, *MINE, 3000), bytes(3000))])
    view = StackView([ListedLayer(Listing.of_tar(io.BytesIO(data)), lambda: io.BytesIO(data[:1024]), "layer x")])
    with pytest.raises(KezuriError, match="layer x"):
        write_directory(merged_items(view), str(tmp_path / "out"), lambda text: None)
