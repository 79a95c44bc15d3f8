"""`python -m benchmarks.anatomy`: what an image is made of, asked of kezuri and of dive: time and memory of both."""

import argparse
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.anatomy_image import write
from benchmarks.machine import command, ended, machine, say
from benchmarks.processes import Cost, Failed, ask, measured


def main(argv: list[str]) -> int:
    """Measures what argv asks for; 0, or 1 when something that the measurement needs does not work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.anatomy", description=__doc__)
    parser.add_argument("--files", type=int, default=60_000, metavar="N", help="files of the image (default 60,000)")
    parser.add_argument("--megabytes", type=int, default=1200, metavar="N", help="its size (default 1,200)")
    parser.add_argument("--layers", type=int, default=8, metavar="N", help="its layers (default 8)")
    parser.add_argument("--archive", metavar="FILE", help="an archive of `docker save` to look at instead")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="rounds (default 5)")
    parser.add_argument("--kezuri", metavar="PATH", help="the kezuri to measure")
    parser.add_argument("--dive", metavar="PATH", help="the dive to measure")
    parser.add_argument("--scratch", metavar="DIR", help="where to work, on a disk (default: the temporary directory)")
    asked = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, ended)
    try:
        with ExitStack() as stack:
            scratch = tempfile.mkdtemp(prefix="kb", dir=asked.scratch)
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            print(machine())
            archive = asked.archive
            if archive is None:
                say("making the image")
                archive = f"{scratch}/image.tar"
                write(archive, asked.files, asked.megabytes << 20, asked.layers)
            dive = shutil.which(asked.dive or "dive")
            if dive is None:
                print("Not measured: dive is not there.")
            else:
                print(f"Peer: {ask([dive, '--version']).strip()}.")
            print(_table(_measured(command(asked.kezuri), dive, os.path.abspath(archive), scratch, asked.runs)))
    except (Failed, OSError) as failed:
        print(f"benchmarks: {failed}", file=sys.stderr)
        return 1
    return 0


def _measured(kezuri: list[str], dive: str | None, archive: str, scratch: str, runs: int) -> dict[str, list[Cost]]:
    """Each look in every round, in an order that is drawn anew."""
    store = f"{scratch}/store"
    image = f"docker-archive:{archive}"
    look = [*kezuri, "--root", store, "analyze", "--format", "json", image]

    def first() -> Cost:
        shutil.rmtree(store, ignore_errors=True)
        return measured([look], {}, memory=True)

    def second() -> Cost:
        measured([look], {})
        return measured([look], {}, memory=True)

    looks: dict[str, Callable[[], Cost]] = {"kezuri analyze, first look": first, "kezuri analyze, second look": second}
    if dive is not None:
        of_dive = [dive, "--source", "docker-archive", archive, "--json", f"{scratch}/dive.json"]
        looks["dive --json"] = lambda: measured([of_dive], {}, memory=True)
    _warm(archive)
    costs: dict[str, list[Cost]] = {name: [] for name in looks}
    for _ in range(runs):
        for name, run in random.sample(list(looks.items()), len(looks)):
            costs[name].append(run())
            say(f"  {name}: {costs[name][-1].wall:.2f} s")
    return costs


def _warm(path: str) -> None:
    """Have the file in the page cache, for all of them."""
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def _table(costs: dict[str, list[Cost]]) -> str:
    rows = ["| look | median | fastest | processor | memory |", "|---|---:|---:|---:|---:|"]
    for name, of in costs.items():
        walls = [cost.wall for cost in of]
        cpu = statistics.median(cost.cpu for cost in of)
        memory = max(cost.rss for cost in of) / 1000
        rows.append(
            f"| {name} | {statistics.median(walls):.2f} s | {min(walls):.2f} s | {cpu:.2f} s | {memory:.0f} MB |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
