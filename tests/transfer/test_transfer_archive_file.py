"""Archives of images read where they stand: plain, compressed, from pipes, and made to do harm."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from tests.transfer.transfer_images import Tarring, tar_of

import kezuri.store.archive_file as module
from kezuri.diagnostics import KezuriError
from kezuri.store.archive_file import ArchiveFile, NoArchive

BIG = os.urandom(300_000)
PLAIN = tar_of(("./a", b"first"), ("d/b", BIG), ("d/../c", b"third"))


def opened(tmp_path: Path, data: bytes) -> ArchiveFile:
    path = tmp_path / "archive"
    path.write_bytes(data)
    return ArchiveFile.open(str(path))


@pytest.mark.parametrize(
    "pack",
    [bytes, gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress],
    ids=["plain", "gzip", "bzip2", "xz", "zstd"],
)
def test_members_are_read_in_any_order(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    with opened(tmp_path, pack(PLAIN)) as archive:
        for name, data in (("c", b"third"), ("d/b", BIG), ("a", b"first"), ("/d/./b", BIG)):
            assert archive.size(name) == len(data)
            with archive.open_member(name) as one, archive.open_member(name) as other:
                assert one.read(2) == data[:2]
                assert other.read() == data
                assert one.read() == data[2:]
        assert archive.size("d") is archive.size("e") is None


def test_a_pipe_is_an_archive(tmp_path: Path) -> None:
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: Path(path).write_bytes(PLAIN))
    writer.start()
    reader = os.open(path, os.O_RDONLY)
    with os.fdopen(reader, "rb", buffering=0) as stream, ArchiveFile.read(stream, "pipe") as archive:
        assert archive.document("a", 100) == b"first"
    writer.join()


def test_the_writer_of_a_named_pipe_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "pipe")
    os.mkfifo(path)

    def late() -> None:
        time.sleep(0.05)
        Path(path).write_bytes(gzip.compress(PLAIN))

    writer = threading.Thread(target=late)
    writer.start()
    with ArchiveFile.open(path) as archive:
        assert archive.document("a", 100) == b"first"
    writer.join()


def test_a_plain_file_that_is_given_as_a_stream_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_spooled", lambda stream, where: pytest.fail("it was copied"))
    path = tmp_path / "archive"
    path.write_bytes(PLAIN)
    with path.open("rb", buffering=0) as stream, ArchiveFile.read(stream, "standard input") as archive:
        assert archive.document("a", 100) == b"first"


def test_nothing_stays_where_it_was_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setenv("TMPDIR", str(spool))
    with opened(tmp_path, gzip.compress(PLAIN)) as archive:
        assert archive.size("a") == 5
        assert list(spool.iterdir()) == []


def test_links_are_followed_inside(tmp_path: Path) -> None:
    data = Tarring().file("x/layer.tar", b"layer")
    data.link("y/layer.tar", "../x/layer.tar").link("z", "y/layer.tar", hard=True).link("w", "/x/layer.tar")
    with opened(tmp_path, data.bytes()) as archive:
        assert [archive.document(n, 10) for n in ("y/layer.tar", "z", "w")] == [b"layer"] * 3


def test_links_lead_nowhere_else(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    data = Tarring().file("a", b"a").link("out", "../secret").link("abs", str(secret)).link("one", "two")
    data.link("two", "one").link("self", "self", hard=True).file("../up", b"up")
    with opened(tmp_path, data.bytes()) as archive:
        for name in ("out", "abs", "one", "self", "../up", "up"):
            assert archive.size(name) is None
            with pytest.raises(KezuriError, match="there is no"):
                archive.open_member(name)


def test_two_documents_of_one_name_are_refused(tmp_path: Path) -> None:
    data = Tarring().file("manifest.json", b"[]").file("./manifest.json", b"[1]").bytes()
    with pytest.raises(KezuriError, match=r"holds manifest\.json twice"):
        opened(tmp_path, data)
    # Of other members the last one counts, as when an archive is unpacked.
    with opened(tmp_path, Tarring().file("x", b"1").file("x", b"2").bytes()) as archive:
        assert archive.document("x", 9) == b"2"


def test_a_size_that_lies_is_a_cut_archive(tmp_path: Path) -> None:
    with pytest.raises(KezuriError, match="is cut off: 'd/b' should have 300000 bytes"):
        opened(tmp_path, PLAIN[:100_000])
    info = tarfile.TarInfo("vast")
    info.size = 1 << 60
    with pytest.raises(KezuriError, match="is cut off"):
        opened(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


def test_headers_without_end_are_refused(tmp_path: Path) -> None:
    """Python's reader would take all of it into memory."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 64 << 20
    path = tmp_path / "archive"
    with path.open("wb") as file:
        file.write(info.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(65 << 20)
    with pytest.raises(NoArchive, match="not a tar archive, or a damaged one"):
        ArchiveFile.open(str(path))


def test_long_names_are_not_kept(tmp_path: Path) -> None:
    """An archive that is a few kilobytes compressed would fill the memory with them."""
    members = [(f"{n}/" + "x" * 500_000, b"") for n in range(40)]
    data = tar_of(*members, ("a", b"first"))
    tracemalloc.start()
    try:
        with opened(tmp_path, data) as archive:
            assert archive.document("a", 100) == b"first"
            assert archive.size(members[0][0]) is None
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("data", [b"", b"hello" * 1000, b"\0" * 100, gzip.compress(b"no tar" * 500)])
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(NoArchive):
        opened(tmp_path, data)


def test_a_bomb_stops_before_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs

    def little(path: Any) -> Any:
        class Small:
            f_bavail, f_frsize = 1, real(path).f_frsize

        return Small

    monkeypatch.setattr(os, "statvfs", little)
    monkeypatch.setattr(module, "_MARGIN", 1 << 20)
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb") as packed:
        info = tarfile.TarInfo("zeros")
        info.size = 8 << 20
        packed.write(info.tobuf() + bytes(info.size))
    with pytest.raises(KezuriError, match="unpacks to more than 1048576 bytes"):
        opened(tmp_path, bomb.getvalue())


def test_a_cut_compressed_archive_says_so(tmp_path: Path) -> None:
    with pytest.raises(KezuriError, match="gzip: truncated"):
        opened(tmp_path, gzip.compress(PLAIN)[:-2000])
