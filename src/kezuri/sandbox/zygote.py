"""The small process that stands by to start steps: it forks a supervisor for each and does nothing else.

It is a fresh interpreter, executed from a read-only view of its own file: a step whose command (or whose script's
interpreter) is /proc/self/exe gets hold of that view, which cannot be written through, as CVE-2019-5736 would have it.
And it holds nothing of the main process's memory, so that no step's process ever held another step's secrets.
"""

import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from socket import socket

MOST_DESCRIPTORS = 250

# An isolated interpreter (-I) reads no PYTHONPATH: it is told where this package is.
_BOOT = """import sys
sys.path.insert(0, sys.argv[1])
from kezuri.sandbox.zygote import serve
serve(int(sys.argv[2]), sys.argv[3] == "follow")
"""


def spawn() -> tuple[int, "socket"]:
    """Start the helper; its process id, and the socket that takes requests. OSError when it cannot be started."""
    import socket
    import threading

    import kezuri

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        fd = _interpreter()
        try:
            package = os.path.dirname(os.path.dirname(os.path.abspath(kezuri.__file__ or "")))
            # The kernel ties "die with the parent" to the thread that forked, which must be there to the end.
            follow = "follow" if threading.current_thread() is threading.main_thread() else "stay"
            arguments = [sys.executable, "-I", "-S", "-c", _BOOT, package, str(theirs.fileno()), follow]
            environment = {k: v for k, v in os.environ.items() if k in ("PATH", "LD_LIBRARY_PATH")}
            environment["LC_ALL"] = "C.UTF-8"
            actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0), (os.POSIX_SPAWN_DUP2, 0, 1)]
            os.set_inheritable(theirs.fileno(), True)
            pid = os.posix_spawn(f"/proc/self/fd/{fd}", arguments, environment, file_actions=actions)
        finally:
            os.close(fd)
    return pid, ours


def _interpreter() -> int:
    """This interpreter's file as a descriptor to execute through which nobody can write."""
    import ctypes

    from kezuri.linux import libc

    try:
        # By its path: the link's own mount belongs to the namespace that we have left.
        path = os.readlink("/proc/self/exe")
        fd = libc.syscall(libc.OPEN_TREE, -100, os.fsencode(path), 1 | os.O_CLOEXEC)
        try:
            if not os.path.samestat(os.fstat(fd), os.stat("/proc/self/exe")):
                raise FileNotFoundError(path)
            read_only = (ctypes.c_uint64 * 4)(1, 0, 0, 0)
            libc.syscall(libc.MOUNT_SETATTR, fd, b"", 0x1000, read_only, ctypes.sizeof(read_only))
            return fd
        except OSError:
            os.close(fd)
    except OSError:
        pass
    # Before Linux 5.12: a sealed copy in memory.
    import fcntl

    fd = os.memfd_create("python", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open("/proc/self/exe", "rb") as f:
        size = os.fstat(f.fileno()).st_size
        at = 0
        while at < size:
            at += os.sendfile(fd, f.fileno(), at, size - at)
    fcntl.fcntl(fd, 1033, 0x1 | 0x2 | 0x4 | 0x8)  # F_ADD_SEALS: seal, shrink, grow, write
    return fd


def serve(descriptor: int, follow: bool) -> None:
    """Serve until the main process is gone: the helper's main program. `follow`: die with the parent thread too."""
    import socket

    control = socket.socket(fileno=descriptor)
    os.set_inheritable(control.fileno(), False)
    # Loaded once here, so that a step costs a fork and so that no step imports anything within an image.
    import ctypes  # noqa: F401
    import errno  # noqa: F401
    import fcntl  # noqa: F401
    import gc
    import json  # noqa: F401
    import marshal
    import resource  # noqa: F401
    import select  # noqa: F401
    import termios  # noqa: F401

    from kezuri.linux import libc, privileges
    from kezuri.sandbox import seccomp, supervisor

    libc.load()
    if seccomp.is_known(os.uname().machine):
        seccomp.program(os.uname().machine)
    gc.disable()  # its processes live for one step, and touching every object would copy every page
    os.setsid()  # out of the terminal's reach: its interrupts go to the main process, which cancels
    os.dup2(0, 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors are reaped by the kernel
    if follow:
        privileges.die_with_parent(signal.SIGKILL)
    while True:
        try:
            data, fds, _, _ = socket.recv_fds(control, 1 << 16, MOST_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
        except InterruptedError:
            continue
        if not data:
            os._exit(0)
        has_stdin, ports = marshal.loads(data)
        pid = os.fork()
        if pid == 0:
            control.close()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            step_control = socket.socket(fileno=fds.pop(0))
            stdin = fds.pop(0) if has_stdin else -1
            stdout, stderr, *listeners = fds
            supervisor.supervise(step_control, (stdin, stdout, stderr), listeners[:ports])
        for fd in fds:
            os.close(fd)
