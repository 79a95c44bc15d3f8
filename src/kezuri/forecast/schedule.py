"""How long work takes on the clock when stages run beside each other, with known times of the steps."""

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import NamedTuple

from kezuri.plan.inputs import StageInput
from kezuri.plan.operation import Plan


class Lane(NamedTuple):
    """A stage as a row of steps: `after` is the stage that it stands on (-1: none), `steps` are (seconds, stages
    whose end each needs)."""

    after: int
    steps: tuple[tuple[float, tuple[int, ...]], ...]


def lanes_of(plan: Plan, seconds: Mapping[tuple[int, int], float]) -> dict[int, Lane]:
    """The stages of a plan as lanes, with the seconds of the steps that run, by stage and position."""
    lanes = {}
    for stage in plan.stages:
        after = stage.base.stage if isinstance(stage.base, StageInput) else -1
        steps = []
        for position, operation in enumerate(stage.operations):
            needs = tuple(source.stage for source in operation.key_inputs if isinstance(source, StageInput))
            steps.append((seconds.get((stage.number, position), 0.0), needs))
        lanes[stage.number] = Lane(after, tuple(steps))
    return lanes


def makespan(lanes: Mapping[int, Lane], slots: int) -> float:
    """Seconds until every lane has ended, with at most `slots` steps at a time. Lanes are given each after those it
    needs; steps of no duration take no slot."""
    ended: dict[int, float] = {}
    position = dict.fromkeys(lanes, 0)
    busy: list[tuple[float, int]] = []
    running: set[int] = set()
    now = 0.0
    while True:
        moved = True
        while moved:
            moved = False
            for number, lane in lanes.items():
                if number in ended or number in running or (lane.after >= 0 and lane.after not in ended):
                    continue
                while position[number] < len(lane.steps):
                    seconds, needs = lane.steps[position[number]]
                    if any(need not in ended for need in needs):
                        break
                    if seconds > 0:
                        if len(busy) < slots:
                            heappush(busy, (now + seconds, number))
                            running.add(number)
                        break
                    position[number] += 1
                    moved = True
                if position[number] == len(lane.steps):
                    ended[number] = now
                    moved = True
        if not busy:
            return now
        now, number = heappop(busy)
        running.discard(number)
        position[number] += 1


def critical_path(lanes: Mapping[int, Lane]) -> tuple[tuple[int, int], ...]:
    """The chain of steps, each of which waits for the one before, that takes longest: as (lane, position). No number of
    slots makes the whole faster than that. Steps of no duration are left out."""
    ends: dict[int, tuple[float, tuple[int, int] | None]] = {-1: (0.0, None)}
    before: dict[tuple[int, int], tuple[int, int] | None] = {}
    for number, lane in lanes.items():
        now, last = ends[lane.after]
        for position, (seconds, needs) in enumerate(lane.steps):
            for need in needs:
                now, last = max((now, last), ends[need], key=lambda end: end[0])
            if seconds > 0:
                before[(number, position)] = last
                now, last = now + seconds, (number, position)
        ends[number] = (now, last)
    path = []
    _, at = max(ends.values(), key=lambda end: end[0])
    while at is not None:
        path.append(at)
        at = before[at]
    return tuple(reversed(path))
