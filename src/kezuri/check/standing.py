"""On what a stage of the file stands, as written and, where that is known, as evaluated."""

from typing import TYPE_CHECKING

from kezuri.plan.inputs import BaseImage
from kezuri.plan.operation import RunOperation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kezuri.check.subject import Subject
    from kezuri.dockerfile.instructions import Run
    from kezuri.oci.config import ImageConfig


def bases(subject: "Subject") -> "Mapping[int, int]":
    """For each stage that stands on another one of the file: which, by number."""
    noted = subject.notes.get("bases")
    if isinstance(noted, dict):
        return noted
    names: dict[str, int] = {}
    found: dict[int, int] = {}
    for stage in subject.stages:
        if stage.start.image in names:
            found[stage.number] = names[stage.start.image]
        if stage.start.name:
            names[stage.start.written_name or ""] = names[stage.start.name] = stage.number
    subject.notes["bases"] = found
    return found


def ancestors(subject: "Subject", stage: int) -> tuple[int, ...]:
    """The stage itself, then those that it stands on."""
    below, found = bases(subject), [stage]
    while found[-1] in below:
        found.append(below[found[-1]])
    return tuple(found)


def shipped(subject: "Subject") -> tuple[int, ...]:
    """The stages that the last one is made of, by number: the last itself, then what it stands on. Empty where the
    file has none."""
    return ancestors(subject, len(subject.stages) - 1) if subject.stages else ()


def related(subject: "Subject", stages: "Iterable[int]") -> set[int]:
    """The stages themselves, those that they stand on, and those that stand on them."""
    below, above = bases(subject), set(stages)
    found = set(above)
    for stage in above:
        while stage in below and below[stage] not in found:
            stage = below[stage]
            found.add(stage)
    for written in subject.stages:
        if below.get(written.number, -1) in above:
            above.add(written.number)
    return found | above


def base_config(subject: "Subject", number: int) -> "ImageConfig | None":
    """The config of the image at the bottom of a stage; None where it is not known, or there is none."""
    facts = subject.evaluated.get(number)
    if facts is None or subject.guessed(facts):
        return None
    last = subject.lowest(number)
    base = last.plan.base if last.plan is not None else None
    return base.config if isinstance(base, BaseImage) else None


def base_directory(subject: "Subject", number: int) -> str | None:
    """Where the image at the bottom of a stage works: `/` where it says nothing, or is scratch. None where it is not
    known."""
    facts = subject.evaluated.get(number)
    if facts is None or facts.plan is None or subject.guessed(facts):
        return None
    base = base_config(subject, number)
    return (base.working_dir if base is not None else "") or "/"


def run_operation(subject: "Subject", stage: int, run: "Run") -> RunOperation | None:
    """A RUN of a stage as evaluated: as whom and where it runs. None where that is not known."""
    facts = subject.evaluated.get(stage)
    if facts is None or facts.plan is None or subject.guessed(facts):
        return None
    found = (o for o in facts.plan.operations if isinstance(o, RunOperation))
    return next((o for o in found if o.node.number == run.node.number and o.node.source is run.node.source), None)
