"""On what a stage of the file stands, as written and, where that is known, as evaluated."""

from typing import TYPE_CHECKING

from kezuri.plan.inputs import BaseImage
from kezuri.plan.operation import RunOperation

if TYPE_CHECKING:
    from kezuri.check.subject import Subject
    from kezuri.dockerfile.instructions import Run
    from kezuri.oci.config import ImageConfig


def shipped(subject: "Subject") -> tuple[int, ...]:
    """The stages that the last one is made of, by number: the last itself, then what it stands on. Empty where the
    file has none."""
    found = [len(subject.stages) - 1] if subject.stages else []
    while found:
        start = subject.stages[found[-1]].start
        below = [s.number for s in subject.stages[: found[-1]] if s.start.name and s.start.name == start.image]
        if not below:
            break
        found.append(below[-1])
    return tuple(found)


def base_config(subject: "Subject", number: int) -> "ImageConfig | None":
    """The config of the image at the bottom of a stage; None where it is not known, or there is none."""
    facts = subject.evaluated.get(number)
    if facts is None or subject.guessed(facts):
        return None
    *_, last = subject.chain(number)
    base = last.plan.base if last.plan is not None else None
    return base.config if isinstance(base, BaseImage) else None


def ancestry(subject: "Subject") -> dict[int, tuple[int, ...]]:
    """For each stage itself and those that it stands on."""
    names: dict[str, int] = {}
    found: dict[int, tuple[int, ...]] = {}
    for stage in subject.stages:
        below = names.get(stage.start.image)
        found[stage.number] = (stage.number, *(found[below] if below is not None else ()))
        if stage.start.name:
            names[stage.start.written_name or ""] = names[stage.start.name] = stage.number
    return found


def run_operation(subject: "Subject", stage: int, run: "Run") -> RunOperation | None:
    """A RUN of a stage as evaluated: as whom and where it runs. None where that is not known."""
    facts = subject.evaluated.get(stage)
    if facts is None or facts.plan is None or subject.guessed(facts):
        return None
    found = (o for o in facts.plan.operations if isinstance(o, RunOperation))
    return next((o for o in found if o.node.number == run.node.number and o.node.source is run.node.source), None)
