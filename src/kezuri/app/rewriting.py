"""Files of the user's replaced, several in one transaction: all of them are as wanted, or all as they were."""

import errno
import json
import os
import re
import stat
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from time import time
from typing import Any, NamedTuple

from kezuri.diagnostics import KezuriError

_MOST = 16 << 20
_ASIDE = re.compile(r"\..*\.kezuri-[0-9a-f]{16}(-away)?", re.DOTALL)
"""What new files are called until they are in place; `-away` where the journal lies in another directory."""
_DAY = 86_400
_JOURNAL = re.compile(r"\.kezuri-fix-[0-9a-f]{16}\.json")


class Original(NamedTuple):
    """A file as it was read. `path` is where it lies, with no link left; `status` is what is kept of it."""

    path: str
    shown: str
    data: bytes
    status: os.stat_result


class Replacement(NamedTuple):
    """What a file is to become. `original` None: it is new, and `path` is where it will be."""

    path: str
    shown: str
    data: bytes
    original: Original | None = None


def read_original(path: str, shown: str) -> Original:
    """The file, links followed within its repository. KezuriError where it cannot be read, is no regular file, or is a
    link to somewhere else: a repository that was fetched must not say which other files of ours are written."""
    try:
        real = os.path.realpath(path, strict=True)
        descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise KezuriError.of(f"cannot read {shown}: {getattr(error, 'strerror', '') or error}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KezuriError.of(
                f"cannot mend {shown}: it is no regular file", hint="give its text on standard input: `check --fix -`"
            )
        if not _within(real, _grounds(path)):
            raise KezuriError.of(
                f"cannot mend {shown}: it is a link to {real}, outside of its repository", hint="name that file itself"
            )
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(_MOST + 1)
    finally:
        os.close(descriptor)
    if len(data) > _MOST:
        raise KezuriError.of(f"{shown} is larger than {_MOST >> 20} MiB")
    return Original(real, shown, data, status)


def _grounds(path: str) -> list[str]:
    """Where a file that is named by a path may lie: its repository; where there is none its directory, and the current
    one if it is named from there."""
    directory = at = os.path.dirname(os.path.abspath(path))
    while not os.path.lexists(f"{at}/.git"):
        if at == (above := os.path.dirname(at)):
            here = os.getcwd()
            return [directory, *((here,) if _within(directory, (here,)) else ())]
        at = above
    return [at]


def _within(path: str, directories: Iterable[str]) -> bool:
    roots = (os.path.realpath(directory).rstrip("/") for directory in directories)
    return any(path == root or path.startswith(f"{root}/") for root in roots)


def replace_all(replacements: Sequence[Replacement]) -> None:
    """Write the files, all of them or none. Each is replaced at once by a new one that has the mode, the owner and the
    attributes of the old one; where a file has several names, it is written through, so that it keeps them.

    KezuriError where a file is not what was read any more, or cannot be written: then nothing has changed. Two that do
    this at once wait for each other. What a killed process left half done is finished by whoever comes next.
    """
    if not replacements:
        return
    with ExitStack() as held:
        for directory in sorted({os.path.dirname(one.path) for one in replacements}):
            _lock(directory, held)
            _recover(directory)
        for one in replacements:
            _verify(one)
        _Transaction(replacements).run()


def recover(directories: Iterable[str]) -> None:
    """Finish what killed processes left half done in these directories; what cannot be finished is left alone."""
    for directory in sorted(set(directories)):
        with suppress(OSError, KezuriError):
            if any(_JOURNAL.fullmatch(name) or _ASIDE.fullmatch(name) for name in os.listdir(directory)):
                with ExitStack() as held:
                    _lock(directory, held)
                    _recover(directory)


def _lock(directory: str, held: ExitStack) -> None:
    import fcntl

    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise KezuriError.of(f"cannot write to {directory}: {error.strerror}") from None
    held.callback(os.close, descriptor)
    with suppress(OSError):  # Some file systems have no locks: then the last one wins, and finds the file changed.
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _verify(one: Replacement) -> None:
    if one.original is None:
        if os.path.lexists(one.path):
            raise KezuriError.of(f"{one.shown} has been made meanwhile", hint="run it again")
        return
    now = read_original(one.path, one.shown)
    if now.data != one.original.data or now.path != one.original.path:
        raise changed_meanwhile(one.shown)


def changed_meanwhile(shown: str) -> KezuriError:
    """The error for a file that somebody else has written since it was read."""
    return KezuriError.of(f"{shown} has changed while it was checked: nothing was written", hint="run it again")


class _Transaction:
    """One writing of several files; the locks are held."""

    def __init__(self, replacements: Sequence[Replacement]) -> None:
        self._replacements = replacements
        self._asides: list[tuple[str, Replacement]] = []
        self._done: list[Replacement] = []

    def run(self) -> None:
        journal = ""
        home = os.path.dirname(min(one.path for one in self._replacements))
        try:
            for one in self._replacements:
                self._asides.append((_prepare(one, "" if os.path.dirname(one.path) == home else "-away"), one))
            if len(self._asides) > 1 or any(_written_through(one) for _, one in self._asides):
                journal = self._write_journal(home)
            for aside, one in self._asides:
                _put(aside, one.path, _written_through(one))
                self._done.append(one)
            _sync({os.path.dirname(one.path) for one in self._replacements})
        except BaseException as error:
            self._undo()
            if isinstance(error, OSError):
                raise _refused(one, error) from None
            raise
        finally:
            for name in (*(aside for aside, _ in self._asides), journal):
                with suppress(OSError):
                    if name:
                        os.unlink(name)

    def _write_journal(self, directory: str) -> str:
        """What has to be done, once all of it lies ready: from here on the transaction will happen."""
        path = os.path.join(directory, f".kezuri-fix-{os.urandom(8).hex()}.json")
        steps = [[aside, one.path, _written_through(one)] for aside, one in self._asides]
        written = _new_file(path)
        with open(written, "wb") as file:
            file.write(json.dumps({"version": 1, "steps": steps}).encode())
            file.flush()
            os.fsync(written)
        _sync({directory})
        return path

    def _undo(self) -> None:
        for one in self._done:
            with suppress(OSError):
                if one.original is None:
                    os.unlink(one.path)
                else:
                    back = one._replace(data=one.original.data)
                    _put(_prepare(back), one.path, _written_through(one))


def _written_through(one: Replacement) -> bool:
    return one.original is not None and one.original.status.st_nlink > 1


def _new_file(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _prepare(one: Replacement, mark: str = "") -> str:
    """A complete new file beside the one that it will replace; its path."""
    directory, name = os.path.split(one.path)
    aside = os.path.join(directory, f".{name[:200]}.kezuri-{os.urandom(8).hex()}{mark}")
    try:
        descriptor = _new_file(aside)
    except OSError as error:
        raise _refused(one, error) from None
    try:
        with open(descriptor, "wb") as file:
            file.write(one.data)
            file.flush()
            if one.original is None:
                os.fchmod(descriptor, 0o666 & ~_umask())
            else:
                _keep(descriptor, one.original)
            os.fsync(descriptor)
    except BaseException as error:
        os.unlink(aside)
        if isinstance(error, OSError):
            raise _refused(one, error) from None
        raise
    return aside


def _keep(descriptor: int, original: Original) -> None:
    """Give the new file what the old one has. OSError where that is not allowed: it would be another user's then."""
    status, mine = original.status, os.fstat(descriptor)
    if (mine.st_uid, mine.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    try:
        names = os.listxattr(original.path)
    except OSError:
        return
    for name in names:
        try:
            os.setxattr(descriptor, name, os.getxattr(original.path, name))
        except OSError as error:
            # Labels of security modules are given by the system; what the user set is kept or nothing is written.
            if not name.startswith(("security.", "trusted.")) and error.errno != errno.ENODATA:
                raise


def _put(aside: str, target: str, through: bool) -> None:
    if not through:
        os.rename(aside, target)
        return
    with open(os.open(aside, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        data = file.read()
    descriptor = os.open(target, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        at = 0
        while at < len(data):
            at += os.pwrite(descriptor, data[at:], at)
        os.ftruncate(descriptor, len(data))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.unlink(aside)


def _recover(directory: str) -> None:
    """Finish the transactions that killed processes had begun to carry out, and remove what they had only prepared. The
    lock is held: nobody is at work here."""
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        if _JOURNAL.fullmatch(name):
            with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
                _finish(os.path.join(directory, name))
    for name in names:
        if _ASIDE.fullmatch(name):
            with suppress(OSError):
                path = os.path.join(directory, name)
                # The journal of what is away may be waiting for somebody who comes by there.
                if not name.endswith("-away") or os.lstat(path).st_mtime < time() - _DAY:
                    os.unlink(path)


def _finish(journal: str) -> None:
    """Do what is left of a transaction. It is believed only as far as its own files go: a journal can be anybody's."""
    with open(os.open(journal, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (os.geteuid(), 0):
            return
        said: dict[str, Any] = json.loads(file.read(1 << 20))
    for aside, target, through in said["steps"]:
        directory, name = os.path.split(str(aside))
        beside = directory == os.path.dirname(str(target)) and _ASIDE.fullmatch(name)
        if beside and name.startswith(f".{os.path.basename(str(target))[:200]}.") and os.path.lexists(aside):
            _put(str(aside), str(target), through is True)
    os.unlink(journal)


def _sync(directories: Iterable[str]) -> None:
    for directory in directories:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _umask() -> int:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o022


def _refused(one: Replacement, error: OSError) -> KezuriError:
    hint = "`--diff` shows what would be written"
    if error.errno in (errno.EBUSY, errno.EXDEV):
        hint = f"it is a mount point by itself: mount {os.path.dirname(one.path)} in its place"
    elif error.errno == errno.EPERM:
        hint = "the new file could not be given the owner and the attributes of the old one"
    return KezuriError.of(f"cannot write {one.shown}: {error.strerror}: nothing was written", hint=hint)
