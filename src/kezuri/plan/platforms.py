"""One build for several platforms: a plan for each, put together so that what is the same for two exists once."""

from collections.abc import Sequence
from typing import TypeVar

from kezuri.diagnostics import KezuriError
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import Input, StageInput
from kezuri.plan.operation import HistoryItem, Plan, StagePlan, Target

_Valued = TypeVar("_Valued", StageInput, Input)

_ITSELF = -2
"""What a stage's own history calls the stage while it is compared: its number is not known yet."""


def merge(plans: Sequence[tuple[Platform, Plan]]) -> Plan:
    """The plans of one Dockerfile for several platforms as one graph.

    Stages that are equal, with everything that they stand on and copy from, are one stage: what does not ask for its
    target runs once. A shared stage keeps the place that its first platform gave it; numbers go on where the file's
    end. The targets stand in the order given.
    """
    following = 1 + max((stage.number for _, plan in plans for stage in plan.stages), default=-1)
    taken: set[int] = set()
    merged: list[StagePlan] = []
    known: dict[int, list[tuple[StagePlan, int]]] = {}
    targets: list[Target] = []
    contexts: dict[str, None] = {}
    for platform, plan in plans:
        numbers: dict[int, int] = {}
        for stage in plan.stages:
            form = _refer(stage, {**numbers, stage.number: _ITSELF})._replace(number=_ITSELF)
            twin = next((number for other, number in known.get(stage.number, ()) if other == form), None)
            if twin is None:
                twin = stage.number
                if twin in taken:
                    twin, following = following, following + 1
                taken.add(twin)
                known.setdefault(stage.number, []).append((form, twin))
                placed = _refer(stage, {**numbers, stage.number: twin})
                merged.append(placed._replace(number=twin, written=stage.number))
            numbers[stage.number] = twin
        targets.append(Target(platform, numbers[plan.target]))
        contexts.update(dict.fromkeys(plan.contexts))
    epochs = {plan.epoch for _, plan in plans}
    if len(epochs) > 1:
        raise KezuriError.of("SOURCE_DATE_EPOCH differs from platform to platform")
    return Plan(tuple(merged), targets[0].stage, tuple(contexts), tuple(targets), *epochs)


def _refer(stage: StagePlan, numbers: dict[int, int]) -> StagePlan:
    """The stage with every reference to another stage, and to itself, changed as the mapping says."""

    def renumbered(source: _Valued) -> _Valued:
        return StageInput(numbers[source.stage]) if isinstance(source, StageInput) else source

    return stage._replace(
        base=renumbered(stage.base) if isinstance(stage.base, StageInput) else stage.base,
        operations=tuple(operation.with_inputs(renumbered) for operation in stage.operations),
        history=tuple(_item(item, numbers) for item in stage.history),
    )


def _item(item: HistoryItem, numbers: dict[int, int]) -> HistoryItem:
    return item._replace(stage=numbers[item.stage]) if item.stage >= 0 else item
