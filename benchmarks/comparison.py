"""The measurement itself: every builder in turn, round after round, and what is made of it."""

import os
import random
import shutil
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.builders import Builder
from benchmarks.processes import Cost, ask, measured
from benchmarks.workloads import Workload, work_of


class Result(NamedTuple):
    """What one builder took for one workload: one cost a round."""

    workload: str
    builder: str
    steps: int
    costs: list[Cost]

    def median(self) -> float:
        """Seconds of wall time, of a step where a workload counts them."""
        return statistics.median(cost.wall for cost in self.costs) / self.steps

    def document(self) -> dict[str, object]:
        """For --json. Seconds and KiB."""
        return {
            "workload": self.workload,
            "builder": self.builder,
            "steps": self.steps,
            "median_wall_per_step": self.median(),
            "runs": [cost._asdict() for cost in self.costs],
        }


def compare(
    workload: Workload, builders: Sequence[Builder], scratch: str, base: str, rounds: int, say: Callable[[str], None]
) -> list[Result]:
    """Builds `rounds` times with every builder, one after the other in an order that changes from round to round.
    Where the cache matters, a first build by each of them is not counted. Raises Failed."""
    # Peers that differ only in how an image leaves have nothing to say where none does.
    builders = [builder for builder in builders if workload.layout or "+" not in builder.name]
    context = f"{scratch}/{workload.name}"
    say(f"{workload.name}: {workload.about}")
    workload.make(context, base)
    os.sync()
    results = [Result(workload.name, builder.name, workload.steps, []) for builder in builders]
    if not workload.fresh:
        for builder in builders:
            warm = builder.commands(work_of(workload, context, "")._replace(cold=False))
            for argv in warm.argvs:
                ask(argv, warm.environ)
    try:
        for round_ in range(rounds):
            if workload.before is not None:
                workload.before(context, round_)
            order = list(zip(builders, results, strict=True))
            random.shuffle(order)
            for builder, result in order:
                result.costs.append(_once(workload, builder, scratch, context))
                say(f"  round {round_ + 1} {builder.name}: {result.costs[-1].wall:.3f} s")
    finally:
        shutil.rmtree(context, ignore_errors=True)
    return results


def _once(workload: Workload, builder: Builder, scratch: str, context: str) -> Cost:
    layout = f"{scratch}/layout"
    if workload.fresh:
        builder.forget()
    os.sync()  # nobody pays for what another one wrote
    try:
        commands = builder.commands(work_of(workload, context, layout))
        return measured(commands.argvs, commands.environ, commands.daemon, memory=workload.fresh)
    finally:
        shutil.rmtree(layout, ignore_errors=True)


def table(results: Sequence[Result]) -> str:
    """Medians, and how many times kezuri's each of them is."""
    ours = {result.workload: result.median() for result in results if result.builder == "kezuri"}
    lines = [
        "| workload | builder | runs | median | best | of kezuri's time | CPU s | RSS MB | PSS MB |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for result in results:
        median, best = result.median(), min(cost.wall for cost in result.costs) / result.steps
        cpu = statistics.median(cost.cpu for cost in result.costs) / result.steps
        rss, pss = (max(getattr(cost, field) for cost in result.costs) / 1000 * 1.024 for field in ("rss", "pss"))
        ratio = f"{median / ours[result.workload]:.2f}" if result.workload in ours else ""
        memory = f"{rss:.0f} | {pss:.0f}" if rss else " | "
        lines.append(
            f"| {result.workload} | {result.builder} | {len(result.costs)} | {_time(median)} | {_time(best)} | {ratio} "
            f"| {cpu:.3f} | {memory} |"
        )
    return "\n".join(lines)


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
