"""Processes beside a step that answer some of its calls in the kernel's place: how they start, and what they keep."""

import fcntl
import os
import select
from collections.abc import Callable, Iterator

from kezuri.linux import namespaces, privileges
from kezuri.linux.intercept import Call, Listener
from kezuri.linux.mounts import MS_NODEV, MS_NOEXEC, MS_NOSUID, NewMount


def started(serve: Callable[[], None], here: int = -1) -> int:
    """Start a process that ends with `serve`, whatever comes of that; its number. `here` is the caller's own PID
    namespace, which is given where /proc does not show it, and stays the caller's. OSError when it cannot be
    started."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC) if here < 0 else os.dup(here)
    try:
        # Not into the step's PID namespace, which is that of the supervisor's children.
        namespaces.enter(own, namespaces.NEWPID)
    finally:
        os.close(own)
    pid = os.fork()
    if pid == 0:
        try:
            serve()
        finally:
            os._exit(0)
    return pid


def own_proc() -> int:
    """A directory that shows the processes of this PID namespace; it is mounted nowhere."""
    with NewMount("proc") as new:
        return new.detached(MS_NOSUID | MS_NODEV | MS_NOEXEC)


def keep(descriptors: tuple[int, ...], capabilities: tuple[str, ...]) -> None:
    """Keep of this process's descriptors these alone, which become 3 and the numbers after it, and the standard ones;
    of its capabilities those of these names."""
    # Out of the way of the numbers that are taken.
    for number, fd in enumerate([fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in descriptors], 3):
        os.dup2(fd, number, inheritable=False)
    privileges.close_from(3 + len(descriptors))
    kept = privileges.permitted() & privileges.mask(capabilities)
    privileges.set_capabilities(kept, kept, 0)


def calls_of(listener: Listener) -> Iterator[Call]:
    """The calls that wait to be answered, until nobody is left who could make one."""
    poll = select.poll()
    poll.register(listener.fd, select.POLLIN)
    while True:
        ((_, events),) = poll.poll()
        if not events & select.POLLIN:
            return
        call = listener.receive()
        if call is not None:
            yield call
