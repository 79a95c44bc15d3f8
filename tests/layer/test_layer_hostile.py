"""Tars made to do harm, or merely broken: a clear error or a harmless result, never anything else."""

import errno
import io
import os
import random
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.layer.layer_trees import USERXATTR, loose_entries, loose_items, tar_of

from kezuri.diagnostics import KezuriError
from kezuri.layer.anchored import AnchoredTree
from kezuri.layer.compression import compression
from kezuri.layer.entry import Entry, Item
from kezuri.layer.listing import Listing
from kezuri.layer.packer import pack
from kezuri.layer.tar_reader import read_tar
from kezuri.layer.tar_writer import END, header
from kezuri.layer.unpacker import unpack

pytestmark = pytest.mark.usefixtures("ids_of_owners")


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0, **more: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, size
    for key, value in more.items():
        setattr(member, key, value)
    return member


def tar(*members: tuple[tarfile.TarInfo, bytes] | tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=form) as archive:
        for member in members:
            if isinstance(member, tuple):
                member[0].size = len(member[1])
                archive.addfile(member[0], io.BytesIO(member[1]))
            else:
                archive.addfile(member)
    return sink.getvalue()


def read(data: bytes) -> list[tuple[Entry, bytes | None]]:
    return [(entry, None if file is None else file.read()) for entry, file in read_tar(io.BytesIO(data), "the layer")]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A directory to unpack into, with neighbours that must stay as they are."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "precious").write_text("untouched")
    (tmp_path / "in").mkdir()
    return tmp_path


def unharmed(house: Path) -> bool:
    outside = house / "outside"
    return (
        sorted(os.listdir(house)) == ["in", "outside"]
        and os.listdir(outside) == ["precious"]
        and (outside / "precious").read_text() == "untouched"
        and (outside / "precious").stat().st_nlink == 1
    )


def unpack_into(house: Path, data: bytes) -> Listing:
    return unpack(io.BytesIO(data), str(house / "in"), lower=None, userxattr=USERXATTR, where="the layer")


def own() -> dict[str, Any]:
    """The owner of files that anybody may make. It has another number once a user namespace was entered."""
    return {"uid": os.geteuid(), "gid": os.getegid()}


@pytest.mark.parametrize("name", ["../outside/x", "a/../../outside/x", "..", "a/..", "./../outside/x", "/../outside/x"])
def test_names_that_leave_the_root(house: Path, name: str) -> None:
    with pytest.raises(KezuriError, match=r"the layer: the name .* leaves the root, at byte 0"):
        unpack_into(house, tar((info(name, **own()), b"x")))
    assert unharmed(house)


@pytest.mark.parametrize("link", ["../outside", "/../../outside", "../../../../../../../../tmp", "d/../../outside"])
@pytest.mark.slow
def test_writing_through_a_link_stays_inside(house: Path, link: str) -> None:
    absolute = str(house / "outside")
    for target in (link, absolute):
        data = tar(
            info("l", tarfile.SYMTYPE, target, **own()), (info("l/x", **own()), b"x"), (info("l", **own()), b"y")
        )
        unpack_into(house, data)
    assert unharmed(house)
    assert (house / "in" / "l").read_text() == "y"


def test_a_link_on_the_disk_is_not_followed_either(house: Path) -> None:
    (house / "in" / "l").symlink_to("../outside")
    data = tar((info("l/precious", **own()), b"x"), info("l/.wh.precious", **own()), info("l/.wh..wh..opq", **own()))
    try:
        unpack_into(house, data)
    except KezuriError:
        pass
    assert unharmed(house)


def test_hard_links_reach_only_what_the_layer_has(house: Path) -> None:
    for target in ("/outside/precious", "nothing", "d", "l/precious"):
        data = tar(
            info("d", tarfile.DIRTYPE, mode=0o755, **own()),
            info("l", tarfile.SYMTYPE, "../outside", **own()),
            info("x", tarfile.LNKTYPE, target, **own()),
        )
        with pytest.raises(KezuriError, match="a hard link to"):
            unpack_into(house, data)
    with pytest.raises(KezuriError, match="leaves the root"):
        unpack_into(house, tar(info("x", tarfile.LNKTYPE, "../outside/precious", **own())))
    assert unharmed(house)


@pytest.mark.slow
def test_a_hard_link_to_a_link_does_not_follow_it(house: Path) -> None:
    data = tar(
        info("l", tarfile.SYMTYPE, "../outside/precious", **own()),
        info("x", tarfile.LNKTYPE, "l", **own()),
        (info("x", **own()), b"new"),
    )
    unpack_into(house, data)
    assert unharmed(house)
    assert (house / "in" / "x").read_text() == "new"


@pytest.mark.slow
def test_changing_modes_and_times_does_not_follow_links(house: Path) -> None:
    before = (house / "outside").stat()
    unpack_into(house, tar(info("l", tarfile.SYMTYPE, "../outside", mode=0o777, mtime=5, **own())))
    after = (house / "outside").stat()
    assert (before.st_mode, before.st_mtime_ns) == (after.st_mode, after.st_mtime_ns)


@settings(max_examples=40, deadline=None)
@given(drawn=loose_entries)
def test_anything_in_any_order_stays_inside(
    drawn: list[tuple[str, str, str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    house = tmp_path_factory.mktemp("house")
    (house / "outside").mkdir()
    (house / "outside" / "precious").write_text("untouched")
    (house / "in").mkdir()
    try:
        unpack_into(house, tar_of(loose_items(drawn)))
    except KezuriError:
        pass
    assert unharmed(house)


def sample() -> bytes:
    return tar(
        info("d", tarfile.DIRTYPE, mode=0o755, **own()),
        (info("d/" + "n" * 120 + "é", pax_headers={"SCHILY.xattr.user.a": "1"}, **own()), b"content" * 100),
        info("l", tarfile.SYMTYPE, "d", **own()),
        info("d/.wh.gone", **own()),
    )


def test_truncated_at_every_offset() -> None:
    data = sample()
    whole = read(data)
    end = data.rindex(b"ustar") + 255
    for cut in range(len(data)):
        try:
            found = read(data[:cut])
        except KezuriError as error:
            assert "the layer" in str(error)
        else:
            # The end mark may be missing, and it may be cut at a header: then what is there is sound.
            assert cut >= end or cut % 512 == 0
            assert found == whole[: len(found)]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_flipped_bits_are_errors_or_harmless(data: st.DataObject) -> None:
    raw = bytearray(sample())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        read(bytes(raw))
    except KezuriError as error:
        assert "the layer" in str(error)


def test_random_headers_with_true_checksums() -> None:
    dice = random.Random(7)
    for _ in range(1500):
        block = bytearray(header(Entry("name", "file", size=0))[:512])
        for _ in range(dice.randrange(1, 6)):
            at = dice.randrange(512)
            block[at] = dice.choice([0, 0x20, 0x2D, 0x2E, 0x2F, 0x30, 0x37, 0x39, 0x4C, 0x5F, 0x78, 0x80, 0xFF])
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        try:
            read(bytes(block) + b"13 path=a/b\n".ljust(512, b"\0") + header(Entry("x", "dir")) + END)
        except KezuriError:
            pass


def error_or_empty(junk: bytes) -> None:
    try:
        assert read(junk) == [] or len(junk) >= 512
    except KezuriError:
        pass


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=1500))
def test_junk_is_an_error_or_empty(junk: bytes) -> None:
    error_or_empty(junk)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None)
@given(st.binary(max_size=1500))
def test_much_junk_is_an_error_or_empty(junk: bytes) -> None:
    error_or_empty(junk)


def extended(*records: bytes, size: int | None = None) -> bytes:
    body = b"".join(records)
    head = bytearray(header(Entry("pax", "file", size=len(body) if size is None else size))[:512])
    head[156:157] = b"x"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + body + bytes(-len(body) % 512)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (extended(size=9 << 20), "extended header of 9437184 bytes"),
        (extended(b"99 path=x\n"), "does not fit its length"),
        (extended(b"path=x\n"), "without a length"),
        (extended(b"0 path=x\n"), "does not fit"),
        (extended(b"10 path=x!"), "does not fit"),
        (extended(b"13 size=1e99\n"), "unreadable size"),
        (extended(b"29 size=99999999999999999999\n"), "absurd size"),
        (extended(b"11 uid=-12\n"), "unreadable uid"),
        (extended(b"18 uid=9999999999\n"), "impossible owner"),
        (extended(b"17 mtime=12.3.45\n"), "unreadable time"),
        (extended(b"30 mtime=99999999999999999999\n"), "absurd time"),
        (extended(b"12 path=a\0b\n"), "NUL byte"),
        (extended(b"16 path=../../a\n"), "leaves the root"),
        (extended(b"5011 path=" + b"n" * 5000 + b"\n"), "a name of 5000 bytes"),
        (extended(b"22 GNU.sparse.major=1\n"), "sparse"),
        (extended(b"9 path=x\n", size=5000), "truncated"),
    ],
)
def test_bad_extended_headers(data: bytes, what: str) -> None:
    with pytest.raises(KezuriError, match=what):
        read(data + header(Entry("x", "file")) + END)
    with pytest.raises(KezuriError):
        read(data)


def test_long_and_deep_names_are_refused() -> None:
    long = tar(info("n/" * 2100))
    deep = tar(info("n/" * 600 + "f"))
    for data, what in ((long, "name of 42"), (deep, "more than 512 parts")):
        with pytest.raises(KezuriError, match=what):
            read(data)


@pytest.mark.parametrize("kind", [b"S", b"M", b"V", b"?", b"X"])
def test_kinds_that_are_not_supported(kind: bytes) -> None:
    with pytest.raises(KezuriError, match=r"not supported|unknown type"):
        read(tar(info("x", kind)))


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "d/.wh.", ".wh.a/f"])
def test_whiteouts_of_nothing(name: str) -> None:
    with pytest.raises(KezuriError, match="whiteout"):
        read(tar(info(name)))


def test_overlay_marks_are_not_taken_from_a_layer() -> None:
    marks = {"SCHILY.xattr.trusted.overlay.redirect": "/etc", "SCHILY.xattr.user.overlay.opaque": "y"}
    [(entry, _)] = read(tar(info("d", tarfile.DIRTYPE, pax_headers=marks)))
    assert entry.xattrs == ()


def test_a_device_that_means_a_whiteout_is_one() -> None:
    assert read(tar(info("d/x", tarfile.CHRTYPE))) == [(Entry("d/x", "whiteout", 0), None)]


def test_names_are_made_plain() -> None:
    found = read(tar(info("./a//b/./c/", tarfile.DIRTYPE), info("/etc/x"), info("./"[:-1], tarfile.DIRTYPE)))
    assert [entry.path for entry, _ in found] == ["a/b/c", "etc/x", ""]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_dialect_of_tarfile(form: int) -> None:
    long = "d/" * 40 + "f" * 60
    members: list[Any] = [
        (info(long, mode=0o4755, uid=3, gid=4, mtime=77), b"x" * 1000),
        info("l", tarfile.SYMTYPE, "t" * 99),
        info("h", tarfile.LNKTYPE, long[:80].rstrip("/") if form == tarfile.USTAR_FORMAT else long),
    ]
    if form != tarfile.USTAR_FORMAT:
        members += [
            info("big", uid=3_000_000_000, gid=2_999_999_999, mtime=-5),
            info("n" * 300, tarfile.SYMTYPE, "t" * 400),
            info("é" * 90),
        ]
    found = read(tar(*members, form=form))
    assert found[0] == (Entry(long, "file", 0o4755, 3, 4, 1000, 77_000_000_000), b"x" * 1000)
    assert found[1][0].link == "t" * 99
    if form != tarfile.USTAR_FORMAT:
        big, names, accents = found[3][0], found[4][0], found[5][0]
        assert (big.uid, big.gid, big.mtime) == (3_000_000_000, 2_999_999_999, -5_000_000_000)
        assert (names.path, names.link) == ("n" * 300, "t" * 400)
        assert accents.path == "é" * 90


def test_global_headers_are_left_out() -> None:
    sink = io.BytesIO()
    with tarfile.open(
        fileobj=sink, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "c", "path": "no"}
    ) as t:
        t.addfile(info("yes"))
    assert [entry.path for entry, _ in read(sink.getvalue())] == ["yes"]


def test_fractions_of_times() -> None:
    for text, nanoseconds in (("1.5", 1_500_000_000), ("-1.25", -1_250_000_000), ("0.0000000019", 1), ("7", 7 * 10**9)):
        [(entry, _)] = read(tar(info("x", pax_headers={"mtime": text})))
        assert entry.mtime == nanoseconds


def test_a_single_end_block_and_padding() -> None:
    body = header(Entry("x", "dir"))
    assert len(read(body + bytes(512))) == 1
    assert len(read(body + bytes(20_480))) == 1
    with pytest.raises(KezuriError, match="after the end"):
        read(body + bytes(512) + body)


def test_a_member_can_be_read_in_parts_or_not_at_all() -> None:
    data = tar((info("a"), b"a" * 2000), (info("b"), b"b" * 700), info("c"))
    names = []
    for entry, file in read_tar(io.BytesIO(data), "tar"):
        names.append(entry.path)
        if entry.path == "a":
            assert file is not None
            assert file.read(3) + file.read(4) == b"a" * 7
        elif file is not None and entry.path == "c":
            assert file.read() == b""
    assert names == ["a", "b", "c"]


def test_a_stream_that_fails() -> None:
    class Failing(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

        read = read1

    with pytest.raises(KezuriError, match="cannot read the layer: Input/output error"):
        list(read_tar(Failing(), "the layer"))


def test_more_entries_than_any_image_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kezuri.layer.placement.MOST_ENTRIES", 50)
    sink = io.BytesIO()
    pack([(Entry(f"f{n}", "file"), b"") for n in range(60)], sink, compression("none"))
    sink.seek(0)
    with pytest.raises(KezuriError, match="more than 50 entries"):
        Listing.of_tar(sink, "the layer")


def test_attributes_that_would_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of a name that was there before without them."""
    monkeypatch.setattr("kezuri.layer.placement.MOST_WEIGHT", 100_000)
    heavy = (("user.x", b"x" * 60_000),)
    items: list[Item] = [(Entry("a", "file"), b""), (Entry("b", "file"), b"")]
    items += [(entry._replace(xattrs=heavy), content) for entry, content in items]
    sink = io.BytesIO()
    pack(items, sink, compression("none"))
    sink.seek(0)
    with pytest.raises(KezuriError, match="of absurd length"):
        Listing.of_tar(sink, "the layer")


@pytest.mark.parametrize(
    ("mode", "acl", "inherits"), [(0o2775, False, True), (0o775, True, True), (0o775, False, False)]
)
def test_a_tree_knows_what_its_files_inherit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, acl: bool, inherits: bool
) -> None:
    def getxattr(path: str, name: str) -> bytes:
        if not acl or name != "system.posix_acl_default":
            raise OSError(errno.ENODATA, "No data available")
        return b""

    os.chmod(tmp_path, mode)
    monkeypatch.setattr(os, "getxattr", getxattr)
    with AnchoredTree(str(tmp_path)) as tree:
        assert tree.inherits is inherits


@pytest.mark.parametrize(("kind", "expected"), [(tarfile.AREGTYPE, "dir"), (tarfile.REGTYPE, "file")])
def test_a_name_with_a_slash_at_the_end_is_a_directory_only_in_old_tars(kind: bytes, expected: str) -> None:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        for name in ("a/", "after"):
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, 3
            archive.addfile(member, io.BytesIO(b"abc"))
    read = list(read_tar(io.BytesIO(sink.getvalue()), "tar"))
    assert [(entry.path, entry.kind) for entry, _ in read] == [("a", expected), ("after", "file")]
