"""Control groups: limits hold, what cannot be had is told, and nothing stays behind. Most of it needs root."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kezuri.linux import cgroup_places, cgroups
from kezuri.linux.cgroup_files import Hierarchy, hierarchies, memory_here, words, write
from kezuri.linux.cgroups import BadLimit, Group, Groups, Limits

ALL = Limits(memory=64 << 20, memory_swap=96 << 20, cpu_quota=50_000, cpu_shares=1024, cpus="0-1", nodes="0", pids=20)


def is_owner() -> bool:
    """Whether groups with memory limits can be made here."""
    try:
        with Groups(Limits(memory=64 << 20)) as groups:
            return not groups.lacks
    except OSError:
        return False


owner = pytest.mark.skipif(not is_owner(), reason="needs control groups that this user may divide")


def in_child(act: Callable[[], None]) -> int:
    """The exit status of a child that does this: 0 unless it raises."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            act()
            os._exit(0)
        except BaseException as e:
            os.write(2, f"{type(e).__name__}: {e}\n".encode())
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def python_in(group: Group, code: str) -> int:
    """The exit code of a program that runs in the group."""

    def act() -> None:
        cgroups.enter(cgroups.doors(group.directories), group.affinity)
        os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", code])

    return in_child(act)


def left_below(directories: set[str]) -> list[str]:
    return [f"{d}/{name}" for d in directories for name in os.listdir(d) if name.startswith("kezuri-step-")]


@pytest.mark.slow
@owner
class TestLimits:
    def test_memory(self) -> None:
        with Groups(Limits(memory=64 << 20)) as groups, groups.group() as group:
            assert python_in(group, "x = bytearray(16 << 20)") == 0
            before = group.usage()
            assert before.kills == 0 and 16 << 20 < before.peak < 64 << 20
            assert python_in(group, "x = bytearray(200 << 20)") == -signal.SIGKILL
            after = group.usage()
            assert after.kills == 1 and 60 << 20 < after.peak <= 64 << 20
        assert not any(map(os.path.exists, group.directories))

    def test_processes(self) -> None:
        with Groups(Limits(pids=3)) as groups, groups.group() as group:
            if groups.lacks:
                pytest.skip(groups.lacks[0].reason)
            hold = "import os, time\nfor _ in range(9):\n    if not os.fork(): time.sleep(1); os._exit(0)"
            assert python_in(group, hold) == 1

    def test_processors(self) -> None:
        code = "import os; raise SystemExit(os.sched_getaffinity(0) != {0})"
        with Groups(Limits(cpus="0")) as groups, groups.group() as group:
            assert not groups.lacks and python_in(group, code) == 0

    def test_each_group_is_another(self) -> None:
        with Groups(Limits(memory=64 << 20)) as groups, groups.group() as one, groups.group() as other:
            assert not set(one.directories) & set(other.directories)

    @pytest.mark.parametrize("limits", [Limits(cpus="4095"), Limits(cpu_quota=5), Limits(nodes="1023")])
    def test_values_that_the_kernel_refuses(self, limits: Limits) -> None:
        with pytest.raises(BadLimit), Groups(limits) as groups:
            if groups.lacks:
                pytest.skip(groups.lacks[0].reason)

    def test_what_a_killed_process_left_is_removed_and_nothing_else(self) -> None:
        script = (
            "import sys, time\nfrom kezuri.linux.cgroups import Groups, Limits\n"
            "with Groups(Limits(memory=64 << 20)) as groups, groups.group() as group:\n"
            "    print(group.directories[0], flush=True)\n    time.sleep(60)"
        )
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            path = other.stdout.readline().strip()
            with Groups(Limits(memory=64 << 20)):
                assert os.path.isdir(path)
            other.kill()
        assert os.path.isdir(path)
        with Groups(Limits(memory=64 << 20)):
            assert not os.path.exists(path)

    def test_a_group_whose_processes_are_being_killed_goes_when_they_have_gone(self) -> None:
        with Groups(Limits(memory=64 << 20)) as groups:
            with groups.group() as group:
                pid = os.fork()
                if pid == 0:
                    cgroups.enter(cgroups.doors(group.directories))
                    time.sleep(0.3)
                    os._exit(0)
                while not words(f"{group.memory}/cgroup.procs"):
                    time.sleep(0.01)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            assert not os.path.exists(group.memory)
            os.waitpid(pid, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
class TestOrdinaryUsers:
    def test_are_told_what_cannot_be_had(self) -> None:
        def act() -> None:
            os.setgid(65534)
            os.setuid(65534)
            with Groups(Limits(memory=64 << 20, pids=5)) as groups, groups.group() as group:
                assert {lack.controller for lack in groups.lacks} == {"memory", "pids"}, groups.lacks
                assert all(lack.remedy for lack in groups.lacks) and not group.directories

        assert in_child(act) == 0

    def test_processors_are_theirs_to_choose(self) -> None:
        def act() -> None:
            os.setgid(65534)
            os.setuid(65534)
            with Groups(Limits(cpus="0")) as groups, groups.group() as group:
                assert not groups.lacks and group.affinity == (0,)
                assert python_in(group, "import os; raise SystemExit(os.sched_getaffinity(0) != {0})") == 0
            with pytest.raises(BadLimit):
                Groups(Limits(cpus="0,4095")).__enter__()

        assert in_child(act) == 0


@pytest.fixture
def unified() -> Iterator[str]:
    """A group of version 2 with a controller, for tests of where groups can be made. Any controller serves."""
    found = [(name, h) for name, h in hierarchies().items() if h.version == 2]
    if not found or os.geteuid() != 0 or not os.access(found[0][1].own, os.W_OK):
        pytest.skip("needs control groups of version 2, and root")
    name, hierarchy = found[0]
    with cgroup_places.divisible(hierarchy, (name,)) as room:
        if room.lacks:
            pytest.skip(room.lacks[0].reason)
        with cgroup_places.new_group(room.parent) as path:
            write(f"{path}/cgroup.subtree_control", f"+{name}")
            yield path
            for inner in os.scandir(path):
                if inner.is_dir():
                    os.rmdir(inner.path)


@pytest.mark.slow
class TestVersion2:
    def place(self, group: str) -> tuple[Hierarchy, tuple[str, ...]]:
        return Hierarchy(2, group, os.path.dirname(os.path.dirname(group))), tuple(words(f"{group}/cgroup.controllers"))

    def test_a_process_alone_in_its_group_divides_it_and_leaves_it_as_it_was(self, unified: str) -> None:
        own = f"{unified}/own"
        os.mkdir(own)

        def act() -> None:
            write(f"{own}/cgroup.procs", "0")
            child = os.fork()
            if child == 0:
                time.sleep(60)
            with cgroup_places.divisible(*self.place(own)) as room:
                assert (room.parent, room.lacks) == (own, []), room
                assert words(f"{own}/cgroup.procs") == [] and words(f"{own}/cgroup.subtree_control")
                with cgroup_places.new_group(room.parent) as step:
                    assert words(f"{step}/cgroup.controllers")
                    assert in_child(lambda: write(f"{step}/cgroup.procs", "0")) == 0
            assert sorted(words(f"{own}/cgroup.procs")) == sorted([str(os.getpid()), str(child)])
            assert not words(f"{own}/cgroup.subtree_control") and not [e for e in os.scandir(own) if e.is_dir()]
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

        assert in_child(act) == 0

    def test_beside_others_groups_are_made_beside_its_own(self, unified: str) -> None:
        own = f"{unified}/own"
        os.mkdir(own)
        with subprocess.Popen(["sleep", "60"]) as stranger:
            write(f"{own}/cgroup.procs", str(stranger.pid))

            def act() -> None:
                os.setsid()
                write(f"{own}/cgroup.procs", "0")
                with cgroup_places.divisible(*self.place(own)) as room:
                    assert (room.parent, room.lacks) == (unified, []), room

            try:
                assert in_child(act) == 0
            finally:
                stranger.kill()

    def test_the_last_one_gives_controllers_back(self, unified: str) -> None:
        """Also those that one enabled who was killed, or has ended while others needed them."""
        own = f"{unified}/own"
        os.mkdir(own)
        given = tuple(words(f"{own}/cgroup.controllers"))

        def enabled() -> list[str]:
            return words(f"{own}/cgroup.subtree_control")

        def killed() -> None:
            with cgroup_places._enabled(own, given):
                os.kill(os.getpid(), signal.SIGKILL)

        assert in_child(killed) == -signal.SIGKILL and enabled() == list(given)
        with cgroup_places._enabled(own, given):
            assert enabled() == list(given)
        assert enabled() == []
        first = cgroup_places._enabled(own, given)
        first.__enter__()
        with cgroup_places._enabled(own, given):
            first.__exit__(None, None, None)
            assert enabled() == list(given)
        assert enabled() == []

    def test_a_limit_of_its_own_is_not_escaped(self, unified: str, tmp_path: Path) -> None:
        for name, value, limited in (
            ("memory.max", "max", False),
            ("memory.max", "1000000", True),
            ("cpu.max", "max 100000", False),
            ("cpu.max", "5000 100000", True),
            ("pids.max", "100", True),
            ("cpuset.cpus", "", False),
            ("cpuset.cpus", "0", True),
        ):
            (tmp_path / name).write_text(value + "\n")
            assert cgroup_places._is_limited(str(tmp_path)) is limited, (name, value)
            (tmp_path / name).unlink()

    def test_a_controller_that_was_not_given(self, unified: str) -> None:
        own = f"{unified}/own"
        os.mkdir(own)
        with cgroup_places.divisible(Hierarchy(2, own, unified), ("memory",)) as room:
            assert [lack.controller for lack in room.lacks] == ["memory"] and "Delegate=" in room.lacks[0].remedy


def test_the_files_of_each_version() -> None:
    def written(version: int, limits: Limits) -> dict[str, str]:
        return {
            name: value
            for controller in limits.controllers()
            for name, value, _ in cgroups._settings("/nowhere/group", controller, version, limits)
        }

    assert written(2, ALL) == {
        "memory.max": "67108864",
        "memory.swap.max": "33554432",
        "cpu.max": "50000 100000",
        "cpu.weight": "39",
        "cpuset.cpus": "0-1",
        "cpuset.mems": "0",
        "pids.max": "20",
    }
    assert written(1, ALL) == {
        "memory.limit_in_bytes": "67108864",
        "memory.memsw.limit_in_bytes": "100663296",
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "50000",
        "cpu.shares": "1024",
        "cpuset.cpus": "0-1",
        "cpuset.mems": "0",
        "pids.max": "20",
    }
    assert written(2, Limits(memory=5, memory_swap=-1)) == {"memory.max": "5"}
    assert written(2, Limits(cpu_period=5000)) == {"cpu.max": "max 5000"}


def test_memory_that_can_be_had() -> None:
    with open("/proc/meminfo") as f:
        total = int(f.readline().split()[1]) << 10
    assert 0 < memory_here() <= total
