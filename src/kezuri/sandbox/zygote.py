"""The small process that stands by to start steps: it forks a supervisor for each and waits for its end.

It is PID 1 of a PID namespace, and so is every supervisor of one below it: the kernel kills all processes of a PID
namespace when its PID 1 ends, however that comes about. So nothing of a step outlives its supervisor, and nothing
outlives this process, whatever a step has done to its own processes: those cannot even name the ones above them.

It is a fresh interpreter, executed from a read-only view of its own file: a step whose command (or whose script's
interpreter) is /proc/self/exe gets hold of that view, which cannot be written through, as CVE-2019-5736 would have it.
And it holds nothing of the main process's memory, so that no step's process ever held another step's secrets.
"""

import os
import signal
import sys
from typing import TYPE_CHECKING

from kezuri.linux.surroundings import VARIABLES

if TYPE_CHECKING:
    from socket import socket

MOST_DESCRIPTORS = 250

# An isolated interpreter (-I) reads no PYTHONPATH: it is told where this package is.
_BOOT = """import sys
sys.path.insert(0, sys.argv[1])
from kezuri.sandbox.zygote import serve
serve(int(sys.argv[2]), sys.argv[3] == "follow")
"""

_PATIENCE_MS = 2000


def spawn() -> tuple[int, "socket"]:
    """Start the helper; the process to wait for (`end`), and the socket that takes requests. OSError when it cannot be
    started."""
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
            passed = ("PATH", "LD_LIBRARY_PATH", *VARIABLES)
            environment = {k: v for k, v in os.environ.items() if k in passed}
            environment["LC_ALL"] = "C.UTF-8"
            actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0), (os.POSIX_SPAWN_DUP2, 0, 1)]
            os.set_inheritable(theirs.fileno(), True)
            # Signals that our caller ignores or blocks (nohup does) are no concern of a step's.
            pid = os.posix_spawn(
                f"/proc/self/fd/{fd}",
                arguments,
                environment,
                file_actions=actions,
                setsigmask=(),
                setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
            )
        finally:
            os.close(fd)
    return pid, ours


def end(pid: int) -> None:
    """Wait for the helper, whose socket is closed already, and all below it: their processor time becomes ours.

    It ends by itself when the steps have ended. One that does not, because somebody has stopped it, is killed.
    """
    import select

    try:
        descriptor = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(_PATIENCE_MS):
            os.kill(pid, signal.SIGKILL)
        os.close(descriptor)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass  # somebody else has waited for it


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
    # Loaded once here, so that a step costs a fork and so that no step imports anything within an image.
    import ctypes  # noqa: F401
    import errno  # noqa: F401
    import fcntl  # noqa: F401
    import gc
    import json  # noqa: F401
    import marshal
    import resource  # noqa: F401
    import select  # noqa: F401
    import socket
    import termios  # noqa: F401

    from kezuri.linux import ambient, descriptors, libc, namespaces, privileges, recorded, surroundings
    from kezuri.sandbox import failure, seccomp, supervisor

    libc.load()
    surroundings.here()
    ambient.shed()
    if descriptor != 3:
        os.dup2(descriptor, 3)
    privileges.close_from(4)  # descriptors that our caller let us inherit
    if seccomp.is_known(os.uname().machine):
        seccomp.program(os.uname().machine)
    if recorded.is_single():
        from kezuri.sandbox import ids_keeper  # noqa: F401
    gc.disable()  # its processes live for one step, and touching every object would copy every page
    os.setsid()  # out of the terminal's reach: its interrupts go to the main process, which cancels
    os.dup2(0, 2)
    problem: OSError | None = None
    try:
        _become_first(3, follow)
    except OSError as e:
        problem = e  # every step is told, when there is one
    control = socket.socket(fileno=3)
    os.set_inheritable(control.fileno(), False)
    signal.signal(signal.SIGCHLD, lambda *_: _reap(os.WNOHANG))
    here = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    while True:
        data, fds = descriptors.receive(control, 1 << 16, MOST_DESCRIPTORS)
        if not data:
            # The supervisors' own sockets close too, and each ends when its step has ended.
            _reap(0)
            os._exit(0)
        has_stdin, ports = marshal.loads(data)
        step_control = socket.socket(fileno=fds.pop(0))
        try:
            if problem is not None:
                raise problem
            namespaces.unshare(namespaces.NEWPID)
            pid = os.fork()
        except OSError as e:
            told = failure.unstarted(e, "start a process in a PID namespace of its own")
            hint = told.hint or "see `sysctl user.max_pid_namespaces` and `ulimit -u`"
            supervisor.report(step_control, ("failed", told.message, hint))
            pid = -1
        if pid == 0:
            control.close()
            os.close(here)
            stdin = fds.pop(0) if has_stdin else -1
            stdout, stderr, *listeners = fds
            supervisor.supervise(step_control, (stdin, stdout, stderr), listeners[:ports])
        if problem is None:
            namespaces.enter(here, namespaces.NEWPID)
        step_control.close()
        for fd in fds:
            os.close(fd)


def _become_first(control: int, follow: bool) -> None:
    """Go on as PID 1 of a new PID namespace. What is left outside waits for it, so that the main process, whose child
    it is, gets to know the time that everything took."""
    from kezuri.linux import namespaces, privileges

    namespaces.unshare(namespaces.NEWPID)
    pid = os.fork()
    if pid == 0:
        # Were the process outside killed before this line, `control` would still tell of the main process's end.
        privileges.die_with_parent(signal.SIGKILL)
        return
    os.close(control)
    if follow:
        privileges.die_with_parent(signal.SIGKILL)
    os.waitpid(pid, 0)
    os._exit(0)


def _reap(options: int) -> None:
    """Wait for supervisors that have ended, or (without WNOHANG) for all."""
    try:
        while os.waitpid(-1, options)[0]:
            pass
    except ChildProcessError:
        pass  # there are none
