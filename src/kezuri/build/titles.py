"""What progress calls the steps of a plan, as values."""

from kezuri.diagnostics import KezuriError
from kezuri.plan.operation import BaseImage, Plan, StagePlan
from kezuri.progress.events import StepName


class Titles:
    """Names the steps of one plan."""

    def __init__(self, plan: Plan) -> None:
        self._platforms = bool(plan.targets)
        self._several = len(plan.stages) > 1

    def base(self, stage: StagePlan, image: BaseImage) -> StepName:
        """What the stage's FROM is called."""
        return self._name(stage, 0, f"FROM {_title(image)}")

    def step(self, stage: StagePlan, position: int) -> StepName:
        """What the operation at this position of the stage is called."""
        return self._name(stage, position + 1, stage.operations[position].title)

    def _name(self, stage: StagePlan, number: int, title: str) -> StepName:
        # An image counts as the first step; a stage and scratch do not.
        image = isinstance(stage.base, BaseImage)
        number, of = number + image, len(stage.operations) + image
        if not self._platforms:
            label = stage.label if stage.name or self._several or stage.number else ""
            return StepName(title, number, of, label)
        own = stage.platform
        operation = number - image
        named = stage.crossing[operation - 1] if 0 < operation <= len(stage.crossing) else None
        other = named is not None and (named.os, named.architecture) != (own.os, own.architecture)
        return StepName(title, number, of, stage.label, str(own), str(named) if other else "")


def _title(image: BaseImage) -> str:
    from kezuri.oci.reference import Reference

    if image.source.kind != "registry":
        return f"{image.name}@{image.digest}"
    try:
        reference = Reference.parse(image.source.text)
    except KezuriError:
        return image.name
    return f"{reference}" if reference.digest else f"{reference}@{image.digest}"
