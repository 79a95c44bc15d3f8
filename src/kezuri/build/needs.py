"""What the stages of a plan need of each other's layers, found before anything is built."""

from kezuri.plan.inputs import ContextInput, StageInput
from kezuri.plan.operation import Plan, StagePlan


class Needs:
    """Looks through one plan. An operation is named by its stage's number and its position in the stage.

    `directories` are the operations whose layers are wanted as directories: something is mounted on them (a later RUN,
    a stage based on theirs that has one), or a step takes files from their stage. `exported` are the stages whose
    layers are part of what leaves: the targets', and what these stand on.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._stages = {stage.number: stage for stage in plan.stages}
        self.exported = {number for target in plan.wanted for number in self._chain(target)}
        self.directories = self._directories()

    def reads_directories(self) -> bool:
        """Whether something is mounted on layers, or files are taken from them: all but copies from contexts do so."""
        operations = [operation for stage in self._plan.stages for operation in stage.operations]
        return any(
            operation.kind == "RUN" or not all(isinstance(source, ContextInput) for source in operation.inputs)
            for operation in operations
        )

    def _chain(self, number: int) -> set[int]:
        """The stage and those that it is based on."""
        chain = {number}
        while isinstance(base := self._stages[number].base, StageInput):
            number = base.stage
            chain.add(number)
        return chain

    def _directories(self) -> set[tuple[int, int]]:
        mounted: dict[int, int] = {}

        def mount(stage: StagePlan, position: int) -> None:
            while mounted.get(stage.number, -1) < position:
                mounted[stage.number] = position
                if not isinstance(stage.base, StageInput):
                    return
                stage = self._stages[stage.base.stage]
                position = len(stage.operations)

        for stage in self._plan.stages:
            for position, operation in enumerate(stage.operations):
                if operation.kind == "RUN":
                    mount(stage, position)
                for source in operation.inputs:
                    if isinstance(source, StageInput):
                        other = self._stages[source.stage]
                        mount(other, len(other.operations))
        return {(number, i) for number, position in mounted.items() for i in range(position)}
