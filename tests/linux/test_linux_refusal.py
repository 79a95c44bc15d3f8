"""Every number of an error has words, and those that people meet have something to do."""

import errno
import os
import resource
import threading
from pathlib import Path

import pytest
from tests.users.users_child import in_child

from kezuri.linux.refusal import abridged, exhausted, refused


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_error_is_told_with_its_path(number: int) -> None:
    told = refused(OSError(number, os.strerror(number), "/some/where")).diagnostics[0].message
    assert "/some/where" in told
    assert os.strerror(number) in told or number in (errno.ENOSPC, errno.EDQUOT)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "kezuri prune"),
        (errno.EDQUOT, "kezuri prune"),
        (errno.EROFS, "--root"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EIO, "dmesg"),
        (errno.EFBIG, "ulimit -f"),
        (errno.ENAMETOOLONG, "4095"),
        (errno.ELOOP, "circle"),
    ],
)
def test_what_to_do(number: int, words: str) -> None:
    assert words in refused(OSError(number, "", "/x")).diagnostics[0].hint


def test_an_error_of_which_only_the_text_is_known() -> None:
    assert refused(OSError("it is so")).diagnostics[0].message == "it is so"
    assert refused(TimeoutError()).diagnostics[0].message == "TimeoutError"


def test_the_directory_that_is_gone_is_what_is_told_of(tmp_path: Path) -> None:
    def ask() -> str:
        os.chdir(tmp_path)
        tmp_path.rmdir()
        return refused(FileNotFoundError(errno.ENOENT, "No such file or directory")).diagnostics[0].message

    assert in_child(ask) == "the current directory was removed"


def test_a_long_path_keeps_its_ends() -> None:
    assert abridged("/short") == "/short"
    long = abridged("/begin" + "é" * 4000 + "/end")
    assert long.startswith("/begin") and "/end" in long and "(8010 bytes)" in long and len(long) < 300


def test_memory_that_has_run_out_is_told_with_its_limit() -> None:
    def act() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (300_000 << 10, resource.RLIM_INFINITY))
        try:
            bytearray(1 << 30)
        except MemoryError as error:
            told = exhausted(error)
            assert told is not None and told.exit_code == 125
            (said,) = told.diagnostics
            assert said.message == "memory has run out" and "300000 KiB" in said.hint and "ulimit -v" in said.hint

    in_child(act)


def test_a_thread_that_cannot_be_started_is_told_with_the_limit() -> None:
    def act() -> None:
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
        os.setgid(65534)
        os.setuid(65534)
        try:
            threading.Thread(target=print).start()
        except RuntimeError as error:
            told = exhausted(error)
            assert told is not None
            assert told.diagnostics[0].message == "no more threads can be started"
            assert "may have 1 processes" in told.diagnostics[0].hint
        else:
            raise AssertionError("it was started")

    if os.geteuid() != 0:
        pytest.skip("becomes another user, of whom nothing else runs")
    in_child(act)


def test_other_exceptions_are_no_exhaustion() -> None:
    assert exhausted(RuntimeError("dictionary changed size")) is None and exhausted(ValueError()) is None
