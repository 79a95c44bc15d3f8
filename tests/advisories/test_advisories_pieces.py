"""Documents out of directories and archives, sound and hostile ones; zips are read as `zipfile` reads them."""

import io
import lzma
import random
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from kezuri.advisories import pieces as module
from kezuri.advisories.pieces import is_archive, pieces
from kezuri.advisories.zips import Zip
from kezuri.diagnostics import KezuriError

FILES = {"a.json": b"{}", "deep/b.json": b"x" * 5000, "deep/empty.json": b"", "ü.json": b"1"}


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.mkdir("deep")
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        link = tarfile.TarInfo("link.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def read(path: Path) -> dict[str, bytes]:
    return {piece.name: piece.read(1 << 20) for piece in pieces(str(path))}


def test_archives_and_directories_hold_the_same(tmp_path: Path) -> None:
    assert read(zipped(tmp_path / "stored.zip", FILES, zipfile.ZIP_STORED)) == FILES
    assert read(zipped(tmp_path / "deflated", FILES)) == FILES
    for mode in ("w", "w:gz", "w:xz", "w:bz2"):
        assert read(tarred(tmp_path / mode.replace(":", ""), FILES, mode)) == FILES
    (tmp_path / "of" / "deep").mkdir(parents=True)
    for name, data in FILES.items():
        (tmp_path / "of" / name).write_bytes(data)
    (tmp_path / "of" / ".git").mkdir()
    (tmp_path / "of" / ".git" / "x.json").write_text("{}")
    (tmp_path / "of" / "link.json").symlink_to(tmp_path / "of" / "a.json")
    assert read(tmp_path / "of") == FILES
    (tmp_path / "one.json.xz").write_bytes(lzma.compress(b"{}"))
    assert read(tmp_path / "one.json.xz") == {"one.json.xz": b"{}"}
    assert is_archive(str(tmp_path / "deflated")) and not is_archive(str(tmp_path / "one.json.xz"))


def test_what_begins_with_a_dot_is_left_out(tmp_path: Path) -> None:
    hidden = {**FILES, "x/.github/workflow.yml": b"", ".osv.json": b""}
    assert read(zipped(tmp_path / "x.zip", hidden)) == FILES
    assert read(tarred(tmp_path / "x.tar", hidden, "w")) == FILES


def test_archives_with_something_before_and_behind(tmp_path: Path) -> None:
    path = zipped(tmp_path / "x.zip", FILES)
    path.write_bytes(path.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"PK\x05\x06 " * 20
    # The last end of a directory that can be one counts, as it does for others.
    with path.open("rb") as file, pytest.raises(KezuriError, match="no sound zip"):
        list(Zip(file, "x").members())
    before = tmp_path / "y.zip"
    before.write_bytes(b"#!/bin/sh\n" * 100 + zipped(tmp_path / "z.zip", FILES).read_bytes())
    with before.open("rb") as file:
        archive_of = Zip(file, "y")
        assert {member.name: archive_of.read(member, 1 << 20) for member in archive_of.members()} == FILES


@pytest.mark.slow
def test_archives_of_more_than_sixteen_bits(tmp_path: Path) -> None:
    many = {f"{number}.json": b"%d" % number for number in range(66_000)}
    path = zipped(tmp_path / "many.zip", many, zipfile.ZIP_STORED)
    assert sum(1 for _ in pieces(str(path))) == 66_000
    large = tmp_path / "large.zip"
    with zipfile.ZipFile(large, "w") as archive, archive.open("a.json", "w", force_zip64=True) as file:
        file.write(b"{}")
    assert read(large) == {"a.json": b"{}"}


def test_damaged_archives_are_errors_that_name_them(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "x.zip", FILES).read_bytes()
    (tmp_path / "x.zip").write_bytes(whole.replace(b"PK\x01\x02", b"PK\x01\x03", 1))
    with pytest.raises(KezuriError, match=r"x\.zip is no sound zip archive: its directory is damaged"):
        read(tmp_path / "x.zip")
    for cut in (10, len(whole) // 2, len(whole) - 5):
        (tmp_path / "x.zip").write_bytes(whole[:cut])
        with pytest.raises(KezuriError, match=r"x\.zip"):
            read(tmp_path / "x.zip")
    data = bytearray(whole)
    data[whole.index(b"b.json") + 6] ^= 0xFF
    (tmp_path / "x.zip").write_bytes(bytes(data))
    with pytest.raises(KezuriError, match=r"b\.json is damaged"):
        read(tmp_path / "x.zip")
    packed = tarred(tmp_path / "y.tar.gz", FILES, "w:gz").read_bytes()
    (tmp_path / "y.tar.gz").write_bytes(packed[:-40])
    with pytest.raises(KezuriError, match=r"y\.tar\.gz"):
        read(tmp_path / "y.tar.gz")


def test_a_directory_of_which_a_part_is_passed_over(tmp_path: Path) -> None:
    """Its end tells how many there are: that some are not looked at is no smaller archive."""
    data = bytearray(zipped(tmp_path / "x.zip", FILES).read_bytes())
    end = data.rindex(b"PK\x05\x06")
    size, start = struct.unpack_from("<LL", data, end + 12)
    name, extra, comment = struct.unpack_from("<3H", data, start + 28)
    first = 46 + name + extra + comment
    struct.pack_into("<LL", data, end + 12, size - first, start + first)
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(KezuriError, match=r"its directory has 4 entries, and should have 5"):
        read(tmp_path / "x.zip")


def test_any_damage_is_an_error_or_the_truth(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "x.zip", FILES).read_bytes()
    chance = random.Random(1)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        (tmp_path / "x.zip").write_bytes(bytes(data))
        try:
            found = read(tmp_path / "x.zip")
        except KezuriError:
            continue
        assert set(found.values()) <= {*FILES.values(), bytes(data)}


def test_a_member_that_lies_about_its_size(tmp_path: Path) -> None:
    whole = bytearray(zipped(tmp_path / "x.zip", {"a.json": b"a" * 100_000}).read_bytes())
    at = whole.rindex(b"PK\x01\x02") + 24
    assert struct.unpack_from("<L", whole, at) == (100_000,)
    struct.pack_into("<L", whole, at, 10)
    (tmp_path / "x.zip").write_bytes(bytes(whole))
    with pytest.raises(KezuriError, match="is damaged"):
        read(tmp_path / "x.zip")


def test_bombs_have_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SMALLEST_TOTAL", 1 << 20)
    monkeypatch.setattr(module, "_RATIO", 10)
    zeros = {f"{number}.json": bytes(1 << 20) for number in range(8)}
    for path in (zipped(tmp_path / "x.zip", zeros), tarred(tmp_path / "y.tar.xz", zeros, "w:xz")):
        with pytest.raises(KezuriError, match=r"more than (an archive|\d+ bytes)"):
            read(path)
    with pytest.raises(KezuriError, match=r"0\.json has 1048576 bytes: at most 1000 are read"):
        for piece in pieces(str(tmp_path / "x.zip")):
            if piece.name == "0.json":
                piece.read(1000)


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", Path("/dev/zero"), tmp_path / "a\0b"):
        with pytest.raises(KezuriError, match=r"cannot read|is no file"):
            read(path)
