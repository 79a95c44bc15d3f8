"""`python -m benchmarks.moving`: how long images take from a registry into a store and back, beside the peers."""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack

from benchmarks.comparison import Result, table
from benchmarks.dockerd import remove
from benchmarks.machine import command, ended, machine, say
from benchmarks.movers import Mover, movers
from benchmarks.processes import Failed, ask, measured
from benchmarks.registry import LocalRegistry, fill, make_context, make_image

WORKLOADS = {
    "pull-cold": (3, "an image of five layers into an empty store"),
    "pull-again": (15, "the same, which the store has already"),
    "push-cold": (3, "the same to an empty registry"),
    "push-again": (15, "the same to a registry that has it already"),
    "build-push": (3, "an image of five layers built of files and pushed, compression included, nothing known before"),
}
"""How often, and what."""


def main(argv: list[str]) -> int:
    """Measures what argv asks for; 0, or 1 when something that the measurement needs does not work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.moving", description=__doc__)
    parser.add_argument("--only", nargs="+", default=list(WORKLOADS), choices=WORKLOADS, metavar="NAME")
    parser.add_argument("--peers", nargs="*", metavar="NAME", help="these peers (default: those that are installed)")
    parser.add_argument("--runs", type=int, metavar="N", help="rounds of every workload (default: each its own)")
    parser.add_argument("--megabytes", type=int, default=500, metavar="N", help="size of the image (default 500)")
    parser.add_argument("--kezuri", metavar="PATH", help="the kezuri to measure (default: this Python's)")
    parser.add_argument("--scratch", metavar="DIR", help="where to work, on a disk (default: the temporary directory)")
    asked = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, ended)
    results: list[Result] = []
    try:
        with ExitStack() as stack:
            for name in ("docker-registry", "skopeo"):
                if shutil.which(name) is None:
                    raise Failed(f"{name} is not installed")
            scratch = tempfile.mkdtemp(prefix="kb", dir=asked.scratch)
            stack.callback(shutil.rmtree, scratch, ignore_errors=True)
            stack.callback(remove, scratch)
            layout = f"{scratch}/layout"
            make_image(layout, asked.megabytes)
            context = f"{scratch}/context"
            make_context(context, asked.megabytes if "build-push" in asked.only else 0)
            registry = stack.enter_context(LocalRegistry(f"{scratch}/registry"))
            found, absent = movers(stack, asked.peers, command(asked.kezuri), scratch)
            print(machine())
            print(
                f"An image of {asked.megabytes} MB. Programs: {'; '.join(f'{m.name} ({m.version()})' for m in found)}."
            )
            for reason in absent:
                print(f"Not measured: {reason}")
            for name in WORKLOADS:
                if name in asked.only:
                    rounds = asked.runs or WORKLOADS[name][0]
                    results += _compare(name, found, registry, layout, context, rounds)
    except (Failed, OSError) as failed:
        print(f"benchmarks: {failed}", file=sys.stderr)
        return 1
    finally:
        if results:
            print(table(results))
    return 0


def _compare(
    workload: str, found: list[Mover], registry: LocalRegistry, layout: str, context: str, rounds: int
) -> list[Result]:
    """Every mover in turn, in an order that changes from round to round; a first one of each is not counted."""
    say(f"{workload}: {WORKLOADS[workload][1]}")
    reference = fill(registry, layout)
    if workload == "build-push":
        found = [mover for mover in found if mover.ship(context, reference)]
    results = [Result(workload, mover.name, 1, []) for mover in found]
    for mover in found:
        ask(mover.pull(reference), mover.environ)
    for round_ in range(rounds):
        order = list(zip(found, results, strict=True))
        random.shuffle(order)
        for mover, result in order:
            if workload in ("pull-cold", "build-push"):
                mover.forget()
            if workload in ("push-cold", "build-push"):
                registry.forget()
            os.sync()  # nobody pays for what another one wrote
            if workload == "build-push":
                commands = mover.ship(context, reference)
            else:
                commands = [mover.push(reference) if workload.startswith("push") else mover.pull(reference)]
            result.costs.append(measured(commands, mover.environ, mover.daemon))
            say(f"  round {round_ + 1} {mover.name}: {result.costs[-1].wall:.3f} s")
    return results


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
