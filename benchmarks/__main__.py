"""`python -m benchmarks`: measures kezuri and the peers that are installed here, and prints the ratios."""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack

from benchmarks.base import NAME, Base
from benchmarks.builders import installed
from benchmarks.comparison import Result, compare, table
from benchmarks.dockerd import remove
from benchmarks.machine import command, ended, machine, say
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
    signal.signal(signal.SIGTERM, ended)
    results: list[Result] = []
    try:
        with ExitStack() as stack:
            scratch = tempfile.mkdtemp(prefix="kb", dir=asked.scratch)
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            stack.callback(remove, scratch)
            kezuri = command(asked.kezuri)
            base = Base.found(scratch, asked.base, kezuri)
            builders, absent = installed(stack, asked.peers, kezuri, scratch, base)
            print(machine())
            print(f"Base: {base.origin}. Builders: {'; '.join(f'{b.name} ({b.version()})' for b in builders)}.")
            for reason in absent:
                print(f"Not measured: {reason}")
            for workload in workloads:
                if not asked.only or workload.name in asked.only:
                    rounds = asked.runs or workload.rounds
                    results += compare(workload, builders, scratch, base.name, rounds, say)
    except (Failed, OSError) as failed:
        print(f"benchmarks: {failed}", file=sys.stderr)
        return 1
    finally:
        if results:
            print(table(results))
    if asked.json:
        with open(asked.json, "w") as file:
            json.dump({"machine": machine(), "results": [result.document() for result in results]}, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
