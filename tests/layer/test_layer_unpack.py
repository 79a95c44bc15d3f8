"""Layers on the disk and back again."""

import io
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.layer.layer_trees import ROOT, USERXATTR, loose_entries, loose_items, order, tar_of, trees, walked

from kezuri.diagnostics import KezuriError
from kezuri.layer.compression import compression
from kezuri.layer.entry import Entry, Item
from kezuri.layer.listing import Listing
from kezuri.layer.packer import pack
from kezuri.layer.unpacker import unpack
from kezuri.layer.upper import walk
from kezuri.tree.layers import DirectoryLayer, ListedLayer
from kezuri.tree.stack import StackView

pytestmark = pytest.mark.usefixtures("ids_of_owners")


def unpacked(directory: Path, items: list[Item], lower: StackView | None = None) -> Listing:
    directory.mkdir(exist_ok=True)
    return unpack(io.BytesIO(tar_of(items)), str(directory), lower=lower, userxattr=USERXATTR, where="layer")


def mine(path: str, content: bytes = b"", mode: int = 0o644) -> Item:
    return Entry(path, "file", mode, os.geteuid(), os.getegid(), len(content)), content


def folder(path: str, mode: int = 0o755, mtime: int = 0) -> Item:
    return Entry(path, "dir", mode, os.geteuid(), os.getegid(), 0, mtime), None


def link(path: str, target: str) -> Item:
    return Entry(path, "symlink", 0o777, os.geteuid(), os.getegid(), link=target), None


def hard(path: str, target: str) -> Item:
    return Entry(path, "hardlink", 0o644, os.geteuid(), os.getegid(), link=target), None


def gone(path: str) -> Item:
    return Entry(path, "whiteout", 0), None


def opaque(path: str) -> Item:
    return Entry(path, "opaque", 0), None


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(items=trees())
def test_walk_gives_what_was_packed(items: list[Item], tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("layer")
    listing = unpacked(directory, items)
    found = walked(str(directory))
    assert found == items
    assert list(listing.entries()) == [entry for entry, _ in items]
    assert Listing.of_tar(io.BytesIO(tar_of(items))) == listing
    assert tar_of(found) == tar_of(items)


@settings(max_examples=40, deadline=None)
@given(items=trees())
def test_listings_survive_saving(items: list[Item], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = str(tmp_path_factory.mktemp("listing") / "listing")
    listing = Listing.of_tar(io.BytesIO(tar_of(items)))
    listing.save(path)
    loaded = Listing.load(path)
    assert loaded == listing
    assert list(loaded.entries()) == [entry for entry, _ in items]
    assert os.listdir(os.path.dirname(path)) == ["listing"]


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(drawn=loose_entries)
def test_the_listing_and_the_disk_agree_on_any_order(
    drawn: list[tuple[str, str, str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tar_of(loose_items(drawn))
    directory = tmp_path_factory.mktemp("layer")
    try:
        listing = unpack(io.BytesIO(data), str(directory), lower=None, userxattr=USERXATTR, where="layer")
    except KezuriError as error:
        with pytest.raises(KezuriError, match="layer") as again:
            Listing.of_tar(io.BytesIO(data))
        assert str(again.value) == str(error)
        return
    assert Listing.of_tar(io.BytesIO(data)) == listing
    listed = StackView([ListedLayer(listing, lambda: io.BytesIO(data))])
    on_disk = StackView([DirectoryLayer(str(directory), USERXATTR)])
    assert shape(listed) == shape(on_disk)
    for path, described in shape(on_disk).items():
        if described[0] == "file":
            assert listed.read("/" + path) == on_disk.read("/" + path) is not None
    # What the kernel would be given holds nothing that the listing does not know.
    assert all(entry.path in listing for entry, _ in walk(str(directory), userxattr=USERXATTR))


def shape(view: StackView) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    todo = [""]
    while todo:
        for entry, *_ in view.scan(todo.pop()):
            found[entry.path] = (entry.kind, entry.mode, entry.uid, entry.gid, entry.size, entry.link)
            if entry.kind == "dir":
                todo.append(entry.path)
    return found


@pytest.mark.slow
def test_parents_that_are_not_described_take_their_metadata_from_below(tmp_path: Path) -> None:
    unpacked(tmp_path / "low", [folder("a", 0o711, 7 * 10**9), folder("a/b", 0o1777, 8 * 10**9)])
    lower = StackView([DirectoryLayer(str(tmp_path / "low"), USERXATTR)])
    listing = unpacked(tmp_path / "up", [mine("a/b/c/f", b"x"), gone("q/r")], lower)
    assert [(entry.path, entry.mode, entry.mtime) for entry, _ in walk(str(tmp_path / "up"), userxattr=USERXATTR)] == [
        ("a", 0o711, 7 * 10**9),
        ("a/b", 0o1777, 8 * 10**9),
        ("a/b/c", 0o755, 0),
        ("a/b/c/f", 0o644, 0),
        ("q", 0o755, 0),
        ("q/r", 0, 0),
    ]
    assert all(listing.implies(path) for path in ("a", "a/b", "a/b/c", "q"))
    assert listing.entry("a") is None
    assert stat.S_IMODE((tmp_path / "up").stat().st_mode) == stat.S_IMODE((tmp_path / "low").stat().st_mode)


@pytest.mark.slow
def test_parents_that_are_links_below_are_hidden_and_not_followed(tmp_path: Path) -> None:
    low = [folder("usr"), folder("usr/bin"), mine("usr/bin/old"), link("bin", "usr/bin"), mine("file")]
    low[1] = low[1][0]._replace(mode=0o711), None
    low += [link("abs", "/usr/bin"), link("sbin", "usr/bin")]
    unpacked(tmp_path / "low", low)
    lower = StackView([DirectoryLayer(str(tmp_path / "low"), USERXATTR)])
    items = [mine("bin/tool", b"1"), gone("sbin/old"), hard("x", "bin/tool"), opaque("abs"), mine("file/in", b"22")]
    items += [folder("own"), link("to", "own"), mine("to/here", b"333")]
    listing = unpacked(tmp_path / "up", items, lower)
    data = tar_of(items)
    assert Listing.of_tar(io.BytesIO(data), lower=lower) == listing == Listing.of_tar(io.BytesIO(data))
    for upper in (ListedLayer(listing, lambda: io.BytesIO(data)), DirectoryLayer(str(tmp_path / "up"), USERXATTR)):
        view = StackView([DirectoryLayer(str(tmp_path / "low"), USERXATTR), upper])
        there = sorted(shape(view))
        assert there == ["abs", "bin", "bin/tool", "file", "file/in", "own", "own/here", "sbin", "to", *sorted(
            ["usr", "usr/bin", "usr/bin/old", "x"]
        )]  # fmt: skip
        # As in BuildKit, they have the mode of the directory that the link leads to.
        modes = [entry.mode for path in ("bin", "sbin", "abs", "file") if (entry := view.lookup(path))]
        assert modes == [0o711, 0o711, 0o711, 0o755]
        assert [view.read(path) for path in ("bin/tool", "file/in", "to/here", "x")] == [b"1", b"22", b"333", b"1"]


def _made(path: Path) -> Path:
    path.mkdir(exist_ok=True)
    return path


def test_links_that_go_round_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(KezuriError, match="too many symbolic links"):
        unpacked(tmp_path / "up", [link("a", "b"), link("b", "a"), mine("a/f")])


def test_something_under_a_file_is_an_error(tmp_path: Path) -> None:
    for items in ([mine("a"), mine("a/b")], [mine("a"), gone("a/b")], [mine("a"), opaque("a")]):
        with pytest.raises(KezuriError, match="'a' is a file, but other entries lie under it"):
            unpacked(tmp_path / "up", items)


@pytest.mark.slow
def test_hard_links_into_a_lower_layer_become_copies(tmp_path: Path) -> None:
    low = [mine("f", b"from below", 0o755), link("l", "f"), folder("d")]
    unpacked(tmp_path / "low", low)
    lower = StackView([DirectoryLayer(str(tmp_path / "low"), USERXATTR)])
    items = [hard("g", "f"), hard("h", "g"), hard("m", "l"), gone("f")]
    listing = unpacked(tmp_path / "up", items, lower)
    assert (tmp_path / "up" / "g").read_bytes() == b"from below"
    assert (tmp_path / "up" / "g").stat().st_nlink == 2
    assert os.readlink(tmp_path / "up" / "m") == "f"
    data = tar_of(items)
    for upper in (ListedLayer(listing, lambda: io.BytesIO(data)), DirectoryLayer(str(tmp_path / "up"), USERXATTR)):
        view = StackView([DirectoryLayer(str(tmp_path / "low"), USERXATTR), upper])
        assert view.lookup("f") is None
        found = view.lookup("h")
        assert found is not None and (found.kind, found.mode, found.size) == ("file", 0o755, 10)
        assert view.read("h") == b"from below"
    for target in ("d", "nothing"):
        with pytest.raises(KezuriError, match=f"a hard link to '{target}'"):
            unpacked(tmp_path / f"up-{target}", [hard("x", target)], lower)


@pytest.mark.slow
def test_a_file_that_comes_again_leaves_its_other_names_alone(tmp_path: Path) -> None:
    items = [mine("a", b"old"), hard("b", "a"), hard("c", "b"), mine("a", b"newer")]
    listing = unpacked(tmp_path / "up", items)
    assert [(tmp_path / "up" / name).read_bytes() for name in "abc"] == [b"newer", b"old", b"old"]
    data = tar_of(items)
    view = StackView([ListedLayer(listing, lambda: io.BytesIO(data))])
    assert [view.read(name) for name in "abc"] == [b"newer", b"old", b"old"]


@pytest.mark.slow
def test_the_files_that_name_users_are_kept(tmp_path: Path) -> None:
    items: list[Item] = [folder("etc"), mine("etc/group", b"g"), mine("etc/passwd", b"old"), mine("etc/passwd", b"new")]
    data = tar_of(items)

    def never() -> io.BytesIO:
        raise AssertionError("opened")

    for listing in (
        unpacked(tmp_path / "up", items),
        Listing.of_tar(io.BytesIO(data)),
    ):
        assert listing.kept == {"etc/group": b"g", "etc/passwd": b"new"}
        listing.save(str(tmp_path / "l"))
        view = StackView([ListedLayer(Listing.load(str(tmp_path / "l")), never)])
        assert view.read("/etc/passwd") == b"new"
    replaced = [*items, gone("etc/x"), hard("etc/passwd", "etc/group")]
    assert Listing.of_tar(io.BytesIO(tar_of(replaced))).kept == {"etc/group": b"g"}


def test_damaged_listings(tmp_path: Path) -> None:
    path = tmp_path / "listing"
    Listing.of_tar(io.BytesIO(tar_of([folder("a"), mine("a/b")]))).save(str(path))
    good = path.read_bytes()
    for bad in (b"", b"junk", good[:-3], good[:20] + b"?" + good[21:]):
        path.write_bytes(bad)
        with pytest.raises(KezuriError, match="not a layer listing, or is damaged"):
            Listing.load(str(path))
    with pytest.raises(FileNotFoundError):
        Listing.load(str(tmp_path / "nothing"))


@pytest.mark.slow
def test_the_hasher_sees_every_byte(tmp_path: Path) -> None:
    import hashlib

    for kind in ("gzip", "zstd", "none"):
        sink = io.BytesIO()
        packed = pack([mine("f", bytes(3 << 20))], sink, compression(kind))
        sink.seek(0)
        hasher = hashlib.sha256()
        directory = tmp_path / kind
        directory.mkdir()
        unpack(sink, str(directory), lower=None, userxattr=USERXATTR, where="layer", hasher=hasher)
        assert "sha256:" + hasher.hexdigest() == packed.diff_id
        assert (directory / "f").stat().st_size == 3 << 20


def test_the_limit_holds(tmp_path: Path) -> None:
    with pytest.raises(KezuriError, match="layer unpacks to more than 1000000 bytes"):
        data = io.BytesIO(tar_of([mine("f", bytes(2 << 20))]))
        unpack(data, str(tmp_path), lower=None, userxattr=USERXATTR, where="layer", limit=1_000_000)


@pytest.mark.slow
def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    items = [folder("d", 0o777), mine("d/f", b"", 0o666), mine("d/s", b"", 0o6755), folder("e", 0o1770)]
    for mask in (0, 0o22, 0o77, 0o777):
        before = os.umask(mask)
        try:
            unpacked(tmp_path / oct(mask), items)
        finally:
            os.umask(before)
        assert [entry.mode for entry, _ in walk(str(tmp_path / oct(mask)), userxattr=USERXATTR)] == [
            0o777,
            0o666,
            0o6755,
            0o1770,
        ]


@pytest.mark.slow
def test_a_directory_that_nobody_may_enter(tmp_path: Path) -> None:
    items = [folder("d", 0), folder("d/e", 0o500), mine("d/e/f", b"x", 0)]
    unpacked(tmp_path / "up", items)
    assert stat.S_IMODE((tmp_path / "up" / "d").stat().st_mode) == 0
    (tmp_path / "up" / "d").chmod(0o700)
    (tmp_path / "up" / "d" / "e").chmod(0o700)


@pytest.mark.slow
def test_whiteouts_work_in_any_order(tmp_path: Path) -> None:
    wanted = [folder("d"), opaque("d"), mine("d/f"), mine("g")]
    for number, items in enumerate(
        (
            [gone("d"), folder("d"), mine("d/f"), gone("g"), mine("g")],
            [folder("d"), mine("d/f"), mine("g"), gone("g"), gone("d")],
            [mine("d/f"), gone("d"), folder("d"), mine("g")],
            [mine("d/f"), opaque("d"), folder("d"), mine("g")],
        )
    ):
        unpacked(tmp_path / str(number), items)
        assert walked(str(tmp_path / str(number))) == wanted


def test_walk_is_sorted_leaves_sockets_out_and_finds_links(tmp_path: Path) -> None:
    import socket

    for name in ("b", "a.b", "a", "a-"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    os.link(tmp_path / "b" / "f", tmp_path / "a" / "z")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "sock"))
    found = [(entry.path, entry.kind, entry.link) for entry, _ in walk(str(tmp_path), userxattr=USERXATTR)]
    assert [path for path, _, _ in found] == sorted((path for path, _, _ in found), key=order)
    assert ("a/z", "file", "") in found
    assert ("b/f", "hardlink", "a/z") in found
    assert "sock" not in [path for path, _, _ in found]


@pytest.mark.slow
def test_walk_copes_with_deep_trees(tmp_path: Path) -> None:
    try:
        _dig(tmp_path, ["d"] * 1500)
        assert sum(1 for _ in walk(str(tmp_path), userxattr=USERXATTR)) == 1500
        _dig(tmp_path / "/".join(["d"] * 1000), ["x" * 200] * 20)
        with pytest.raises(KezuriError, match="too many to read it"):
            list(walk(str(tmp_path), userxattr=USERXATTR))
    finally:
        # Python's own rmtree cannot, and pytest would try.
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def _dig(top: Path, names: list[str]) -> None:
    here = os.open(top, os.O_RDONLY)
    for name in names:
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KezuriError, match="nothing"):
        list(walk(str(tmp_path / "nothing"), userxattr=USERXATTR))


@pytest.mark.slow
@pytest.mark.skipif(not ROOT, reason="needs root")
def test_what_only_root_can_make(tmp_path: Path) -> None:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    items: list[Item] = [
        (Entry("block", "block", 0o660, 0, 6, device=(8, 1)), None),
        (Entry("char", "char", 0o666, device=(1, 3)), None),
        (Entry("ping", "file", 0o755, 5, 6, 1, xattrs=(("security.capability", capability),)), b"x"),
        (Entry("su", "file", 0o4755, 5, 6, 1), b"x"),
    ]
    unpacked(tmp_path / "up", items)
    assert walked(str(tmp_path / "up")) == items
    os.setxattr(tmp_path / "up" / "su", "trusted.overlay.metacopy", b"")
    with pytest.raises(KezuriError, match="metacopy"):
        walked(str(tmp_path / "up"))


@pytest.mark.slow
@pytest.mark.skipif(not ROOT, reason="needs root")
def test_a_full_disk(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], check=True)
    try:
        with pytest.raises(KezuriError, match="no space left for large"):
            unpacked(tmp_path, [mine("large", bytes(2 << 20))])
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def aufs_tar() -> bytes:
    """A layer as docker wrote them on aufs: files with several names are in a directory of aufs's own, too."""
    plain = [
        ("f", ".wh..wh.aufs", ""),
        ("d", ".wh..wh.plnk", ""),
        ("f", ".wh..wh.plnk/12.34", "content"),
        ("f", ".wh..wh.plnk/56.78", "in no other place"),
        ("d", ".wh..wh.orph", ""),
        ("f", ".wh..wh.orph/9", "left out"),
        ("d", "d", ""),
        ("h", "d/a", ".wh..wh.plnk/12.34"),
        ("h", "b", ".wh..wh.plnk/12.34"),
    ]
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for kind, name, text in plain:
            member = tarfile.TarInfo(name)
            member.type = {"f": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "h": tarfile.LNKTYPE}[kind]
            member.uid, member.gid, member.mode = os.geteuid(), os.getegid(), 0o755
            member.linkname, member.size = (text, 0) if kind == "h" else ("", len(text))
            archive.addfile(member, io.BytesIO(text.encode()))
    return sink.getvalue()


def test_names_of_aufs_are_left_out_and_hard_links_to_them_are_kept() -> None:
    data = aufs_tar()
    listing = Listing.of_tar(io.BytesIO(data))
    view = StackView([ListedLayer(listing, lambda: io.BytesIO(data))])
    assert [(path, described[0]) for path, described in shape(view).items()] == [
        ("b", "file"), ("d", "dir"), ("d/a", "file")
    ]  # fmt: skip
    first, again = view.stat("b"), view.stat("d/a")
    assert first is not None and again is not None and first.identity == again.identity is not None
    assert view.read("d/a") == view.read("b") == b"content"


@pytest.mark.slow
def test_names_of_aufs_are_not_unpacked(tmp_path: Path) -> None:
    data, directory = io.BytesIO(aufs_tar()), str(_made(tmp_path / "up"))
    listing = unpack(data, directory, lower=None, userxattr=USERXATTR, where="layer")
    assert listing == Listing.of_tar(io.BytesIO(aufs_tar()))
    assert sorted(os.listdir(directory)) == ["b", "d"]
    assert (tmp_path / "up" / "b").read_bytes() == b"content"
    assert (tmp_path / "up" / "b").stat().st_nlink == 2
