"""Where an output goes: a regular file is replaced whole; a device, pipe or descriptor is written through."""

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import BinaryIO, cast

from kezuri.diagnostics import KezuriError
from kezuri.linux.descriptors import write_all
from kezuri.linux.disk import disk_error

STDOUT = "-"
"""The destination that stands for standard output."""
_MOST_LINKS = 40
_RANDOM = re.compile(r"[0-9a-f]{12}\.part")
_IN_THE_WAY = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV, errno.ENOENT)
"""Why a directory may refuse a new file or a rename although the file in it may be written: its mode, the sticky bit, a
read-only file system, a file that is a mount point; /proc makes no files."""


class _Sink:
    """A descriptor to write to, as the writers of archives want it. `name` is what a user calls it."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._name = name

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write everything; KezuriError when it cannot be taken, with exit code 141 when nobody reads any more."""
        try:
            write_all(self._descriptor, data)
        except BrokenPipeError as error:
            raise KezuriError.of(f"whoever read {self._name} stopped reading", exit_code=141) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                # The disk need not be the store's, for which disk_error has advice.
                raise KezuriError.of(
                    f"no space left on the device while writing {self._name}", exit_code=125
                ) from error
            raise disk_error(error, self._name) from error
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


@contextmanager
def destination(path: str, *, binary: bool = True) -> Iterator[BinaryIO]:
    """The output at a path, open for writing; KezuriError when it cannot be.

    Links are followed. `-`, /dev/stdout, /dev/fd/N and the like are the caller's own descriptors. A regular file is
    written aside and renamed, so that a failed export leaves the old one, and keeps its mode and owner; it is written
    in place where the directory takes no new file, or where a new file could not be all that the old one was (hard
    links, another owner, ACLs). Everything else is written through. A `binary` output does not go to a terminal.
    """
    name = _name(path)
    try:
        descriptor = _own_descriptor(path)
        if descriptor >= 0:
            with _opened(os.dup(descriptor), name, binary) as sink:
                yield sink
            return
        target, status = _target(path)
        if status is not None and not stat.S_ISREG(status.st_mode):
            with _through(target, name, binary) as sink:
                yield sink
            return
        if status is None and not os.path.islink(path):
            os.makedirs(os.path.dirname(target), exist_ok=True)
        with _regular(target, status, name) as sink:
            yield sink
    except OSError as error:
        raise disk_error(error, name) from error


def check(outputs: Sequence[tuple[str, bool]]) -> None:
    """KezuriError when one of the outputs (path, whether it is binary) cannot be written, as far as that is known
    before anything was made, or when two of them are the same regular file."""
    seen: dict[object, str] = {}
    for path, binary in outputs:
        descriptor = _own_descriptor(path)
        if descriptor >= 0:
            if binary:
                _refuse_terminal(descriptor, _name(path))
            continue
        try:
            target, status = _target(path)
        except OSError as error:
            raise disk_error(error, path) from error
        if status is None or stat.S_ISREG(status.st_mode):
            # Names of one file need not be equal: it may have several, or lie on a disk that is mounted twice.
            same = target if status is None else (status.st_dev, status.st_ino)
            if same in seen:
                raise KezuriError.of(
                    f"{seen[same]} and {path} are one file, and two outputs would go there",
                    hint="name a file for each",
                    exit_code=2,
                )
            seen[same] = path


def write_text(path: str, data: bytes) -> None:
    """Write a short text to a path as `destination` does."""
    with destination(path, binary=False) as sink:
        sink.write(data)


def _name(path: str) -> str:
    return "standard output" if path == STDOUT else path


def _own_descriptor(path: str) -> int:
    """Which of our descriptors the path stands for, through any links; -1 for none.

    Opening such a path anew would truncate a file that is appended to, and fails for sockets. A number that was not
    handed to this process by its caller is an error: it may be a descriptor of ours, the store's for one.
    """
    if path == STDOUT:
        return 1
    if not path.startswith("/dev/") and not path.startswith("/proc/") and not os.path.islink(path):
        return -1
    own = {os.path.realpath("/proc/self/fd"), os.path.realpath("/proc/thread-self/fd")}
    at = path
    for _ in range(_MOST_LINKS):
        head, tail = os.path.split(at)
        if tail.isdecimal() and os.path.realpath(head) in own:
            number = int(tail)
            try:
                handed = os.get_inheritable(number)
            except (OSError, OverflowError):
                handed = False
            if not handed:
                raise KezuriError.of(f"cannot write {path}: kezuri was started without a descriptor {tail}")
            return number
        try:
            at = os.path.join(head, os.readlink(at))
        except OSError:
            return -1
    return -1


def _target(path: str) -> tuple[str, os.stat_result | None]:
    """Where the path leads, without links, and what is there (None: nothing yet); KezuriError for a directory."""
    try:
        # The kernel follows the links first: it refuses those that strangers have put into /tmp (protected_symlinks).
        status: os.stat_result | None = os.stat(path)
    except FileNotFoundError:
        status = None
    except NotADirectoryError:
        raise KezuriError.of(
            f"the output file {path} cannot be written: a file is in the way of its directory"
        ) from None
    if (status is not None and stat.S_ISDIR(status.st_mode)) or not os.path.basename(path):
        raise KezuriError.of(
            f"the output file {path} is a directory", hint="name a file, or use type=oci,tar=false for a directory"
        )
    if status is not None and stat.S_ISSOCK(status.st_mode):
        raise KezuriError.of(f"the output file {path} is a socket", hint="name a file, a pipe or a device")
    return os.path.realpath(path), status


def _refuse_terminal(descriptor: int, name: str) -> None:
    if os.isatty(descriptor):
        raise KezuriError.of(
            f"this output would go to a terminal ({name})", hint="give it a dest=FILE, or redirect", exit_code=2
        )


@contextmanager
def _opened(descriptor: int, name: str, binary: bool) -> Iterator[BinaryIO]:
    try:
        if binary:
            _refuse_terminal(descriptor, name)
        yield cast(BinaryIO, _Sink(descriptor, name))
    finally:
        os.close(descriptor)


@contextmanager
def _through(target: str, name: str, binary: bool) -> Iterator[BinaryIO]:
    """A device or a pipe as it is; opening a pipe waits for its reader."""
    with _opened(os.open(target, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC), name, binary) as sink:
        yield sink


@contextmanager
def _regular(target: str, status: os.stat_result | None, name: str) -> Iterator[BinaryIO]:
    parent = os.path.dirname(target)
    head = f".{os.path.basename(target)[:200]}."
    aside = os.path.join(parent, f"{head}{os.urandom(6).hex()}.part")
    descriptor = _aside(aside, target, status)
    if descriptor < 0:
        with _in_place(target, name) as sink:
            yield sink
        return
    try:
        try:
            _is_held(descriptor)
            _sweep(parent, head)
            yield cast(BinaryIO, _Sink(descriptor, name))
            os.fsync(descriptor)
            try:
                os.rename(aside, target)
            except OSError as error:
                if error.errno not in _IN_THE_WAY:
                    raise
                with _in_place(target, name) as sink:
                    _copy(descriptor, sink.write)
        finally:
            os.close(descriptor)
    finally:
        try:
            os.unlink(aside)
        except FileNotFoundError:
            pass


def _aside(aside: str, target: str, status: os.stat_result | None) -> int:
    """A new file beside the target that can take its place; -1 when the target has to be written in place.

    OSError when the target may not be written at all.
    """
    if status is not None:
        os.close(os.open(target, os.O_WRONLY | os.O_CLOEXEC))
        if status.st_nlink > 1 or _has_attributes(target):
            return -1
    try:
        descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        if status is None or error.errno not in _IN_THE_WAY:
            raise
        return -1
    if status is not None:
        try:
            mine = os.fstat(descriptor)
            if (mine.st_uid, mine.st_gid) != (status.st_uid, status.st_gid):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, status.st_mode & 0o777)
        except OSError:
            os.close(descriptor)
            os.unlink(aside)
            return -1
    return descriptor


def _sweep(parent: str, head: str) -> None:
    """Remove what writers of the same file left aside when they were killed. One that lives holds its lock. Should its
    file be taken before it has the lock, it finds that out, and writes in place."""
    with suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            rest = entry.name.removeprefix(head)
            if rest == entry.name or not _RANDOM.fullmatch(rest):
                continue
            with suppress(OSError):
                descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
                try:
                    status = os.fstat(descriptor)
                    own = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
                    if own and not _is_held(descriptor):
                        os.unlink(entry.path)
                finally:
                    os.close(descriptor)


def _is_held(descriptor: int) -> bool:
    """Whether somebody else holds the file's lock; if not, we do from now on."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True  # perhaps this file system has no locks: then nobody knows
    return False


def _has_attributes(target: str) -> bool:
    try:
        return not set(os.listxattr(target)) <= {"security.selinux"}
    except OSError:
        return False  # this file system has none


@contextmanager
def _in_place(target: str, name: str) -> Iterator[BinaryIO]:
    with _opened(os.open(target, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC), name, False) as sink:
        yield sink


def _copy(descriptor: int, write: Callable[[bytes], int]) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    while data := os.read(descriptor, 1 << 20):
        write(data)
