"""What it means that standard output cannot be written: one answer, for a container's output and for our own."""

import errno
import os
from collections.abc import Iterator

import pytest

from kezuri.app.standard import Relay, lost_output
from kezuri.cli.outlet import Outlet, conclude
from kezuri.diagnostics import KezuriError


@pytest.fixture
def full() -> Iterator[int]:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def broken() -> Iterator[int]:
    """A pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def test_what_a_loss_means() -> None:
    left, wanted = lost_output(OSError(errno.EPIPE, "x")), lost_output(OSError(errno.ENOSPC, "disk full"))
    assert left is not None and (left.exit_code, left.diagnostics) == (141, ())
    assert wanted is not None and wanted.exit_code == 125 and "disk full" in str(wanted)
    assert lost_output(OSError(errno.EBADF, "x")) is None


class TestOutlet:
    def end(self, descriptor: int, code: int = 0) -> tuple[int, str]:
        reader, writer = os.pipe()
        out, err = Outlet(descriptor, "utf-8", prompt=False), Outlet(writer, "utf-8", prompt=True)
        out.write("result\n")
        code = conclude(code, out, err)
        os.close(writer)
        with open(reader) as said:
            return code, said.read()

    def test_a_full_disk(self, full: int) -> None:
        said = "error: cannot write to standard output: No space left on device\n"
        assert self.end(full) == (125, said) and self.end(full, 1) == (1, said)

    def test_a_reader_that_has_left(self, broken: int) -> None:
        assert self.end(broken) == (141, "") and self.end(broken, 1) == (1, "")

    def test_a_stream_that_was_closed(self) -> None:
        closed = os.dup(0)
        os.close(closed)
        assert self.end(closed) == (0, "")


class TestRelay:
    """The descriptors are the process's own 1 and 2: each case is a child's."""

    def end(self, descriptor: int, code: int = 0) -> int:
        child = os.fork()
        if child == 0:
            try:
                os.dup2(descriptor, 1)
                relay = Relay()
                relay(1, b"words\n")
                relay(1, b"more\n")
                os._exit(relay.conclude(code))
            except KezuriError as error:
                os._exit(error.exit_code)
            finally:
                os._exit(99)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def test_a_full_disk_is_told_after_a_container_that_ended_well(self, full: int) -> None:
        assert self.end(full) == 125 and self.end(full, 3) == 3

    def test_a_reader_that_has_left_ends_the_container(self, broken: int) -> None:
        assert self.end(broken) == 141 and self.end(broken, 3) == 141
