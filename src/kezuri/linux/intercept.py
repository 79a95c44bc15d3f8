"""System calls that a filter hands over to another process, which answers in the kernel's place: seccomp_unotify(2)."""

import errno
import fcntl
import os
import struct
from typing import Final, NamedTuple

from kezuri.linux import libc

HAND_OVER: Final = 0x7FC00000
"""What a filter returns for a call that is handed over."""

_RECEIVE, _ANSWER, _IS_VALID, _SET_FLAGS = 0xC0502100, 0xC0182101, 0x40082102, 0x40082104
_GO_ON = 1
_NEW_LISTENER, _WAIT_KILLABLE = 0x08, 0x20
_SET_MODE_FILTER = 1
_SIZE = 80
_SECCOMP = {"x86_64": 317, "amd64": 317}
_GENERIC_SECCOMP = 277


class Call(NamedTuple):
    """A call that waits: its number in the table of `machine` (an AUDIT_ARCH), by the thread `thread`, as this
    process's PID namespace numbers it."""

    id: int
    thread: int
    number: int
    machine: int
    arguments: tuple[int, ...]


def listen(program: bytes) -> int:
    """Install a filter (an array of struct sock_filter) for this process and what becomes of it; the descriptor that
    hears of the calls which it hands over. Needs no_new_privs or CAP_SYS_ADMIN. OSError(EBUSY) when the process has
    such a filter already."""
    import ctypes

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    argument = Program(len(program) // 8, program)
    number = _SECCOMP.get(os.uname().machine, _GENERIC_SECCOMP)
    try:
        # A signal, of which some programs send themselves many, would have the call start anew before it is answered.
        return libc.syscall(number, _SET_MODE_FILTER, _NEW_LISTENER | _WAIT_KILLABLE, ctypes.byref(argument))
    except OSError as e:
        if e.errno != errno.EINVAL:  # before Linux 5.19
            raise
    return libc.syscall(number, _SET_MODE_FILTER, _NEW_LISTENER, ctypes.byref(argument))


class Listener:
    """The calls that wait at a descriptor, which it closes at the end of a `with`."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._buffer = bytearray(_SIZE)
        self._unpack = struct.Struct("=QIIiIQ6Q").unpack
        self._pack = struct.Struct("=QqiI").pack
        try:
            # The waiting process goes on at once, on the processor of the one that has answered (Linux 6.6).
            fcntl.ioctl(fd, _SET_FLAGS, 1)
        except OSError:
            pass

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def receive(self) -> Call | None:
        """The next call; None when the one that was announced has gone."""
        buffer = self._buffer
        buffer[:] = bytes(_SIZE)
        try:
            fcntl.ioctl(self.fd, _RECEIVE, buffer)
        except OSError as e:
            if e.errno in (errno.ENOENT, errno.EINTR):
                return None
            raise
        found = self._unpack(buffer)
        return Call(found[0], found[1], found[3], found[4], found[6:])

    def is_waiting(self, call: Call) -> bool:
        """Whether the call still waits: until then its thread's number is that thread's."""
        try:
            fcntl.ioctl(self.fd, _IS_VALID, struct.pack("=Q", call.id))
        except OSError:
            return False
        return True

    def answer(self, call: Call, value: int = 0, error: int = 0) -> None:
        """Let the call return the value, or fail with the error number."""
        self._send(self._pack(call.id, 0 if error else value, -error, 0))

    def go_on(self, call: Call) -> None:
        """Let the kernel perform the call."""
        self._send(self._pack(call.id, 0, 0, _GO_ON))

    def _send(self, reply: bytes) -> None:
        try:
            fcntl.ioctl(self.fd, _ANSWER, reply)
        except OSError as e:
            if e.errno not in (errno.ENOENT, errno.EINPROGRESS):  # it has died, or was interrupted
                raise
