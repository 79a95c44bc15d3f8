"""What runs again when an instruction, or a file that it takes, changes: by the plan, without looking at a cache."""

from typing import NamedTuple

from kezuri.dockerfile.instructions import Arg, Copy, Env, From, Instruction, Run, Shell, User, Workdir
from kezuri.plan.facts import Survey
from kezuri.plan.inputs import StageInput
from kezuri.plan.operation import Operation


class Follower(NamedTuple):
    """An operation that runs again, and the label of its stage. `perhaps`: only when the files that are taken from a
    stage that is built again are others."""

    stage: str
    operation: Operation
    perhaps: bool


def followers(survey: Survey, instruction: Instruction) -> tuple[Follower, ...]:
    """The operations that a change of the instruction makes run again, its own left out. LABEL, EXPOSE, CMD and the
    like change the image's config only: nothing runs."""
    if not isinstance(instruction, From | Run | Copy | Workdir | Env | Arg | User | Shell):
        return ()
    number = instruction.node.number
    sure: dict[int, bool] = {}
    """The stages whose files change, and whether they do for certain."""
    bearing: set[int] = set()
    """The stages whose later ones see another setting."""
    found: list[Follower] = []
    for facts in sorted(survey.stages, key=lambda facts: facts.number):
        plan = facts.plan
        if plan is None:
            continue
        base = plan.base.stage if isinstance(plan.base, StageInput) else -1
        level = sure.get(base, True if plan.node.number == number else None)
        own_stage = any(met.instruction.node.number == number for met in facts.met if not met.trigger)
        concerned = own_stage or base in bearing
        for operation in plan.operations:
            at = operation.node.number
            own = at == number
            later = at > number or not own_stage
            if concerned and level is not True and (own or (later and _sees(operation, instruction))):
                level = True
            takes = any(isinstance(source, StageInput) and source.stage in sure for source in operation.inputs)
            if level is None and takes:
                level = False
            if level is not None and not own and (takes or not operation.linked):
                found.append(Follower(plan.label, operation, not level))
        if level is not None:
            sure[facts.number] = level
        if concerned:
            bearing.add(facts.number)
    return tuple(found)


def _sees(operation: Operation, instruction: Instruction) -> bool:
    """Whether a change of a setting reaches the operation: variables and SHELL are seen by commands, USER and
    WORKDIR by all that stands on what was before."""
    if isinstance(instruction, Env | Arg | Shell):
        return operation.kind == "RUN"
    if isinstance(instruction, User):
        return operation.kind in ("RUN", "WORKDIR")
    return not operation.linked
