"""One command, and what it cost: seconds, processor seconds, and the memory of its process tree."""

import os
import subprocess
import threading
import time
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import NamedTuple, Self

_TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A command that a measurement needs ended with an error; carries the end of what it said."""


class Cost(NamedTuple):
    """What commands took. Seconds; memory in KiB: the highest sum over the process tree at one moment, or 0 if it was
    not sampled. `pss` counts a page that processes share once, `rss` once for each of them."""

    wall: float
    cpu: float
    rss: int = 0
    pss: int = 0


def ask(argv: Sequence[str], environ: dict[str, str] | None = None, stdin: bytes | None = None) -> str:
    """Runs a command that is not measured and gives what it wrote. Raises Failed."""
    done = subprocess.run(
        list(argv),
        env={**os.environ, **(environ or {})},
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise Failed(f"{' '.join(argv)} ended with {done.returncode}:\n{said[-2000:]}")
    return said


def measured(
    commands: Sequence[Sequence[str]],
    environ: dict[str, str],
    daemon: int | None = None,
    memory: bool = False,
    codes: Collection[int] = (0,),
) -> Cost:
    """Runs the commands one after the other; `daemon` is a process that works for them, whose processor time and
    memory count too. Raises Failed where one does not end with one of the `codes`."""
    cpu = _tree_cpu(daemon) if daemon else 0.0
    before = os.times()
    wall = 0.0
    rss = pss = 0
    for argv in commands:
        start = time.monotonic()
        process = subprocess.Popen(
            list(argv),
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        with Sampler([process.pid, *([daemon] if daemon else [])], memory) as sampler:
            said = process.communicate()[0].decode("utf-8", "replace")
            wall += time.monotonic() - start
        rss, pss = max(rss, sampler.rss), max(pss, sampler.pss)
        if process.returncode not in codes:
            raise Failed(f"{' '.join(argv)[:300]} ended with {process.returncode}:\n{said[-2000:]}")
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(wall, used + (_tree_cpu(daemon) - cpu if daemon else 0.0), rss, pss)


class Sampler:
    """Looks at the memory of process trees every 50 ms while it is entered. A thread of this process: it takes about
    one hundredth of a processor from what it watches."""

    def __init__(self, roots: Sequence[int], enabled: bool) -> None:
        self.rss = 0
        self.pss = 0
        self._roots = roots
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True) if enabled else None

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            rss = pss = 0
            for root in self._roots:
                for pid in _tree(root):
                    one = _memory(pid)
                    rss, pss = rss + one[0], pss + one[1]
            self.rss, self.pss = max(self.rss, rss), max(self.pss, pss)


def _tree(root: int) -> list[int]:
    found = [root]
    for pid in found:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{thread}/children") as file:
                    found.extend(map(int, file.read().split()))
        except OSError:
            continue
    return found


def _memory(pid: int) -> tuple[int, int]:
    rss = pss = 0
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Rss:"):
                    rss = int(line.split()[1])
                elif line.startswith("Pss:"):
                    pss = int(line.split()[1])
    except OSError:
        pass
    return rss, pss


def _tree_cpu(root: int) -> float:
    """Seconds of processor time of the tree, and of the children that its processes have waited for."""
    ticks = 0
    for pid in _tree(root):
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS
