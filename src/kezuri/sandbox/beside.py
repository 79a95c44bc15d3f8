"""A second program in a container that runs, as `docker exec` has it: its health check.

The process that enters is in none of the container's namespaces itself, so that nothing in there can name it. Its child
is, and what it still may do is given up in the order of `container.become` before the program starts.
"""

import os
import signal
import sys
import time
from typing import NoReturn

from kezuri.linux import cgroups, idmaps, libc, namespaces, privileges
from kezuri.sandbox import hostfiles, identity
from kezuri.sandbox.container import execute
from kezuri.sandbox.failure import StartFailure, reason
from kezuri.sandbox.step import Step

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
            step = step._replace(drop_capabilities=(*step.drop_capabilities, "MKNOD"))  # as `bundle` has it
        self._step = step
        self._no_new_privileges = no_new_privileges
        self._groups = groups
        self._affinity = affinity
        self._running: dict[int, int] = {}

    def start(self, first: int, argv: tuple[str, ...], timeout: float) -> int:
        """Start a program beside the process `first` (a number in the /proc that we see); the descriptor that becomes
        readable when it has ended."""
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            self._enter(first, argv, timeout, write)
        os.close(write)
        self._running[read] = pid
        return read

    def started(self, fd: int) -> bool:
        """Whether `start` gave this descriptor."""
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
        program = identity.filter_for(self._step)
        named = identity.bounds(self._step, self._no_new_privileges)
        doors = cgroups.doors(self._groups)
        spaces = [(os.open(f"/proc/{first}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), kind) for name, kind in _KINDS]
        if os.stat(f"/proc/{first}/ns/user").st_ino != os.stat("/proc/self/ns/user").st_ino:
            # The last: in there we have no right to enter the others, which are ours.
            spaces.append((os.open(f"/proc/{first}/ns/user", os.O_RDONLY | os.O_CLOEXEC), namespaces.NEWUSER))
        # Nothing in the container may look into us once we are there.
        libc.call("prctl", _PR_SET_DUMPABLE, 0, 0, 0, 0)
        sys.meta_path.clear()
        for fd, kind in spaces:
            namespaces.enter(fd, kind)
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            self._become(argv, program, named, doors, write)
        os.close(write)
        return _watch(pid, read, timeout)

    def _become(self, argv: tuple[str, ...], program: bytes, named: int, doors: list[int], said: int) -> NoReturn:
        step = self._step
        try:
            stdin, _ = os.pipe()
            for number, fd in enumerate((stdin, said, said)):
                os.dup2(fd, number, inheritable=True)
            cgroups.enter(doors, self._affinity)
            privileges.close_from(3)
            os.setsid()
            os.umask(0o022)
            os.chdir(step.cwd)
            identity.limit(step)
            identity.assume(step, program, named, self._no_new_privileges)
            for number in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            env = {os.fsencode(k): os.fsencode(v) for k, v in hostfiles.environment(step).items()}
            execute(argv, env, os.dup(2))
        except (OSError, StartFailure) as e:
            words = e.message if isinstance(e, StartFailure) else reason(e)
            os.write(2, f"cannot start it: {words}".encode(errors="replace"))
        finally:
            os._exit(125)


def _watch(pid: int, said: int, timeout: float) -> tuple[int, bytes]:
    """Wait for the program, `timeout` seconds at most; what it says meanwhile beyond MOST_OUTPUT is read and lost."""
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
