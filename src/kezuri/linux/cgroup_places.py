"""Where control groups can be made: one by one, locked by who made them, and below which group in version 2."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple

from kezuri.linux.cgroup_files import Hierarchy, words, write

_PREFIX = "kezuri-step-"
_ENABLED = "user.kezuri.enabled"
_PATIENCE = 5.0
"""Seconds that a group may take to become empty once its processes were killed."""


class Lack(NamedTuple):
    """A controller that cannot be had: why, and what helps."""

    controller: str
    reason: str
    remedy: str


@contextmanager
def new_group(parent: str) -> Iterator[str]:
    """A new group, locked; removed when it is left."""
    path, lock = f"{parent}/{_PREFIX}{os.urandom(6).hex()}", -1
    while not os.path.isdir(path):
        # Somebody may sweep it away before it is locked.
        os.mkdir(path, 0o755)
        with suppress(FileNotFoundError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield path
    finally:
        _remove(path)
        os.close(lock)


def _remove(path: str) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            os.rmdir(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            # What was killed is still on its way out. A group that does not get empty is left to the next sweep.
            if time.monotonic() > end:
                return
        time.sleep(0.01)


def sweep(parent: str) -> None:
    """Remove the groups that killed processes left here."""
    with suppress(OSError):
        left = [entry.path for entry in os.scandir(parent) if entry.name.startswith(_PREFIX)]
        for path in left:
            with suppress(OSError):
                lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.rmdir(path)
                finally:
                    os.close(lock)


class Room(NamedTuple):
    """A group below which groups can be made, and the controllers that these cannot have."""

    parent: str
    lacks: list[Lack]


@contextmanager
def divisible(hierarchy: Hierarchy, controllers: tuple[str, ...]) -> Iterator[Room]:
    """A group of version 2 that can have groups with these controllers below it; put back as it was when it is left."""
    own, above = hierarchy.own, os.path.dirname(hierarchy.own)
    have = words(f"{own}/cgroup.controllers")
    lacks = [_undelegated(name, own) for name in controllers if name not in have]
    wanted = tuple(name for name in controllers if name in have)
    problem: OSError | None = None
    with ExitStack() as held:
        if not wanted:
            yield Room(own, lacks)
            return
        try:
            if not os.path.exists(f"{own}/cgroup.type"):  # the root of the machine is free of the rule
                held.enter_context(_enabled(own, wanted))
                above = own
            elif _alone(own):
                held.enter_context(_moved_aside(own))
                held.enter_context(_enabled(own, wanted))
                above = own
            elif own == hierarchy.top or _is_limited(own):
                raise OSError(errno.EBUSY, "other programs are in it")
            else:
                held.enter_context(_enabled(above, wanted))
        except OSError as e:
            held.close()
            problem = e
        if problem is not None:
            yield Room(own, lacks + [lack(name, own, 2, problem) for name in wanted])
            return
        yield Room(above, lacks)


@contextmanager
def _enabled(group: str, controllers: tuple[str, ...]) -> Iterator[None]:
    """Have groups below this one get the controllers. The last one who needs them gives them back, also those that
    one who was killed had enabled: an attribute of the group says which."""
    lock = os.open(group, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with ExitStack() as held:
        held.callback(os.close, lock)
        with suppress(BlockingIOError):  # kezuri in a step of kezuri: the group around it is locked for good
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        new = [name for name in controllers if name not in words(f"{group}/cgroup.subtree_control")]
        with suppress(OSError):  # a kernel without such attributes: then only who enabled it can give it back
            os.setxattr(lock, _ENABLED, " ".join({*_enabled_by_us(lock), *new}).encode())

        def give_back() -> None:
            with suppress(OSError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                for name in {*_enabled_by_us(lock), *new}:
                    write(f"{group}/cgroup.subtree_control", f"-{name}")
                os.removexattr(lock, _ENABLED)

        held.callback(give_back)
        for name in new:
            write(f"{group}/cgroup.subtree_control", f"+{name}")
        yield


def _enabled_by_us(group: int) -> list[str]:
    """The controllers of a group, given as a descriptor, that kezuri has enabled for groups below it."""
    try:
        return os.getxattr(group, _ENABLED).decode().split()
    except OSError:
        return []


@contextmanager
def _moved_aside(group: str) -> Iterator[None]:
    """Have our processes in a group below their own, which then has none."""
    with new_group(group) as aside:
        try:
            _move(group, aside)
            yield
        finally:
            _move(aside, group)


def _move(source: str, target: str) -> None:
    while pids := words(f"{source}/cgroup.procs"):
        for pid in pids:
            with suppress(ProcessLookupError):
                write(f"{target}/cgroup.procs", pid)


def _alone(group: str) -> bool:
    """Whether all processes of the group are ours: this one and its descendants."""
    pids = [int(pid) for pid in words(f"{group}/cgroup.procs")]
    return bool(pids) and all(map(_descends, pids))


def _descends(pid: int) -> bool:
    while pid > 1 and pid != os.getpid():
        try:
            with open(f"/proc/{pid}/stat") as f:
                pid = int(f.read().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return pid == os.getpid()


def _is_limited(group: str) -> bool:
    """Whether the group has a limit of its own, which a group beside it would escape."""
    bounds = ("memory.max", "memory.high", "memory.swap.max", "pids.max", "cpu.max")
    unlimited = all(words(f"{group}/{name}")[:1] in ([], ["max"]) for name in bounds)
    return not unlimited or bool(words(f"{group}/cpuset.cpus") + words(f"{group}/cpuset.mems"))


def lack(controller: str, parent: str, version: int, error: OSError) -> Lack:
    if error.errno == errno.EROFS:
        return Lack(controller, f"{parent} is read-only here", "limit the container that kezuri runs in instead")
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EBUSY):
        return Lack(controller, f"{parent}: {error.strerror}", "")
    remedy = "run kezuri as root"
    if version == 2 and os.path.isdir("/run/systemd/system"):
        user = "" if os.geteuid() == 0 else "--user "
        remedy = f"start it in a group of its own: systemd-run {user}--scope -p Delegate=yes kezuri ..."
    if error.errno == errno.EBUSY:
        return Lack(controller, f"other programs are in the control group {parent}", remedy)
    return Lack(controller, "this user may not make control groups here", remedy)


def _undelegated(controller: str, group: str) -> Lack:
    return Lack(
        controller,
        f"the control group {group} was not given this controller",
        "with systemd: Delegate=cpu cpuset memory pids in user@.service, or in the service that kezuri runs in",
    )
