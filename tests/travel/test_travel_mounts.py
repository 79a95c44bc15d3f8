"""Cache mounts as packs: they come back as they were, and a small change moves little."""

import os
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry
from kezuri.oci.descriptor import Descriptor
from kezuri.travel.document import MountRecord
from kezuri.travel.mounts import Look, MountPacker, TooLarge, pieces, restore

LOOK = Look(True, os.geteuid() != 0)
ID = "0" * 32


def fill(mount: Path, files: int = 400) -> None:
    random = Random(5)
    for number in range(files):
        path = mount / f"d{number % 7}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(random.randbytes(number % 900))
        os.utime(path, ns=(1, 1_234_567_890_123_456_789 + number))
    (mount / "big").write_bytes(random.randbytes(5 << 20))
    os.link(mount / "d0" / "f0", mount / "d6" / "zlink")
    (mount / "link").symlink_to("../../etc/passwd")
    (mount / "d3" / "f3").chmod(0o4711)
    mount.chmod(0o700)


def seen(directory: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in [directory, *directory.rglob("*")]:
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        when = status.st_mtime_ns if path.is_file() and not path.is_symlink() else 0
        links = status.st_nlink if path.is_file() else 0
        found[str(path.relative_to(directory))] = (status.st_mode, content, when, links)
    return found


def packed(tmp_path: Path, mount: Path, most: int = 1 << 30) -> tuple[MountRecord, MountPacker]:
    scratch = tmp_path / f"scratch{len(os.listdir(tmp_path))}"
    scratch.mkdir()
    packer = MountPacker(str(scratch), LOOK, lambda: None)
    return packer.pack(ID, str(mount), most), packer


def back(tmp_path: Path, record: MountRecord, packer: MountPacker) -> Path:
    made, scratch = tmp_path / "made", tmp_path / "fetched"
    made.mkdir()
    scratch.mkdir()

    def fetch(descriptor: Descriptor, path: str) -> None:
        os.link(packer.path(descriptor.digest), path)

    restore(record, str(made), str(scratch), LOOK, fetch, "the cache")
    return made


def test_a_mount_comes_back_as_it_was(tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    fill(mount)
    record, packer = packed(tmp_path, mount)
    assert len(record.packs) > 3
    assert seen(back(tmp_path, record, packer)) == seen(mount)


def test_a_change_moves_little(tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    fill(mount)
    before, _ = packed(tmp_path, mount)
    (mount / "d2" / "new").write_bytes(b"new")
    after, packer = packed(tmp_path, mount)
    fresh = [pack for pack in after.packs if pack not in before.packs]
    assert 1 <= len(fresh) <= 4
    assert sum(pack.size for pack in fresh) < after.size / 10
    assert (back(tmp_path, after, packer) / "d2" / "new").read_bytes() == b"new"


def test_an_empty_mount_and_one_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "mount").mkdir()
    record, packer = packed(tmp_path, tmp_path / "mount")
    assert os.listdir(back(tmp_path, record, packer)) == []


def test_a_bound_holds(tmp_path: Path) -> None:
    fill(tmp_path / "mount")
    with pytest.raises(TooLarge):
        packed(tmp_path, tmp_path / "mount", 1 << 20)


@given(st.lists(st.tuples(st.text("abc", max_size=4), st.sampled_from([0, 10, 5 << 20]))))
def test_pieces_are_the_items_in_order(named: list[tuple[str, int]]) -> None:
    items = [(Entry(path, "file", 0o644, size=size), None) for path, size in named]
    parts = [list(piece) for piece in pieces(items)]
    assert [item for part in parts for item in part] == items
    assert all(parts)
    assert all(len(part) == 1 or all(item[0].size < 4 << 20 for item in part) for part in parts)


def test_where_it_is_cut_does_not_depend_on_what_stands_before() -> None:
    items = [(Entry(f"d/{number:05}", "file", 0o644, size=10), None) for number in range(3000)]
    before = [tuple(item[0].path for item in piece) for piece in pieces(items)]
    after = [tuple(item[0].path for item in piece) for piece in pieces([(Entry("a", "file", 0o644), None), *items])]
    assert len(before) > 8
    assert after[1:] == before[1:]


def test_a_mount_of_any_size_is_not_begun(tmp_path: Path) -> None:
    def fetch(descriptor: Descriptor, path: str) -> None:
        raise AssertionError("it is fetched")

    pack = Descriptor("x", "sha256:" + "0" * 64, 1)
    with pytest.raises(KezuriError, match="too large"):
        restore(MountRecord(ID, (pack,), (64 << 30) + 1), str(tmp_path), str(tmp_path), LOOK, fetch, "the cache")


@pytest.mark.parametrize("how", ["missing", "another", "no tar", "larger"])
def test_packs_that_are_something_else_are_an_error(tmp_path: Path, how: str) -> None:
    mount = tmp_path / "mount"
    fill(mount, 20)
    record, packer = packed(tmp_path, mount)

    def fetch(descriptor: Descriptor, path: str) -> None:
        if how == "missing":
            raise KezuriError.of("it is gone")
        data = Path(packer.path(descriptor.digest)).read_bytes()
        Path(path).write_bytes(b"abc" if how == "no tar" else data[:-1] if how == "another" else data)

    (tmp_path / "made").mkdir()
    (tmp_path / "fetched").mkdir()
    if how == "larger":
        record = record._replace(plain=100 - (1 << 20))  # a document may say that; a mebibyte is let through
    with pytest.raises(KezuriError):
        restore(record, str(tmp_path / "made"), str(tmp_path / "fetched"), LOOK, fetch, "the cache")


def test_nothing_outside_is_touched(tmp_path: Path) -> None:
    """A pack is foreign text: names that lead out, and links to write through."""
    import gzip
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, link in (
            ("esc", tarfile.SYMTYPE, str(tmp_path)),
            ("esc/owned", tarfile.REGTYPE, ""),
            ("../owned", tarfile.REGTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            tar.addfile(info)
    data = gzip.compress(out.getvalue()[:-10240].rstrip(b"\0").ljust(2048, b"\0"))
    record = MountRecord(ID, (Descriptor("x", "sha256:" + "0" * 64, len(data)),), 1 << 20)
    (tmp_path / "made").mkdir()
    (tmp_path / "fetched").mkdir()

    def fetch(_: Descriptor, path: str) -> None:
        Path(path).write_bytes(data)

    with suppress(KezuriError):
        restore(record, str(tmp_path / "made"), str(tmp_path / "fetched"), LOOK, fetch, "the cache")
    assert not (tmp_path / "owned").exists()


def test_a_large_file_is_given_up_before_it_is_packed_whole(tmp_path: Path) -> None:
    (tmp_path / "mount").mkdir()
    (tmp_path / "mount" / "large").write_bytes(Random(1).randbytes(1 << 20) * 40)
    with pytest.raises(TooLarge):
        packed(tmp_path, tmp_path / "mount", 3 << 20)
    (scratch,) = tmp_path.glob("scratch*")
    assert sum(path.stat().st_size for path in scratch.iterdir()) <= 3 << 20
