"""Where outputs go: regular files are replaced whole, everything else is written through."""

import os
import pty
import signal
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.export.destination import check, destination, write_text

ROOT = os.geteuid() == 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_new_file_in_a_new_directory(tmp_path: Path) -> None:
    write_text(str(tmp_path / "a" / "b"), b"new")
    assert (tmp_path / "a" / "b").read_bytes() == b"new" and mode(tmp_path / "a" / "b") == 0o640
    assert os.listdir(tmp_path / "a") == ["b"]


def test_a_regular_file_is_replaced_whole_and_keeps_its_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a longer old text")
    path.chmod(0o604)
    owner = (7, 8) if ROOT else (os.getuid(), os.getgid())
    os.chown(path, *owner)
    before = path.stat().st_ino
    write_text(str(path), b"new")
    assert path.read_bytes() == b"new" and mode(path) == 0o604 and (path.stat().st_uid, path.stat().st_gid) == owner
    assert path.stat().st_ino != before and os.listdir(tmp_path) == ["f"]


def test_a_failed_output_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), destination(str(path)) as sink:
        sink.write(b"half")
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["f"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    target = tmp_path / "there" / "f"
    target.parent.mkdir()
    target.write_text("old")
    (tmp_path / "second").symlink_to("there/f")
    (tmp_path / "first").symlink_to(tmp_path / "second")
    write_text(str(tmp_path / "first"), b"new")
    assert target.read_bytes() == b"new" and (tmp_path / "first").is_symlink() and (tmp_path / "second").is_symlink()
    assert os.listdir(target.parent) == ["f"]


def test_a_link_to_nothing_makes_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("made")
    write_text(str(tmp_path / "link"), b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "made").read_bytes() == b"new"
    (tmp_path / "far").symlink_to("no/such/directory")
    with pytest.raises(KezuriError, match="far: No such file"):
        write_text(str(tmp_path / "far"), b"new")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(KezuriError, match="circle: Too many levels"):
        write_text(str(tmp_path / "circle"), b"new")


def test_a_file_with_other_names_is_written_in_place(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("a longer old text")
    os.link(tmp_path / "f", tmp_path / "same")
    write_text(str(tmp_path / "f"), b"new")
    assert (tmp_path / "same").read_bytes() == b"new" and sorted(os.listdir(tmp_path)) == ["f", "same"]


def test_a_file_whose_directory_takes_no_new_file_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_text("a longer old text")
    opened = os.open

    def refusing(name: str, flags: int, mode: int = 0o777, **more: int) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied")
        return opened(name, flags, mode, **more)

    monkeypatch.setattr(os, "open", refusing)
    write_text(str(path), b"new")
    assert path.read_bytes() == b"new"


def test_a_file_that_cannot_be_renamed_onto_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mounted"
    path.write_text("a longer old text")

    def busy(*_: object) -> None:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(os, "rename", busy)
    with destination(str(path)) as sink:
        sink.write(b"ne")
        sink.write(b"w")
    assert path.read_bytes() == b"new" and os.listdir(tmp_path) == ["mounted"]


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although its directory would let us, as root could in any case: hence the stand-in for the kernel's answer."""
    path = tmp_path / "f"
    path.write_text("old")
    opened = os.open

    def refusing(name: str, flags: int, mode: int = 0o777, **more: int) -> int:
        if name == str(path):
            raise PermissionError(13, "Permission denied")
        return opened(name, flags, mode, **more)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(KezuriError, match="f: Permission denied"):
        write_text(str(path), b"new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["f"]


def test_a_pipe_is_written_through(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    with destination(str(path)) as sink:
        sink.write(b"x" * 300_000)
    reader.join()
    assert got == [b"x" * 300_000] and stat.S_ISFIFO(path.stat().st_mode)


def test_a_pipe_whose_reader_goes_is_exit_code_141(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(KezuriError, match="stopped reading") as caught, destination(str(path)) as sink:
        os.close(reader)
        sink.write(b"x")
    assert caught.value.exit_code == 141 and stat.S_ISFIFO(path.stat().st_mode)


def test_a_pipe_that_does_not_wait_is_waited_for() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_inheritable(writer, True)
    got = bytearray()

    def read() -> None:
        while data := os.read(reader, 1 << 16):
            got.extend(data)

    thread = threading.Thread(target=read)
    thread.start()
    with destination(f"/proc/self/fd/{writer}") as sink:
        sink.write(b"x" * 1_000_000)
    os.close(writer)
    thread.join()
    os.close(reader)
    assert len(got) == 1_000_000


def test_a_socket_and_a_directory_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (f"{tmp_path}", f"{tmp_path}/link", f"{tmp_path}/new/"):
        with pytest.raises(KezuriError, match="is a directory"):
            check([(path, True)])
        with pytest.raises(KezuriError, match="is a directory"):
            write_text(path, b"")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{tmp_path}/s")
        with pytest.raises(KezuriError, match="is a socket"):
            write_text(f"{tmp_path}/s", b"")
    assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)
    (tmp_path / "file").write_text("")
    with pytest.raises(KezuriError, match="in the way"):
        write_text(f"{tmp_path}/file/x", b"")


def test_the_callers_descriptors_are_shared_not_opened_anew(tmp_path: Path) -> None:
    """So an appended file keeps what it has, whatever the name for the descriptor is."""
    log = tmp_path / "log"
    log.write_text("before\n")
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.set_inheritable(descriptor, True)
    (tmp_path / "link").symlink_to(f"/dev/fd/{descriptor}")
    names = (f"/dev/fd/{descriptor}", f"/proc/self/fd/{descriptor}", f"/proc/{os.getpid()}/fd/{descriptor}")
    for name in (*names, str(tmp_path / "link")):
        write_text(name, b"one\n")
    os.close(descriptor)
    assert log.read_text() == "before\n" + "one\n" * 4


def test_a_descriptor_of_our_own_is_none_of_the_callers(tmp_path: Path) -> None:
    with open(tmp_path / "store", "wb") as ours:
        for number in (ours.fileno(), 987):
            with pytest.raises(KezuriError, match="started without a descriptor"):
                check([(f"/dev/fd/{number}", False)])
            with pytest.raises(KezuriError, match="started without a descriptor"):
                write_text(f"/dev/fd/{number}", b"x")
    assert (tmp_path / "store").read_bytes() == b""


def test_an_archive_does_not_go_to_a_terminal() -> None:
    control, terminal = pty.openpty()
    os.set_inheritable(terminal, True)
    for name in (f"/dev/fd/{terminal}", os.ttyname(terminal)):
        with pytest.raises(KezuriError, match="terminal") as caught, destination(name) as sink:
            sink.write(b"x")
        assert caught.value.exit_code == 2
        write_text(name, b"sha256:1\n")
        assert os.read(control, 100) == b"sha256:1\r\n"
    with pytest.raises(KezuriError, match="terminal"):
        check([(f"/dev/fd/{terminal}", True)])
    os.close(control)
    os.close(terminal)


def test_a_file_in_a_directory_that_makes_none_is_written_in_place() -> None:
    name = Path("/proc/self/comm").read_bytes().rstrip(b"\n")
    write_text("/proc/self/comm", b"written")
    assert Path("/proc/self/comm").read_bytes() == b"written\n"
    write_text("/proc/self/comm", name)


def test_two_outputs_are_not_one_file(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    os.link(tmp_path / "one", tmp_path / "two")
    with pytest.raises(KezuriError, match="are one file"):
        check([(f"{tmp_path}/one", True), (f"{tmp_path}/two", False)])
    (tmp_path / "link").symlink_to("f")
    with pytest.raises(KezuriError, match="are one file"):
        check([(f"{tmp_path}/f", True), (f"{tmp_path}/link", False)])
    check([(f"{tmp_path}/f", True), (f"{tmp_path}/g", True), ("/dev/null", False), ("/dev/null", True)])
    assert sorted(os.listdir(tmp_path)) == ["link", "one", "two"]


def test_a_device_stays_a_device() -> None:
    before = os.stat("/dev/null")
    with destination("/dev/null") as sink:
        sink.write(b"x")
    with pytest.raises(KezuriError, match="no space left"), destination("/dev/full") as sink:
        sink.write(b"x")
    after = os.stat("/dev/null")
    assert stat.S_ISCHR(after.st_mode) and (before.st_ino, before.st_rdev) == (after.st_ino, after.st_rdev)


def test_what_a_killed_writer_left_goes_with_the_next(tmp_path: Path) -> None:
    target = tmp_path / "a.tar"
    others = [tmp_path / name for name in (".a.tar.0123456789ab.partly", ".b.tar.0123456789ab.part", ".a.tar.x.part")]
    for other in others:
        other.write_text("somebody's")
    (tmp_path / ".a.tar.0123456789ac.part").symlink_to(others[0])
    child = os.fork()
    if child == 0:
        with destination(str(target)) as sink:
            sink.write(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    before = set(tmp_path.iterdir())
    assert len(before) == 5
    write_text(str(target), b"whole")
    assert target.read_bytes() == b"whole"
    assert set(tmp_path.iterdir()) == {*others, tmp_path / ".a.tar.0123456789ac.part", target}
    assert all(other.read_text() == "somebody's" for other in others)


def test_one_that_still_writes_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "a.tar"
    with destination(str(target)) as sink:
        sink.write(b"first")
        write_text(str(target), b"second")
        (aside,) = (path for path in tmp_path.iterdir() if path != target)
        assert (aside.read_bytes(), target.read_bytes()) == (b"first", b"second")
    assert target.read_bytes() == b"first"
    # Were it taken all the same, nothing would be lost.
    with destination(str(target)) as sink:
        sink.write(b"third")
        (aside,) = tmp_path.glob(".a.tar.*.part")
        aside.unlink()
    assert target.read_bytes() == b"third"
