"""`python -m benchmarks`: measures kezuri and the peers that are installed here, and prints the ratios."""

import argparse
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from types import FrameType

from benchmarks.base import NAME, Base
from benchmarks.builders import installed
from benchmarks.comparison import Result, compare, table
from benchmarks.dockerd import remove
from benchmarks.processes import Failed
from benchmarks.workloads import all_workloads


def main(argv: list[str]) -> int:
    """Measures what argv asks for; 0, or 1 when something that the measurement needs does not work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these workloads (default: all)")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help="these peers (default: those that are installed)")
    parser.add_argument("--runs", type=int, metavar="N", help="rounds of every workload (default: each its own)")
    parser.add_argument("--files", type=int, default=40_000, metavar="N", help="files of copy40k (default 40000)")
    parser.add_argument("--json", metavar="FILE", help="also write every single run there")
    parser.add_argument("--base", default=NAME, metavar="NAME", help=f"image in $KEZURI_BASES (default {NAME})")
    parser.add_argument("--kezuri", metavar="PATH", help="the kezuri to measure (default: this Python's)")
    parser.add_argument("--scratch", metavar="DIR", help="where to work, on a disk (default: the temporary directory)")
    asked = parser.parse_args(argv)
    workloads = all_workloads(asked.files)
    unknown = set(asked.only) - {workload.name for workload in workloads}
    if unknown:
        parser.error(f"unknown workload {', '.join(sorted(unknown))}; there are {', '.join(w.name for w in workloads)}")
    signal.signal(signal.SIGTERM, _ended)
    results: list[Result] = []
    try:
        with ExitStack() as stack:
            scratch = tempfile.mkdtemp(prefix="kb", dir=asked.scratch)
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            stack.callback(remove, scratch)
            kezuri = _command(asked.kezuri)
            base = Base.found(scratch, asked.base, kezuri)
            builders, absent = installed(stack, asked.peers, kezuri, scratch, base)
            print(_machine())
            print(f"Base: {base.origin}. Builders: {'; '.join(f'{b.name} ({b.version()})' for b in builders)}.")
            for reason in absent:
                print(f"Not measured: {reason}")
            for workload in workloads:
                if not asked.only or workload.name in asked.only:
                    rounds = asked.runs or workload.rounds
                    results += compare(workload, builders, scratch, base.name, rounds, _say)
    except (Failed, OSError) as failed:
        print(f"benchmarks: {failed}", file=sys.stderr)
        return 1
    finally:
        if results:
            print(table(results))
    if asked.json:
        with open(asked.json, "w") as file:
            json.dump({"machine": _machine(), "results": [result.document() for result in results]}, file, indent=1)
    return 0


def _command(path: str | None) -> list[str]:
    if path is not None:
        return [os.path.abspath(path)]
    beside = os.path.join(os.path.dirname(sys.executable), "kezuri")
    return [beside] if os.access(beside, os.X_OK) else [sys.executable, "-m", "kezuri"]


def _machine() -> str:
    model = ""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) // 1_000_000
    load = os.getloadavg()[0]
    return (
        f"Machine: {os.cpu_count()} x {model or platform.machine()}, {memory} GB, Linux {platform.release()}, "
        f"Python {platform.python_version()}, load {load:.1f} before the start."
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _ended(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
