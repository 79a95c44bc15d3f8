"""Control groups: limits that hold for a process and its descendants together, and what became of them (cgroups(7)).

Version 1, version 2 and both side by side are known. A group is made below the one that kezuri is in, so that whatever
limits kezuri has hold as well. In version 2 a group with processes can have none below it: kezuri moves its own
processes into a group beside (where no others are in the way), or makes the group beside its own (where its own has no
limits).

A group is locked by who made it, for as long as that process lives. Groups without a lock were left by a process that
was killed: whoever comes next to the same place removes them.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import NamedTuple, Self

from kezuri.linux.cgroup_files import field, hierarchies, number, words, write
from kezuri.linux.cgroup_places import Lack, divisible, lack, new_group, sweep


class Limits(NamedTuple):
    """What a group of processes may use at most; 0 and empty mean: no limit.

    `memory` is bytes; `memory_swap` is memory and swap together, -1 for all swap that there is, 0 for as much swap as
    memory. `cpu_quota` of each `cpu_period` (microseconds) is time of all processors together; `cpu_shares` weighs
    against other groups (1024 is usual). `cpus` and `nodes` are lists like 0-3,6.
    """

    memory: int = 0
    memory_swap: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    cpu_shares: int = 0
    cpus: str = ""
    nodes: str = ""
    pids: int = 0

    def controllers(self) -> tuple[str, ...]:
        """The controllers (cgroups(7)) that these limits need."""
        wanted = {
            "memory": self.memory or self.memory_swap,
            "cpu": self.cpu_quota or self.cpu_period or self.cpu_shares,
            "cpuset": self.cpus or self.nodes,
            "pids": self.pids,
        }
        return tuple(name for name, value in wanted.items() if value)


class BadLimit(Exception):
    """The kernel refuses a value: `setting` is the file of the group, `value` what was to be written."""

    def __init__(self, setting: str, value: str, reason: str) -> None:
        super().__init__(f"{setting} = {value}: {reason}")
        self.setting = setting
        self.value = value
        self.reason = reason


class Usage(NamedTuple):
    """What a group came to: the most memory that it held, in bytes (0: not known), and how many of its processes the
    kernel killed for memory."""

    peak: int = 0
    kills: int = 0


class Group(NamedTuple):
    """A group with limits: a directory for each hierarchy that is needed; `memory` is the one that counts memory.
    `affinity` are processors that a process is to be kept to without a group."""

    directories: tuple[str, ...] = ()
    memory: str = ""
    affinity: tuple[int, ...] = ()

    def usage(self) -> Usage:
        """What the group came to so far."""
        if not self.memory:
            return Usage()
        peak = number(f"{self.memory}/memory.peak") or number(f"{self.memory}/memory.max_usage_in_bytes")
        kills = field(f"{self.memory}/memory.events", "oom_kill") or field(
            f"{self.memory}/memory.oom_control", "oom_kill"
        )
        return Usage(peak, kills)


def doors(directories: tuple[str, ...]) -> list[int]:
    """Descriptors by which a process enters a group of these directories, also where it sees them no more (`enter`)."""
    return [os.open(f"{path}/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC) for path in directories]


def enter(doors: list[int], affinity: tuple[int, ...] = ()) -> None:
    """Move this process into a group, and close its `doors`."""
    for door in doors:
        os.write(door, b"0")
        os.close(door)
    if affinity:
        os.sched_setaffinity(0, affinity)


def sweep_all() -> None:
    """Remove the groups that killed processes left at every place where this process would make some."""
    places: dict[str, None] = {}
    for hierarchy in hierarchies().values():
        places[hierarchy.own] = None
        if hierarchy.version == 2 and hierarchy.own != hierarchy.top:
            places[os.path.dirname(hierarchy.own)] = None
    for place in places:
        sweep(place)


class Groups:
    """Makes groups with the same limits. Use it in a `with`: `lacks` says then which of the limits cannot be had here.

    Enter it while there is one thread. Where no group can hold the processors of `Limits.cpus`, processes are kept to
    them by their affinity, which a program can undo. BadLimit at entering for a value that the kernel refuses.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.lacks: tuple[Lack, ...] = ()
        self._parents: dict[str, list[str]] = {}
        self._versions: dict[str, int] = {}
        self._affinity: tuple[int, ...] = ()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as held:
            found, lacks, unified = hierarchies(), [], []
            for controller in self.limits.controllers():
                hierarchy = found.get(controller)
                if hierarchy is None:
                    lacks.append(Lack(controller, "this machine has no such control group (see /proc/cgroups)", ""))
                elif hierarchy.version == 2:
                    unified.append(controller)
                else:
                    lacks += self._try(controller, hierarchy.own, 1)
            if unified:
                room = held.enter_context(divisible(found[unified[0]], tuple(unified)))
                lacks += room.lacks
                for controller in unified:
                    if controller not in (each.controller for each in room.lacks):
                        lacks += self._try(controller, room.parent, 2)
            if self.limits.cpus and not self.limits.nodes and any(each.controller == "cpuset" for each in lacks):
                self._affinity = _processors(self.limits.cpus)
                lacks = [each for each in lacks if each.controller != "cpuset"]
            self.lacks = tuple(lacks)
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.__exit__(kind, error, trace)

    @contextmanager
    def group(self) -> Iterator[Group]:
        """A new group; it is removed when the `with` is left, where its processes have to be gone."""
        with ExitStack() as held:
            made = {parent: held.enter_context(new_group(parent)) for parent in self._parents}
            for parent, directory in made.items():
                for controller in self._parents[parent]:
                    _limit(directory, controller, self._versions[controller], self.limits)
            memory = [made[parent] for parent, controllers in self._parents.items() if "memory" in controllers]
            yield Group(tuple(made.values()), "".join(memory), self._affinity)

    def _try(self, controller: str, parent: str, version: int) -> list[Lack]:
        """Note the place for groups if one can be made there now; what is lacking if not."""
        sweep(parent)
        try:
            with new_group(parent) as directory:
                _limit(directory, controller, version, self.limits)
        except OSError as e:
            return [lack(controller, parent, version, e)]
        self._parents.setdefault(parent, []).append(controller)
        self._versions[controller] = version
        return []


def _processors(text: str) -> tuple[int, ...]:
    """The processors of a list like 0-3,6. BadLimit for one that this process may not use."""
    found: set[int] = set()
    for piece in text.split(","):
        first, _, last = piece.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    if not found <= os.sched_getaffinity(0):
        raise BadLimit("cpuset.cpus", text, "no such processor for this process")
    return tuple(sorted(found))


def _limit(group: str, controller: str, version: int, limits: Limits) -> None:
    """Write the limits of a controller. OSError when the group may not be written, BadLimit for a value."""
    for name, value, needed in _settings(group, controller, version, limits):
        try:
            write(f"{group}/{name}", value)
        except OSError as e:
            if not needed and e.errno in (errno.ENOENT, errno.EACCES, errno.EPERM):
                continue  # a kernel that does not count swap
            if e.errno in (errno.EINVAL, errno.ERANGE, errno.ENOSPC, errno.EBUSY) or controller == "cpuset":
                raise BadLimit(name, value, e.strerror or "") from None
            raise


def _settings(group: str, controller: str, version: int, limits: Limits) -> Iterator[tuple[str, str, bool]]:
    """What is to be written to which file, and whether the file has to be there."""
    old = version == 1
    if controller == "pids":
        yield "pids.max", str(limits.pids), True
    elif controller == "memory":
        both = limits.memory_swap or limits.memory * 2
        if limits.memory:
            yield "memory.limit_in_bytes" if old else "memory.max", str(limits.memory), True
        if both > 0:
            swap = str(both if old else max(0, both - limits.memory))
            yield "memory.memsw.limit_in_bytes" if old else "memory.swap.max", swap, bool(limits.memory_swap)
    elif controller == "cpu":
        if limits.cpu_quota or limits.cpu_period:
            period = limits.cpu_period or 100_000
            if old:
                yield "cpu.cfs_period_us", str(period), True
                yield "cpu.cfs_quota_us", str(limits.cpu_quota or -1), True
            else:
                yield "cpu.max", f"{limits.cpu_quota or 'max'} {period}", True
        if limits.cpu_shares:
            # Shares go from 2 to 262144, weights from 1 to 10000.
            weight = 1 + max(0, min(limits.cpu_shares, 262_144) - 2) * 9999 // 262_142
            yield ("cpu.shares", str(limits.cpu_shares), True) if old else ("cpu.weight", str(weight), True)
    elif controller == "cpuset":
        # A group of version 1 takes no process before both are set.
        for name, value in (("cpuset.cpus", limits.cpus), ("cpuset.mems", limits.nodes)):
            if value or old:
                yield name, value or " ".join(words(f"{os.path.dirname(group)}/{name}")), True
