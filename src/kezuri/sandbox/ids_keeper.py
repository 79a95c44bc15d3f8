"""Answers what a step asks of owners and ids where the kernel knows a single one: a process beside the step.

The step's processes are root of a user namespace with one id, and the kernel refuses to give files to others or to
become another. This process does in the kernel's place what can be done: it records owners beside the files
(`linux/recorded.py`), shows them to those who ask what a file is like, and remembers which ids each process believes to
have. Its root becomes the step's (`ids_reach.py`).
"""

import errno
import os
import resource
import stat
import struct
from collections.abc import Callable
from functools import partial
from typing import Final

from kezuri.linux import recorded, status, syscalls
from kezuri.linux.intercept import Call, Listener
from kezuri.linux.recorded import Record
from kezuri.sandbox import answering, ids_filter
from kezuri.sandbox.credentials import SAME, Credentials
from kezuri.sandbox.ids_reach import AT_HERE, AT_NOFOLLOW, Reach
from kezuri.sandbox.seccomp import AUDIT, WITH

_LIMIT: Final = 10  # RLIMIT_LOCKS
_FIRST: Final = 0x6B7A_0000_0000
"""A limit that the kernel has not heeded since Linux 2.4 is inherited like the ids of a process. So it says which of
the credentials that were seen a process has: its soft value less this one."""
_MOST_CREDENTIALS = 1 << 10
_MOST_GROUPS = 1 << 10

_MISSED = (errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EOVERFLOW)
"""Errors of a chown that root would not have got."""
_KEPT = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "SETFCAP",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_RESOURCE",
)

_I386 = syscalls.table("i386")
_SHORT = frozenset((AUDIT["i386"], number) for name, number in _I386.items() if f"{name}32" in _I386)
"""The calls of i386 whose ids have 16 bits: each has a younger one with 32."""

_NAMES = {
    (AUDIT[machine], number): name.removesuffix("32")
    for machine in WITH.get(os.uname().machine, ())
    for name, number in syscalls.table(machine).items()
    if name in ids_filter.HANDED_OVER
}
"""What is called, by the machine's code and the number of the call. Worked out where this module is loaded: once."""

Handler = Callable[[Call], int | None]
"""Gives what the call returns, None when the kernel shall perform it; OSError with what it fails with."""


def start(listener: int, root: int, gid: int, *groups: int, here: int = -1) -> int:
    """Start the process that answers the calls that `listener` hears of; its number. `root` is the step's root, `gid`
    and `groups` are those with which the step begins. Both descriptors stay the caller's, and so does `here`,
    the caller's own PID namespace, which is given where /proc does not show it. OSError when it cannot be started."""
    first = Credentials((0, 0, 0), (gid, gid, gid), groups)
    return answering.started(lambda: _serve(listener, root, first), here)


def _serve(listener: int, root: int, first: Credentials) -> None:
    answering.keep((listener, root, answering.own_proc()), _KEPT)
    with Listener(3) as calls:
        Keeper(calls, 4, 5, first).serve()


class Keeper:
    """Answers calls until the last process of the step has ended."""

    def __init__(self, calls: Listener, root: int, proc: int, first: Credentials) -> None:
        """`root` and `proc` are descriptors of the step's root and of a /proc of this process's PID namespace; `first`
        is what the step begins with."""
        self._calls = calls
        self._first = first
        self._known: list[Credentials] = []
        self._numbers: dict[Credentials, int] = {}
        self._handlers = self._named()
        self._reach = Reach(calls, root, proc)

    def serve(self) -> None:
        """Answer; returns when nobody is left who could ask."""
        for call in answering.calls_of(self._calls):
            self._answer(call)

    def _answer(self, call: Call) -> None:
        name = _NAMES.get((call.machine, call.number))
        try:
            value = self._handlers[name](call) if name is not None else None
        except OSError as e:
            self._calls.answer(call, error=e.errno or errno.EIO)
            return
        except (OverflowError, ValueError):
            self._calls.answer(call, error=errno.EFAULT)
            return
        if value is None:
            self._calls.go_on(call)
        else:
            self._calls.answer(call, value)

    def _named(self) -> dict[str, Handler]:
        """What answers each call, by its name."""
        changes: dict[str, Callable[[Credentials, Call], Credentials | None]] = {
            "setuid": lambda held, call: held.set_user(_id(call, 0)),
            "setgid": lambda held, call: held.set_group(_id(call, 0)),
            "setreuid": lambda held, call: held.set_two_users(_id(call, 0), _id(call, 1)),
            "setregid": lambda held, call: held.set_two_groups(_id(call, 0), _id(call, 1)),
            "setresuid": lambda held, call: held.set_users(_id(call, 0), _id(call, 1), _id(call, 2)),
            "setresgid": lambda held, call: held.set_groups(_id(call, 0), _id(call, 1), _id(call, 2)),
            "setgroups": lambda held, call: held.set_supplementary(self._groups(call)),
        }
        questions: dict[str, Callable[[Credentials], int]] = {
            "getuid": lambda held: held.users[0],
            "geteuid": lambda held: held.users[1],
            "getgid": lambda held: held.groups[0],
            "getegid": lambda held: held.groups[1],
            # What these two return is the id before; who wants to know whether they worked asks anew.
            "setfsuid": lambda held: held.users[1],
            "setfsgid": lambda held: held.groups[1],
        }
        handlers: dict[str, Handler] = {
            "chown": lambda call: self._chown(call, AT_HERE, call.arguments[0], 1, 0),
            "lchown": lambda call: self._chown(call, AT_HERE, call.arguments[0], 1, AT_NOFOLLOW),
            "fchown": lambda call: self._chown(call, _number(call, 0), None, 1, 0),
            "fchownat": lambda call: self._chown(call, _number(call, 0), call.arguments[1], 2, call.arguments[4]),
            "mknod": lambda call: self._mknod(call, AT_HERE, 0),
            "mknodat": lambda call: self._mknod(call, _number(call, 0), 1),
            "getresuid": lambda call: self._tell(call, lambda held: held.users),
            "getresgid": lambda call: self._tell(call, lambda held: held.groups),
            "getgroups": self._tell_groups,
            "stat": lambda call: self._look(call, AT_HERE, call.arguments[0], 0, call.arguments[1]),
            "lstat": lambda call: self._look(call, AT_HERE, call.arguments[0], AT_NOFOLLOW, call.arguments[1]),
            "fstat": lambda call: self._look(call, _number(call, 0), None, 0, call.arguments[1]),
            "newfstatat": lambda call: self._look(
                call, _number(call, 0), call.arguments[1], call.arguments[3], call.arguments[2]
            ),
            "statx": self._look_at_all,
        }
        for name in ("setgid", "setregid", "setresgid", "setgroups"):
            changes[name] = partial(_with_kept_rights, changes[name])
        handlers.update((name, partial(self._change, change=change)) for name, change in changes.items())
        handlers.update((name, partial(self._ask, question=question)) for name, question in questions.items())
        return handlers

    # owners

    def _chown(self, call: Call, directory: int, pointer: int | None, at: int, flags: int) -> int:
        """chown(2) and its kin; `at` is where the ids stand among the arguments."""
        uid, gid = _id(call, at), _id(call, at + 1)
        fd = self._reach.opened(call, directory, pointer, flags)
        try:
            self._reach.check(call)
            self._give(fd, uid, gid)
        finally:
            os.close(fd)
        return 0

    def _give(self, fd: int, uid: int, gid: int) -> None:
        """Give the file behind an O_PATH descriptor to these ids."""
        looked = os.fstat(fd)
        mode = looked.st_mode
        here = f"self/fd/{fd}"
        # A file of another mount is of no layer: nobody would read the record.
        ours = self._reach.is_ours(fd, looked.st_dev)
        try:
            new = Record(uid, gid)
            # What is known is part of what will be, where an id stays, or an empty file stands for a device.
            if ours and (uid == SAME or gid == SAME or (stat.S_ISREG(mode) and not looked.st_size)):
                old = recorded.read(here, mode, follow=True)
                new = old._replace(uid=old.uid if uid == SAME else uid, gid=old.gid if gid == SAME else gid)
            # What the kernel does at each chown is done here, too: set-id bits and capabilities go, and the overlay
            # copies the file up. With the capabilities goes the record of a link or a node.
            os.chown(here, -1 if uid == SAME else 0, -1 if gid == SAME else 0)
            if ours:
                recorded.write(here, mode, new, follow=True)
        except OSError as e:
            if e.errno not in _MISSED:
                raise

    def _mknod(self, call: Call, directory: int, at: int) -> int | None:
        """Make an empty file that stands for the device in the layer. No step could open the device anyway."""
        mode, number = _number(call, at + 1), call.arguments[at + 2] & 0xFFFFFFFF
        if not number:
            return None  # an overlay's own mark, or the kernel's refusal
        above, name = self._reach.above(call, directory, call.arguments[at])
        try:
            self._reach.check(call)
            if not self._reach.is_ours(above):
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
            mask = int(self._reach.status(call, "Umask"), 8)
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(name, flags, mode & 0o777 & ~mask, dir_fd=above)
            try:
                device = os.major(number), os.minor(number)
                recorded.write(fd, stat.S_IFREG, Record(0, 0, "char" if stat.S_ISCHR(mode) else "block", device))
            finally:
                os.close(fd)
        finally:
            os.close(above)
        return 0

    # what a file is like

    def _look(self, call: Call, directory: int, pointer: int | None, flags: int, to: int) -> int | None:
        """stat(2) and its kin."""
        found = self._recorded(call, directory, pointer, flags)
        if found is None:
            return None
        where, follow, record = found
        data = status.of(where, follow)
        return self._show(call, to, status.changed(data, record))

    def _look_at_all(self, call: Call) -> int | None:
        """statx(2)."""
        directory, flags = _number(call, 0), call.arguments[2] & 0xFFFFFFFF
        found = self._recorded(call, directory, call.arguments[1], flags)
        if found is None:
            return None
        where, follow, record = found
        data = status.all_of(where, follow, flags, call.arguments[3])
        return self._show(call, call.arguments[4], status.all_changed(data, record))

    def _show(self, call: Call, to: int, data: bytes) -> int:
        self._reach.put(call, [(to, data)])
        return 0

    def _recorded(
        self, call: Call, directory: int, pointer: int | None, flags: int
    ) -> tuple[bytes, bool, Record] | None:
        """Where we see the file that a call names, whether a link is followed there, and its record; None when it has
        none, or when the kernel knows better what is wrong."""
        try:
            where, follow = self._reach.seen(call, directory, pointer, flags)
            names = os.listxattr(where, follow_symlinks=follow)
            if recorded.OWNER not in names and recorded.CAPABILITY not in names:
                return None
            record = recorded.read(where, os.stat(where, follow_symlinks=follow).st_mode, follow)
        except OSError:
            return None
        return (where, follow, record) if record != recorded.NOTHING else None

    # ids

    def _held(self, call: Call) -> Credentials | None:
        """The credentials of the process; None as long as it has those that it began with."""
        number = resource.prlimit(call.thread, _LIMIT)[0] - _FIRST
        return self._known[number] if 0 <= number < len(self._known) else None

    def _change(self, call: Call, change: Callable[[Credentials, Call], Credentials | None]) -> int:
        """Let the process believe that its ids have changed."""
        held = self._held(call) or self._first
        new = change(held, call)
        if new is None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        if new == held:
            return 0
        number = self._numbers.get(new)
        if number is None:
            if len(self._known) >= _MOST_CREDENTIALS:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            number = self._numbers[new] = len(self._known)
            self._known.append(new)
        _, hard = resource.prlimit(call.thread, _LIMIT)
        self._reach.check(call)
        try:
            resource.prlimit(call.thread, _LIMIT, (_FIRST + number, hard))
        except ValueError:
            pass  # somebody has lowered the limit for good: the process goes on believing what it did
        return 0

    def _ask(self, call: Call, question: Callable[[Credentials], int]) -> int | None:
        held = self._held(call)
        return _narrowed(call, question(held)) if held is not None else None

    def _tell(self, call: Call, which: Callable[[Credentials], tuple[int, int, int]]) -> int | None:
        held = self._held(call)
        if held is None:
            return None
        form = f"={_width(call)}"
        places = zip(call.arguments[:3], which(held), strict=True)
        self._reach.put(call, [(pointer, struct.pack(form, _narrowed(call, number))) for pointer, number in places])
        return 0

    def _groups(self, call: Call) -> tuple[int, ...]:
        count = call.arguments[0] & 0xFFFFFFFF
        if count > _MOST_GROUPS:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return self._reach.numbers_at(call, call.arguments[1], f"={count}{_width(call)}")

    def _tell_groups(self, call: Call) -> int | None:
        held = self._held(call) or self._first
        room = _number(call, 0)
        groups = held.supplementary
        if room < 0 or 0 < room < len(groups):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if room and groups:
            data = struct.pack(f"={len(groups)}{_width(call)}", *(_narrowed(call, number) for number in groups))
            self._reach.put(call, [(call.arguments[1], data)])
        return len(groups)


def _with_kept_rights(
    change: Callable[[Credentials, Call], Credentials | None], held: Credentials, call: Call
) -> Credentials | None:
    """A change of groups by one who has become another user before. A process may have kept the right to it meanwhile
    (PR_SET_KEEPCAPS: setpriv does), which nobody can see. Root's own group stays out of reach: programs try that to see
    whether they gave everything up."""
    new = change(held, call)
    if new is not None:
        return new
    new = change(held._replace(users=(0, 0, 0)), call)
    if new is None or 0 in set(new.groups) - set(held.groups):
        return None
    return new._replace(users=held.users)


def _width(call: Call) -> str:
    """The ids of the call as struct has them."""
    return "H" if (call.machine, call.number) in _SHORT else "I"


def _narrowed(call: Call, number: int) -> int:
    """An id as the call can give it: one that does not fit is the overflow id."""
    return 65534 if number > 0xFFFF and (call.machine, call.number) in _SHORT else number


def _id(call: Call, at: int) -> int:
    """An argument that is an id; SAME for -1."""
    number = call.arguments[at] & 0xFFFFFFFF
    return SAME if number == 0xFFFF and (call.machine, call.number) in _SHORT else number


def _number(call: Call, at: int) -> int:
    """An argument that is an int."""
    number = call.arguments[at] & 0xFFFFFFFF
    return number - (1 << 32) if number & 0x80000000 else number
