"""Owners in attributes: what is written is read, and nothing else is taken for it."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.linux import recorded
from kezuri.linux.recorded import NOTHING, Record

IDS = st.integers(0, (1 << 32) - 2)
NUMBERS = st.integers(0, (1 << 32) - 1)
KEPT = st.sampled_from([stat.S_IFREG | 0o644, stat.S_IFDIR | 0o2755])
NODES = st.sampled_from([stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o600])
DEVICES = st.builds(Record, IDS, IDS, st.sampled_from(["char", "block"]), st.tuples(NUMBERS, NUMBERS))


@given(st.one_of(KEPT, NODES), st.builds(Record, IDS, IDS, st.just(""), st.just((0, 0))))
def test_a_record_is_read_as_it_was_written(mode: int, record: Record) -> None:
    assert recorded.parsed(mode, recorded.written(mode, record)) == record


@given(DEVICES)
def test_an_empty_file_stands_for_a_device(record: Record) -> None:
    value = recorded.written(stat.S_IFREG, record)
    assert recorded.parsed(stat.S_IFREG, value) == record
    assert recorded.parsed(stat.S_IFDIR, value) == Record(record.uid, record.gid)


@given(st.one_of(KEPT, NODES), st.binary(max_size=30))
def test_any_bytes_are_a_record_or_none(mode: int, value: bytes) -> None:
    found = recorded.parsed(mode, value)
    assert found == NOTHING or recorded.parsed(mode, recorded.written(mode, found)) == found


@pytest.mark.parametrize("value", [b"", b"1", b"1:", b"-1:2", b"1:4294967295", b"1:2:x:1:2", b"1:2\n", b"\xd9\xa1:2"])
def test_what_is_no_record_is_none(value: bytes) -> None:
    assert recorded.parsed(stat.S_IFREG, value) == NOTHING


def test_capabilities_of_others_are_no_record() -> None:
    assert recorded.parsed(stat.S_IFLNK, bytes.fromhex("0000000200040000" + "00" * 12)) == NOTHING


def test_files_and_directories_keep_their_record(tmp_path: Path) -> None:
    for path in (tmp_path / "directory", tmp_path / "file"):
        path.mkdir() if path.name == "directory" else path.write_text("")
        mode = path.stat().st_mode
        assert recorded.read(str(path), mode) == NOTHING
        recorded.write(str(path), mode, Record(33, 44))
        assert recorded.read(str(path), mode) == Record(33, 44)
        recorded.write(str(path), mode, NOTHING)
        assert recorded.read(str(path), mode) == NOTHING and os.listxattr(path) == []


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, or a user namespace, to mark links")
def test_links_and_pipes_keep_their_record_under_every_name(tmp_path: Path) -> None:
    os.symlink("nowhere", tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        where = str(tmp_path / name)
        mode = os.lstat(where).st_mode
        recorded.write(where, mode, Record(1000, 1001))
        os.link(where, where + "2", follow_symlinks=False)
        os.rename(where, where + "3")
        assert recorded.read(where + "2", mode) == recorded.read(where + "3", mode) == Record(1000, 1001)
        recorded.write(where + "2", mode, NOTHING)
        assert recorded.read(where + "3", mode) == NOTHING
