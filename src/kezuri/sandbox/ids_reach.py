"""What a waiting call is about: the paths, files and memory of the process that made it, as that process means them.

Whoever uses this works with the step's root as its own, so that a path leads it to what it leads the step to, and to
nothing else, whoever changes it meanwhile. Its working directory is a /proc of its own PID namespace, which the step
can neither see nor name.
"""

import errno
import os
import struct
from typing import Final

from kezuri.linux import links
from kezuri.linux.intercept import Call, Listener

AT_HERE: Final = -100
AT_NOFOLLOW: Final = 0x100
AT_EMPTY_PATH: Final = 0x1000
_PAGE, _MOST_PATH = 4096, 4096


class Reach:
    """Finds what calls name. Operations give OSError, with which the call may fail."""

    def __init__(self, calls: Listener, root: int, proc: int) -> None:
        """`root` and `proc` are descriptors of the step's root and of a /proc of this process's PID namespace."""
        self._calls = calls
        self._proc = proc
        os.fchdir(proc)
        self._device = os.fstat(root).st_dev
        self._mount = _mount(root)
        self._change_root(root)

    def is_ours(self, fd: int, device: int = -1) -> bool:
        """Whether an open file, which has this device number, is of the step's root and of no mount in it."""
        return device == self._device or _mount(fd) == self._mount

    def opened(self, call: Call, directory: int, pointer: int | None, flags: int) -> int:
        """An O_PATH descriptor of what a call names."""
        if pointer is None:
            if directory < 0:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            return self.file(call, directory)
        if flags & ~(AT_NOFOLLOW | AT_EMPTY_PATH) & 0xFFFFFFFF:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        path = self.text(call, pointer)
        if not path:
            if not flags & AT_EMPTY_PATH:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            return self.file(call, directory)
        mode = os.O_PATH | os.O_CLOEXEC | (os.O_NOFOLLOW if flags & AT_NOFOLLOW else 0)
        if not flags & AT_NOFOLLOW or b"/" in path:
            self.take_root(call)
        return self._walk(call, directory, path, mode)

    def seen(self, call: Call, directory: int, pointer: int | None, flags: int) -> tuple[bytes, bool]:
        """A path by which we see what a call names, and whether a link there is to be followed. Use it
        at once: the process may change what is there."""
        path = self.text(call, pointer) if pointer is not None else b""
        at = b"%d/cwd" % call.thread if directory == AT_HERE else b"%d/fd/%d" % (call.thread, directory)
        if not path:
            if pointer is not None and not flags & AT_EMPTY_PATH:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            return at, True
        follow = not flags & AT_NOFOLLOW
        if follow or b"/" in path:
            self.take_root(call)
        return (path if path.startswith(b"/") else at + b"/" + path), follow

    def _walk(self, call: Call, directory: int, path: bytes, mode: int) -> int:
        """Open a path as the call's process would."""
        if path.startswith(b"/"):
            return self._open(call, path, mode)
        base = self.file(call, directory)
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
                return self.status(call, "NStgid").split()[-1]
            if inside == "proc/thread-self":
                return f"self/task/{self.status(call, 'NSpid').split()[-1]}"
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

    def above(self, call: Call, directory: int, pointer: int) -> tuple[int, bytes]:
        """A descriptor of the directory in which a path's last component lies, and that component."""
        path = self.text(call, pointer)
        head, slash, name = path.rpartition(b"/")
        if not name:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self.take_root(call)
        return self._walk(call, directory, head + slash or b".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), name

    def file(self, call: Call, number: int) -> int:
        """An O_PATH descriptor of an open file of the process, or of its working directory."""
        name = "cwd" if number == AT_HERE else f"fd/{number}"
        try:
            return os.open(f"{call.thread}/{name}", os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None

    def take_root(self, call: Call) -> None:
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

    def check(self, call: Call) -> None:
        """ESRCH when the call does not wait any more: what was found out may be of another process then. This comes
        after the finding out, and before anything is done."""
        if not self._calls.is_waiting(call):
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))

    def text(self, call: Call, pointer: int) -> bytes:
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

    def numbers_at(self, call: Call, pointer: int, form: str) -> tuple[int, ...]:
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

    def put(self, call: Call, pairs: list[tuple[int, bytes]]) -> None:
        """Write bytes at addresses of the process."""
        memory = os.open(f"{call.thread}/mem", os.O_RDWR | os.O_CLOEXEC)
        try:
            self.check(call)
            for pointer, data in pairs:
                if os.pwrite(memory, data, pointer) != len(data):
                    raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
        except OSError as e:
            raise OSError(errno.EFAULT if e.errno == errno.EIO else e.errno or errno.EFAULT, e.strerror) from None
        finally:
            os.close(memory)

    def status(self, call: Call, field: str) -> str:
        with open(f"{call.thread}/status") as f:
            for line in f:
                name, _, value = line.partition(":")
                if name == field:
                    return value.strip()
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))


def _mount(fd: int) -> bytes:
    """The number of the mount that an open file is on; the working directory is a /proc. Device numbers do not tell:
    an overlay shows several."""
    about = os.open(f"self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(about, 512).partition(b"mnt_id:")[2].split(maxsplit=1)[0]
    finally:
        os.close(about)
