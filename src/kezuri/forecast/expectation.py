"""What a build that is about to run steps may take, told from earlier builds alone: no key is computed for it."""

from collections.abc import Sequence
from time import time

from kezuri.build.telling import Titles
from kezuri.forecast.durations import Durations, spread
from kezuri.forecast.schedule import lanes_of, makespan
from kezuri.plan.operation import Plan
from kezuri.progress.expected import Expected


def expectation(plan: Plan, ahead: Sequence[tuple[int, int]], durations: Durations, parallelism: int) -> Expected:
    """Of the steps `ahead` (by stage and position), all of which may run: some may still be found, when what comes
    before them gives the same files as ever."""
    titles = Titles(plan)
    names = {}
    known: dict[tuple[int, int], tuple[float, float]] = {}
    whole = True
    for number, position in ahead:
        stage = plan.stage(number)
        operation = stage.operations[position]
        names[(number, position)] = titles.step(stage, position)
        runs = durations.of(operation.kind, operation.title)
        if runs:
            known[(number, position)] = spread(runs)
        elif operation.kind == "RUN":
            whole = False
    low, high = (
        makespan(lanes_of(plan, {place: ends[end] for place, ends in known.items()}), max(1, parallelism))
        if whole
        else 0.0
        for end in (0, 1)
    )
    return Expected(time(), frozenset(names.values()), {names[place]: ends for place, ends in known.items()}, low, high)
