"""Changes in directories, told by the kernel as they happen (inotify(7))."""

import errno
import os
import select
import struct
from types import TracebackType
from typing import NamedTuple, Self

from kezuri.linux import libc

_ATTRIB, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF = 0x400, 0x800
_UNMOUNT, _OVERFLOW, _IGNORED, _ONLYDIR, _ISDIR = 0x2000, 0x4000, 0x8000, 0x01000000, 0x40000000
_CHANGES = _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
_HEAD = struct.Struct("iIII")


class Change(NamedTuple):
    """Something at `path` is not what it was: written, renamed, made, removed, or its mode or owner changed.
    `appeared`: a directory that is new there. An empty path: the kernel lost count, and anything may have changed."""

    path: str
    appeared: bool = False


class Watcher:
    """Hears of changes of what directories hold. Use it in a `with`."""

    def __init__(self) -> None:
        self._fd = libc.call("inotify_init1", os.O_CLOEXEC | os.O_NONBLOCK)
        self._paths: dict[int, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def __len__(self) -> int:
        return len(self._paths)

    def add(self, directory: str) -> None:
        """Hear of this directory from now on; of one that is none, or is gone by now, there is nothing to hear. OSError
        (ENOSPC) when the kernel watches no more for this user."""
        try:
            number = libc.call("inotify_add_watch", self._fd, os.fsencode(directory), _CHANGES | _ONLYDIR)
        except OSError as e:
            if e.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP):
                return
            raise
        self._paths[number] = directory

    def changes(self, seconds: float) -> list[Change]:
        """What changed since the last time, waited for this long at most."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return []
        found: list[Change] = []
        while True:
            try:
                data = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return found
            at = 0
            while at < len(data):
                number, mask, _, length = _HEAD.unpack_from(data, at)
                at += _HEAD.size + length
                name = os.fsdecode(data[at - length : at].rstrip(b"\0"))
                found += self._change(number, mask, name)

    def _change(self, number: int, mask: int, name: str) -> list[Change]:
        if mask & _OVERFLOW:
            return [Change("")]
        directory = self._paths.get(number)
        if directory is None:
            return []
        if mask & _IGNORED:
            del self._paths[number]
            return []
        path = os.path.join(directory, name) if name else directory
        return [Change(path, bool(mask & _ISDIR and mask & (_CREATE | _MOVED_TO)))]
