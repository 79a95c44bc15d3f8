"""Directories that a step reads backwards: a process beside the step answers getdents64(2) with the kernel's answer
turned around. Programs that rely on an order which no file system promises are found out by it."""

import errno
import os
import struct
from collections.abc import Callable
from typing import Final

from kezuri.linux import intercept, libc, syscalls
from kezuri.linux.intercept import HAND_OVER, Call, Listener
from kezuri.sandbox import answering
from kezuri.sandbox.seccomp import ALLOW, ARCH, AUDIT, JEQ, LD, NUMBER, RET, Code

_NAME: Final = "getdents64"
_MOST: Final = 1 << 20
_PIDFD_OPEN, _PIDFD_GETFD = 434, 438
_HEAD: Final = struct.Struct("=QqHB")
_KEPT = ("SYS_PTRACE", "DAC_READ_SEARCH", "DAC_OVERRIDE")


def is_known(machine: str) -> bool:
    """Whether directories can be turned around on such a machine (`uname -m`)."""
    return machine in ("x86_64", "aarch64")


def program(machine: str) -> bytes:
    """The filter that hands over how directories are read by programs of the machine's own kind."""
    code: Code = [
        (LD, 0, 0, ARCH),
        (JEQ, 0, 3, AUDIT[machine]),
        (LD, 0, 0, NUMBER),
        (JEQ, 0, 1, syscalls.table(machine)[_NAME]),
        (RET, 0, 0, HAND_OVER),
        (RET, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def hand_over(filtering: bytes, hand: Callable[[int], None]) -> None:
    """Have this process's reading of directories, and that of all it becomes, answered by whoever gets the descriptor.
    Where the kernel cannot, or somebody answers calls already, directories stay as they are."""
    try:
        listener = intercept.listen(filtering)
    except OSError as error:
        if error.errno in (errno.EBUSY, errno.EINVAL, errno.ENOSYS):
            return
        raise
    hand(listener)


def start(listener: int) -> int:
    """Start the process that answers the calls which `listener` hears of; its number. OSError when it cannot be."""
    return answering.started(lambda: _serve(listener))


def _serve(listener: int) -> None:
    answering.keep((listener, answering.own_proc()), _KEPT)
    os.fchdir(4)
    with Listener(3) as calls:
        for call in answering.calls_of(calls):
            _answer(calls, call)


def _answer(calls: Listener, call: Call) -> None:
    try:
        calls.answer(call, _read(calls, call))
    except OSError as error:
        if error.errno in (errno.ESRCH, errno.EPERM, errno.ENOSYS):
            calls.go_on(call)  # We cannot do it in its place: nothing has been read yet.
        else:
            calls.answer(call, error=error.errno or errno.EIO)


def _read(calls: Listener, call: Call) -> int:
    """Read for the process, at the place up to which it has read, and give it that turned around; how many bytes."""
    import ctypes

    number, pointer, size = call.arguments[0] & 0xFFFFFFFF, call.arguments[1], call.arguments[2] & 0xFFFFFFFF
    process = libc.syscall(_PIDFD_OPEN, _group(call.thread), 0)
    try:
        try:
            directory = libc.syscall(_PIDFD_GETFD, process, number, 0)
        except OSError as error:
            if error.errno == errno.EBADF:
                raise
            raise OSError(errno.EPERM, error.strerror) from error
    finally:
        os.close(process)
    try:
        memory = os.open(f"{call.thread}/mem", os.O_RDWR | os.O_CLOEXEC)
        try:
            if not calls.is_waiting(call):
                raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
            buffer = ctypes.create_string_buffer(min(size, _MOST))
            count = libc.syscall(syscalls.table(os.uname().machine)[_NAME], directory, buffer, len(buffer))
            data = turned(buffer.raw[:count])
            try:
                written = os.pwrite(memory, data, pointer) if data else 0
            except OSError:
                raise OSError(errno.EFAULT, os.strerror(errno.EFAULT)) from None
            if written != count:
                raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))
            return int(count)
        finally:
            os.close(memory)
    finally:
        os.close(directory)


def turned(data: bytes) -> bytes:
    """Records of struct linux_dirent64 in reverse order. All of them say that what follows is what follows the last of
    them: nobody who goes on from one of them sees the others again."""
    records = []
    at = 0
    while at + _HEAD.size <= len(data):
        length = _HEAD.unpack_from(data, at)[2]
        if length < _HEAD.size or at + length > len(data):
            break
        records.append(data[at : at + length])
        at += length
    if not records:
        return data
    following = records[-1][8:16]
    return b"".join(record[:8] + following + record[16:] for record in reversed(records))


def _group(thread: int) -> int:
    """The number of the process that a thread is of."""
    with open(f"{thread}/status", "rb") as file:
        for line in file:
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
