"""A second program that is started in a running container, as `docker exec` does it. Health checks run this way.

The process that enters joins every namespace of the container but its PID namespace, which only its child is in. So
no process of the container can signal it or look at it. The child gives its rights up in the order of
`container.become` before it becomes the program.
"""

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, NoReturn

from kezuri.linux import cgroups, descriptors, idmaps, libc, namespaces, privileges, recorded
from kezuri.sandbox import hostfiles, identity
from kezuri.sandbox.container import execute, keeper_of
from kezuri.sandbox.failure import StartFailure, reason
from kezuri.sandbox.step import Step

if TYPE_CHECKING:
    from socket import socket

MOST_OUTPUT = 4096
TIMED_OUT = -1
"""The exit code of a program that took too long."""

_PR_SET_DUMPABLE = 4
_KINDS = (("ipc", namespaces.NEWIPC), ("uts", namespaces.NEWUTS), ("pid", namespaces.NEWPID), ("mnt", namespaces.NEWNS))


class Beside:
    """What is needed to start programs beside the first process of a step, in the step's supervisor.

    `nested` says that an OCI runtime is between the two.
    """

    def __init__(
        self, step: Step, no_new_privileges: bool, groups: tuple[str, ...], affinity: tuple[int, ...], nested: bool
    ) -> None:
        if nested and idmaps.is_initial_user():
            # The runtime runs the step without this capability, too (`bundle`).
            step = step._replace(drop_capabilities=(*step.drop_capabilities, "MKNOD"))
        self._step = step
        self._no_new_privileges = no_new_privileges
        self._groups = groups
        self._affinity = affinity
        self._running: dict[int, int] = {}

    def start(self, first: int, argv: tuple[str, ...], timeout: float) -> int:
        """Start a program beside the process `first`, which is its number in our own /proc. Returns a descriptor that
        becomes readable when the program has ended."""
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            self._enter(first, argv, timeout, write)
        os.close(write)
        self._running[read] = pid
        return read

    def started(self, fd: int) -> bool:
        """Whether the descriptor is one that `start` returned."""
        return fd in self._running

    def ended(self, fd: int) -> tuple[int, bytes]:
        """The exit code (TIMED_OUT when it took too long) and the beginning of what it said."""
        import marshal

        with open(fd, "rb") as result:
            said = result.read()
        os.waitpid(self._running.pop(fd), 0)
        code, output = marshal.loads(said) if said else (125, b"it could not be started")
        return code, output

    def _enter(self, first: int, argv: tuple[str, ...], timeout: float, result: int) -> NoReturn:
        import marshal

        try:
            os.write(result, marshal.dumps(self._observe(first, argv, timeout)))
        except (OSError, StartFailure) as e:
            words = e.message if isinstance(e, StartFailure) else reason(e)
            os.write(result, marshal.dumps((125, f"cannot start it: {words}".encode(errors="replace"))))
        finally:
            os._exit(0)

    def _observe(self, first: int, argv: tuple[str, ...], timeout: float) -> tuple[int, bytes]:
        """Run the program; how it ended, and what it said."""
        import socket

        program = identity.filter_for(self._step)
        named = identity.bounds(self._step, self._no_new_privileges)
        doors = cgroups.doors(self._groups)
        here = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        single = recorded.is_single()
        spaces = [(os.open(f"/proc/{first}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), kind) for name, kind in _KINDS]
        if os.stat(f"/proc/{first}/ns/user").st_ino != os.stat("/proc/self/ns/user").st_ino:
            # A step whose user has another number than ours runs in a user namespace of its own (`identity.assume`). It
            # is entered last, because a process in it may not enter the other namespaces.
            single = False
            spaces.append((os.open(f"/proc/{first}/ns/user", os.O_RDONLY | os.O_CLOEXEC), namespaces.NEWUSER))
        # Processes of the container must not trace this one or read its memory.
        libc.call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)
        sys.meta_path.clear()
        for fd, kind in spaces:
            namespaces.enter(fd, kind)
        read, write = os.pipe()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            os.close(read)
            ours.close()
            self._become(argv, program, named, doors, write, theirs.fileno(), single)
        os.close(write)
        theirs.close()
        keeper = 0
        try:
            keeper = _keeper(ours, here) if single else 0
            return _watch(pid, read, timeout)
        except BaseException:
            # The first process of a PID namespace cannot end before all others are waited for.
            _end(pid)
            raise
        finally:
            if keeper:
                _end(keeper)

    def _become(
        self,
        argv: tuple[str, ...],
        program: bytes,
        named: int,
        doors: list[int],
        said: int,
        channel: int,
        single: bool,
    ) -> NoReturn:
        step = self._step
        try:
            stdin, _ = os.pipe()
            for number, fd in enumerate((stdin, said, said)):
                os.dup2(fd, number, inheritable=True)
            cgroups.enter(doors, self._affinity)
            kept = os.dup2(channel, 3, inheritable=False) if channel != 3 else 3
            privileges.close_from(4)
            os.setsid()
            os.umask(0o022)
            os.chdir(step.cwd)
            identity.limit(step)
            answers = keeper_of(step, kept) if single else None
            identity.assume(step, program, named, self._no_new_privileges, answers)
            for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            env = {os.fsencode(k): os.fsencode(v) for k, v in hostfiles.environment(step).items()}
            execute(argv, env, kept)
        except (OSError, StartFailure) as e:
            words = e.message if isinstance(e, StartFailure) else reason(e)
            os.write(2, f"cannot start it: {words}".encode(errors="replace"))
        finally:
            os._exit(125)


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _keeper(channel: "socket", here: int) -> int:
    """Wait until the program starts, and start the process that answers what it asks of owners and ids
    (`ids_keeper.py`). Returns that process, or 0 where the kernel answers by itself. `here` is our PID namespace."""
    import marshal

    from kezuri.sandbox import ids_keeper

    data, fds = descriptors.receive(channel, 1 << 16, 2)
    if not data:
        return 0
    _, words = marshal.loads(data)
    started = ids_keeper.start(fds[0], fds[1], *map(int, words), here=here)
    for fd in fds:
        os.close(fd)
    return started


def _watch(pid: int, said: int, timeout: float) -> tuple[int, bytes]:
    """Wait for the program, `timeout` seconds at most. Of what it prints the first MOST_OUTPUT bytes are kept; the rest
    is read and thrown away, so that the program does not block."""
    import select

    pidfd = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    poll.register(said, select.POLLIN)
    os.set_blocking(said, False)
    output = b""
    end = time.monotonic() + timeout
    while True:
        ready = [fd for fd, _ in poll.poll(max(0.0, end - time.monotonic()) * 1000)]
        if said in ready or pidfd in ready:
            try:
                piece = os.read(said, 1 << 16)
                output = (output + piece)[:MOST_OUTPUT]
                if not piece:
                    poll.unregister(said)
            except (BlockingIOError, KeyError):
                pass
        if pidfd in ready:
            return 128 - code if (code := os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])) < 0 else code, output
        if time.monotonic() >= end:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return TIMED_OUT, output
