"""Answers what a step asks of owners and ids where the kernel knows a single one: a process beside the step.

The step's processes are root of a user namespace with one id, and the kernel refuses to give files to others or to
become another. This process does in the kernel's place what can be done: it records owners beside the files
(`linux/recorded.py`), and remembers which ids each process believes to have.

It works with the step's root as its own, so that a path leads it to what it leads the step to, and to nothing else. Its
working directory is a /proc of its own PID namespace, which the step can neither see nor name.
"""

import errno
import fcntl
import os
import resource
import select
import stat
import struct
from collections.abc import Callable
from functools import partial
from typing import Final, NoReturn

from kezuri.linux import links, namespaces, privileges, recorded, status, syscalls
from kezuri.linux.intercept import Call, Listener
from kezuri.linux.mounts import MS_NODEV, MS_NOEXEC, MS_NOSUID, NewMount
from kezuri.linux.recorded import Record
from kezuri.sandbox import ids_filter
from kezuri.sandbox.credentials import SAME, Credentials
from kezuri.sandbox.seccomp import AUDIT, WITH

_LIMIT: Final = 10  # RLIMIT_LOCKS
_FIRST: Final = 0x6B7A_0000_0000
"""A limit that the kernel has not heeded since Linux 2.4 is inherited like the ids of a process. So it says which of
the credentials that were seen a process has: its soft value less this one."""
_MOST_CREDENTIALS = 1 << 10
_MOST_GROUPS = 1 << 10

_AT_HERE, _AT_EMPTY_PATH, _AT_NOFOLLOW = -100, 0x1000, 0x100
_PAGE, _MOST_PATH = 4096, 4096
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

_SHORT = frozenset(
    (AUDIT["i386"], number) for name, number in syscalls.table("i386").items() if f"{name}32" in syscalls.table("i386")
)
"""The calls of i386 whose ids have 16 bits: each has a younger one with 32."""

Handler = Callable[[Call], int | None]
"""Gives what the call returns, None when the kernel shall perform it; OSError with what it fails with."""


def start(listener: int, root: int, gid: int, *groups: int) -> int:
    """Start the process that answers the calls that `listener` hears of; its number. `root` is the step's root, `gid`
    and `groups` are those with which the step begins. Both descriptors stay the caller's. OSError when it cannot be
    started."""
    here = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        # Not into the step's PID namespace, which is that of the supervisor's children.
        namespaces.enter(here, namespaces.NEWPID)
    finally:
        os.close(here)
    pid = os.fork()
    if pid == 0:
        _serve(listener, root, Credentials((0, 0, 0), (gid, gid, gid), groups))
    return pid


def _serve(listener: int, root: int, first: Credentials) -> NoReturn:
    try:
        proc = _own_proc()
        # Out of the way of the three numbers that are taken.
        for number, fd in enumerate([fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (listener, root, proc)]):
            os.dup2(fd, 3 + number, inheritable=False)
        privileges.close_from(6)
        kept = privileges.permitted() & privileges.mask(_KEPT)
        privileges.set_capabilities(kept, kept, 0)
        with Listener(3) as calls:
            Keeper(calls, 4, 5, first).serve()
    finally:
        os._exit(0)


def _own_proc() -> int:
    """A directory that shows the processes of this PID namespace; it is mounted nowhere."""
    with NewMount("proc") as new:
        return new.detached(MS_NOSUID | MS_NODEV | MS_NOEXEC)


class Keeper:
    """Answers calls until the last process of the step has ended."""

    def __init__(self, calls: Listener, root: int, proc: int, first: Credentials) -> None:
        """`root` and `proc` are descriptors of the step's root and of a /proc of this process's PID namespace; `first`
        is what the step begins with."""
        self._calls = calls
        self._proc = proc
        self._first = first
        self._known: list[Credentials] = []
        self._numbers: dict[Credentials, int] = {}
        self._handlers = self._table()
        os.fchdir(proc)
        self._device = os.fstat(root).st_dev
        self._mount = _mount(root)
        self._change_root(root)

    def serve(self) -> None:
        """Answer; returns when nobody is left who could ask."""
        poll = select.poll()
        poll.register(self._calls.fd, select.POLLIN)
        while True:
            ((_, events),) = poll.poll()
            if not events & select.POLLIN:
                return
            call = self._calls.receive()
            if call is not None:
                self._answer(call)

    def _answer(self, call: Call) -> None:
        handler = self._handlers.get((call.machine, call.number))
        try:
            value = handler(call) if handler is not None else None
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

    def _table(self) -> dict[tuple[int, int], Handler]:
        """What answers each call: by the machine's code and the number of the call."""
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
            "chown": lambda call: self._chown(call, _AT_HERE, call.arguments[0], 1, 0),
            "lchown": lambda call: self._chown(call, _AT_HERE, call.arguments[0], 1, _AT_NOFOLLOW),
            "fchown": lambda call: self._chown(call, _number(call, 0), None, 1, 0),
            "fchownat": lambda call: self._chown(call, _number(call, 0), call.arguments[1], 2, call.arguments[4]),
            "mknod": lambda call: self._mknod(call, _AT_HERE, 0),
            "mknodat": lambda call: self._mknod(call, _number(call, 0), 1),
            "getresuid": lambda call: self._tell(call, lambda held: held.users),
            "getresgid": lambda call: self._tell(call, lambda held: held.groups),
            "getgroups": self._tell_groups,
            "stat": lambda call: self._look(call, _AT_HERE, call.arguments[0], 0, call.arguments[1]),
            "lstat": lambda call: self._look(call, _AT_HERE, call.arguments[0], _AT_NOFOLLOW, call.arguments[1]),
            "fstat": lambda call: self._look(call, _number(call, 0), None, 0, call.arguments[1]),
            "newfstatat": lambda call: self._look(
                call, _number(call, 0), call.arguments[1], call.arguments[3], call.arguments[2]
            ),
            "statx": self._look_at_all,
        }
        handlers.update((name, partial(self._change, change=change)) for name, change in changes.items())
        handlers.update((name, partial(self._ask, question=question)) for name, question in questions.items())
        table: dict[tuple[int, int], Handler] = {}
        for machine in WITH[os.uname().machine]:
            numbers = syscalls.table(machine)
            for name in ids_filter.HANDED_OVER & numbers.keys():
                table[AUDIT[machine], numbers[name]] = handlers[name.removesuffix("32")]
        return table

    # owners

    def _chown(self, call: Call, directory: int, pointer: int | None, at: int, flags: int) -> int:
        """chown(2) and its kin; `at` is where the ids stand among the arguments."""
        uid, gid = _id(call, at), _id(call, at + 1)
        fd = self._opened(call, directory, pointer, flags)
        try:
            self._check(call)
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
        ours = looked.st_dev == self._device or _mount(fd) == self._mount
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
        above, name = self._above(call, directory, call.arguments[at])
        try:
            self._check(call)
            if _mount(above) != self._mount:
                raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
            mask = int(self._status(call, "Umask"), 8)
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
        self._put(call, [(to, data)])
        return 0

    def _recorded(
        self, call: Call, directory: int, pointer: int | None, flags: int
    ) -> tuple[bytes | str, bool, Record] | None:
        """Where we see the file that a call names, whether a link is followed there, and its record; None when it has
        none, or when the kernel knows better what is wrong."""
        path = self._text(call, pointer) if pointer is not None else b""
        at = f"{call.thread}/cwd" if directory == _AT_HERE else f"{call.thread}/fd/{directory}"
        where: bytes | str
        follow = True
        if not path:
            if (directory < 0 and directory != _AT_HERE) or (pointer is not None and not flags & _AT_EMPTY_PATH):
                return None
            where = at
        else:
            follow = not flags & _AT_NOFOLLOW
            if follow or b"/" in path:
                self._take_root(call)
            where = path if path.startswith(b"/") else at.encode() + b"/" + path
        try:
            names = os.listxattr(where, follow_symlinks=follow)
            if recorded.OWNER not in names and recorded.CAPABILITY not in names:
                return None
            record = recorded.read(where, os.stat(where, follow_symlinks=follow).st_mode, follow)
        except OSError:
            return None
        return (where, follow, record) if record != recorded.NOTHING else None

    # paths

    def _opened(self, call: Call, directory: int, pointer: int | None, flags: int) -> int:
        """An O_PATH descriptor of what a call names."""
        if pointer is None:
            if directory < 0:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            return self._file(call, directory)
        if flags & ~(_AT_NOFOLLOW | _AT_EMPTY_PATH) & 0xFFFFFFFF:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        path = self._text(call, pointer)
        if not path:
            if not flags & _AT_EMPTY_PATH:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            return self._file(call, directory)
        mode = os.O_PATH | os.O_CLOEXEC | (os.O_NOFOLLOW if flags & _AT_NOFOLLOW else 0)
        if not flags & _AT_NOFOLLOW or b"/" in path:
            self._take_root(call)
        return self._walk(call, directory, path, mode)

    def _walk(self, call: Call, directory: int, path: bytes, mode: int) -> int:
        """Open a path as the call's process would."""
        if path.startswith(b"/"):
            return self._open(call, path, mode)
        base = self._file(call, directory)
        try:
            return os.open(path, mode, dir_fd=base)
        finally:
            os.close(base)

    def _open(self, call: Call, path: bytes, mode: int) -> int:
        try:
            return os.open(path, mode)
        except FileNotFoundError:
            # A link may lead through /proc/self, which is another directory for us: /dev/stdout does.
            real = self._real(call, os.fsdecode(path))
            if os.fsencode(real) == os.path.normpath(path):
                raise
            return os.open(real, mode)

    def _real(self, call: Call, path: str) -> str:
        """The path with each link followed, those of the process's own directory of /proc as for that process."""

        def target(inside: str, more: bool) -> str | None:
            if inside == "proc/self":
                return self._status(call, "NStgid").split()[-1]
            if inside == "proc/thread-self":
                return f"self/task/{self._status(call, 'NSpid').split()[-1]}"
            if inside.startswith("proc/"):
                return None
            try:
                return os.readlink(f"/{inside}")
            except OSError:
                return None

        try:
            return f"/{links.follow(path, target)}"
        except links.TooManyLinks:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None

    def _above(self, call: Call, directory: int, pointer: int) -> tuple[int, bytes]:
        """A descriptor of the directory in which a path's last component lies, and that component."""
        path = self._text(call, pointer)
        head, slash, name = path.rpartition(b"/")
        if not name:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._take_root(call)
        return self._walk(call, directory, head + slash or b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), name

    def _file(self, call: Call, number: int) -> int:
        """An O_PATH descriptor of an open file of the process, or of its working directory."""
        name = "cwd" if number == _AT_HERE else f"fd/{number}"
        try:
            return os.open(f"{call.thread}/{name}", os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None

    def _take_root(self, call: Call) -> None:
        """Make the process's root our own, unless it is already."""
        root = os.stat(f"{call.thread}/root")
        if (root.st_dev, root.st_ino) == self._root:
            return
        fd = os.open(f"{call.thread}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._change_root(fd)
        finally:
            os.close(fd)

    def _change_root(self, root: int) -> None:
        os.fchdir(root)
        try:
            os.chroot(".")
        finally:
            os.fchdir(self._proc)
        looked = os.fstat(root)
        self._root = (looked.st_dev, looked.st_ino)

    def _check(self, call: Call) -> None:
        """ESRCH when the call does not wait any more: what was found out may be of another process then. This comes
        after the finding out, and before anything is done."""
        if not self._calls.is_waiting(call):
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    # what a process knows

    def _text(self, call: Call, pointer: int) -> bytes:
        """The path at an address of the process."""
        memory = os.open(f"{call.thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = b""
            while len(text) <= _MOST_PATH:
                at = pointer + len(text)
                piece = os.pread(memory, _PAGE - at % _PAGE, at)
                if not piece:
                    break
                end = piece.find(b"\0")
                if end >= 0:
                    text += piece[:end]
                    break
                text += piece
        except OSError as e:
            if e.errno != errno.EIO:
                raise
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT)) from None
        finally:
            os.close(memory)
        if len(text) >= _MOST_PATH:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
        return text

    def _numbers_at(self, call: Call, pointer: int, form: str) -> tuple[int, ...]:
        size = struct.calcsize(form)
        memory = os.open(f"{call.thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = os.pread(memory, size, pointer) if size else b""
        except OSError:
            data = b""
        finally:
            os.close(memory)
        if len(data) != size:
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        return struct.unpack(form, data)

    def _put(self, call: Call, pairs: list[tuple[int, bytes]]) -> None:
        """Write bytes at addresses of the process."""
        memory = os.open(f"{call.thread}/mem", os.O_RDWR | os.O_CLOEXEC)
        try:
            self._check(call)
            for pointer, data in pairs:
                if os.pwrite(memory, data, pointer) != len(data):
                    raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        except OSError as e:
            raise OSError(errno.EFAULT if e.errno == errno.EIO else e.errno or errno.EFAULT, e.strerror) from None
        finally:
            os.close(memory)

    def _status(self, call: Call, field: str) -> str:
        with open(f"{call.thread}/status") as f:
            for line in f:
                name, _, value = line.partition(":")
                if name == field:
                    return value.strip()
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

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
        self._check(call)
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
        self._put(call, [(pointer, struct.pack(form, _narrowed(call, number))) for pointer, number in places])
        return 0

    def _groups(self, call: Call) -> tuple[int, ...]:
        count = call.arguments[0] & 0xFFFFFFFF
        if count > _MOST_GROUPS:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return self._numbers_at(call, call.arguments[1], f"={count}{_width(call)}")

    def _tell_groups(self, call: Call) -> int | None:
        held = self._held(call) or self._first
        room = _number(call, 0)
        groups = held.supplementary
        if room < 0 or 0 < room < len(groups):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if room and groups:
            data = struct.pack(f"={len(groups)}{_width(call)}", *(_narrowed(call, number) for number in groups))
            self._put(call, [(call.arguments[1], data)])
        return len(groups)


def _mount(fd: int) -> bytes:
    """The number of the mount that an open file is on; the working directory is a /proc. Device numbers do not tell:
    an overlay shows several."""
    about = os.open(f"self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(about, 512).partition(b"mnt_id:")[2].split(maxsplit=1)[0]
    finally:
        os.close(about)


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
