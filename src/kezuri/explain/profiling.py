"""The builds of a project laid over each other: for each instruction what it took, how often it ran, and why."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from kezuri.cache.journal import JournalBuild, JournalStage, JournalStep
from kezuri.explain.answers import Explanation
from kezuri.explain.discretion import discreet
from kezuri.explain.pairing import counterparts
from kezuri.explain.profile import UNKNOWN, BaseCost, InstructionCost, Occasion, Profile


class LayerBytes(NamedTuple):
    """The bytes of a step's layer, as InstructionCost has them."""

    added: int
    wasted: int
    hides: int


_NOT_KNOWN = LayerBytes(UNKNOWN, UNKNOWN, UNKNOWN)


def profiled(
    builds: Sequence[tuple[JournalBuild, Explanation]], bytes_of: Mapping[int, LayerBytes], bases: Mapping[int, int]
) -> Profile:
    """The profile of the first of the builds, with what the others, the later ones first, say of its steps. `bytes_of`
    are the layers of its steps by number, `bases` the bytes of its stages' bases, by the stage's number."""
    build, explanation = builds[0]
    times: dict[int, list[Occasion]] = {step.number: [] for step in build.steps}
    for old, why in builds:
        pairs = {s.number: s for s in build.steps} if old is build else counterparts(build, old)
        because = {answer.step.number: answer.because for answer in why.steps}
        for number, was in pairs.items():
            if was.outcome != "not reached":
                heading = old.heading
                said = because.get(was.number, ())
                times[number].append(Occasion(heading.number, heading.began, was.outcome, was.seconds, said))
    shipped = {stage.number for top in wanted(build) for stage in chain(build, top)}
    several = len(build.heading.asked.platforms) > 1

    def label(stage: JournalStage) -> str:
        return f"{stage.label} {stage.platform}" if several else stage.label

    steps = [
        _cost(
            discreet(step),
            label(stage),
            bytes_of.get(step.number, _NOT_KNOWN),
            stage.number in shipped,
            times[step.number],
        )
        for stage in build.stages
        for step in stage.steps
    ]
    return Profile(
        build.heading,
        build.seconds,
        build.error,
        tuple(_base(stage, label(stage), bases.get(stage.number, UNKNOWN)) for stage in build.stages),
        tuple(steps),
        tuple(old.heading for old, _ in builds),
        explanation.quiet,
        explanation,
    )


def _cost(step: JournalStep, label: str, size: LayerBytes, shipped: bool, times: Sequence[Occasion]) -> InstructionCost:
    return InstructionCost(
        step.number,
        step.stage,
        label,
        step.place,
        step.kind,
        step.title,
        step.line,
        step.outcome,
        step.start,
        step.seconds,
        *size,
        shipped,
        tuple(times),
    )


def _base(stage: JournalStage, label: str, size: int) -> BaseCost:
    name = "" if stage.base_kind == "stage" else stage.base
    return BaseCost(stage.number, label, name, size, stage.start, stage.seconds)


def wanted(build: JournalBuild) -> Iterator[JournalStage]:
    """The stages whose images were built: those that no other one needs."""
    needed = {stage.base_stage for stage in build.stages}
    needed.update(source.stage for step in build.steps for source in step.sources)
    return (stage for stage in build.stages if stage.number not in needed)


def chain(build: JournalBuild, stage: JournalStage) -> tuple[JournalStage, ...]:
    """The stage below the others, those that stand on it, and at last this one."""
    found = [stage]
    seen = {stage.number}
    while found[0].base_stage >= 0 and found[0].base_stage not in seen:
        below = build.stage(found[0].base_stage)
        if below is None:
            break
        seen.add(below.number)
        found.insert(0, below)
    return tuple(found)
