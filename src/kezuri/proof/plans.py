"""Two plans compared, stage by stage and operation by operation, without building anything."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.keys.alignment import Line, align
from kezuri.keys.components import copy_components, run_components, workdir_components
from kezuri.keys.difference import differences
from kezuri.keys.options import RunSettings
from kezuri.keys.state import SCRATCH
from kezuri.plan.facts import Survey
from kezuri.plan.inputs import BaseImage, Choice, ContextInput, Input, Remote, StageInput
from kezuri.plan.key import Components
from kezuri.plan.operation import CacheMount, CopyOperation, Operation, Plan, RunOperation, StagePlan, WorkdirOperation
from kezuri.proof.configs import config_differences
from kezuri.proof.difference import Difference
from kezuri.tree.tree import clean

_PASSED_OVER = ("version", "state before")
"""Components that say nothing of the operation itself: what lies before it is compared by itself."""

Named = Callable[[int], str]
"""What the stage with this number is called in a comparison: the same in both plans where it is the same stage."""


class Pairs(NamedTuple):
    """Which stage of one plan is which of the other: for each stage of the second its partner in the first, or None."""

    before: tuple[StagePlan, ...]
    after: tuple[StagePlan, ...]
    partners: tuple[int | None, ...]

    def names(self) -> tuple[Named, Named]:
        """What the stages are called, on either side."""
        old = {stage.number: f"stage {index}" for index, stage in enumerate(self.before)}
        new = {
            stage.number: f"stage {partner}" if partner is not None else f"new stage {index}"
            for index, (stage, partner) in enumerate(zip(self.after, self.partners))
        }
        return (lambda number: old.get(number, f"#{number}")), (lambda number: new.get(number, f"#{number}"))


def plan_differences(before: Plan, after: Plan) -> tuple[Difference, ...]:
    """What is not the same in two plans; nothing exactly when building them gives the same."""
    pairs = paired(before.stages, after.stages)
    old, new = pairs.names()
    found = list(_stages(pairs))
    wanted, now = [old(number) for number in before.wanted], [new(number) for number in after.wanted]
    if wanted != now:
        found.append(Difference("target", _titles(before, before.wanted), _titles(after, after.wanted)))
    for name, one, two in (
        ("contexts", ", ".join(sorted(before.contexts)), ", ".join(sorted(after.contexts))),
        ("epoch", _or_none(before.epoch), _or_none(after.epoch)),
    ):
        if one != two:
            found.append(Difference(name, one, two))
    return tuple(found)


def survey_differences(before: Survey, after: Survey) -> tuple[Difference, ...]:
    """What is not the same in two files as far as they can be planned: every stage, also past errors."""
    pairs = paired(*(tuple(f.plan for f in survey.stages if f.plan is not None) for survey in (before, after)))
    found = list(_stages(pairs))
    old, new = pairs.names()
    if before.target >= 0 <= after.target and old(before.target) != new(after.target):
        found.append(Difference("target", old(before.target), new(after.target)))
    was, now = _errors(before.errors), _errors(after.errors)
    found += [Difference("error.gone", message, None) for message in was if message not in now]
    found += [Difference("error.new", None, message) for message in now if message not in was]
    return tuple(found)


def paired(before: Sequence[StagePlan], after: Sequence[StagePlan]) -> Pairs:
    """The stages laid side by side: those of one name first (a name that two stages have says nothing), then what is
    alike, then by order."""
    partners: list[int | None] = [None] * len(after)
    free = dict(enumerate(before))
    names = [[(stage.name.lower(), stage.platform) for stage in side] for side in (before, after)]
    once = [{name for name, count in Counter(side).items() if count == 1 and name[0]} for side in names]
    by_name = {name: index for index, name in enumerate(names[0]) if name in once[0] & once[1]}
    for index, name in enumerate(names[1]):
        at = by_name.get(name)
        if at is not None:
            partners[index] = at
            del free[at]
    rest = [index for index, partner in enumerate(partners) if partner is None]
    left = list(free)
    aligned = align([_line_of_stage(before[index]) for index in left], [_line_of_stage(after[index]) for index in rest])
    for index, found in zip(rest, aligned):
        if found is not None:
            partners[index] = left[found]
            del free[left[found]]
    unlike = [index for index in rest if partners[index] is None]
    if len(unlike) == len(free):
        # Edited beyond recognition, or so short that there is little to recognise: their order is left.
        for index, at in zip(unlike, tuple(free)):
            partners[index] = at
    return Pairs(tuple(before), tuple(after), tuple(partners))


def _stages(pairs: Pairs) -> Iterator[Difference]:
    old, new = pairs.names()
    kept = set(pairs.partners)
    for index in range(len(pairs.before)):
        if index not in kept:
            yield Difference("stage.gone", _title(pairs.before[index]), None)
    for stage, partner in zip(pairs.after, pairs.partners):
        if partner is None:
            yield Difference("stage.new", None, _title(stage))
        else:
            yield from _stage(pairs.before[partner], stage, old, new)


def _stage(before: StagePlan, after: StagePlan, old: Named, new: Named) -> Iterator[Difference]:
    where = _title(after)
    if before.name.lower() != after.name.lower():
        yield Difference("stage.name", before.name or None, after.name or None, where)
    if before.platform != after.platform:
        yield Difference("stage.platform", str(before.platform), str(after.platform), where)
    one, two = _base(before.base, old), _base(after.base, new)
    if one != two:
        yield Difference("base", one, two, where)
    else:
        was, now = (stage.base.source.text if isinstance(stage.base, BaseImage) else "" for stage in (before, after))
        if was != now:
            yield Difference("base.name", was, now, where)
    yield from _operations(before, after, old, new)
    yield from config_differences(
        before.config._replace(platform=after.config.platform) if before.platform != after.platform else before.config,
        after.config,
        where,
    )
    lines = [[item.created_by for item in stage.history] for stage in (before, after)]
    if lines[0] != lines[1]:
        gone = [line for line in lines[0] if line not in lines[1]]
        came = [line for line in lines[1] if line not in lines[0]]
        yield Difference("history", "\n".join(gone or lines[0]), "\n".join(came or lines[1]), where)


def _operations(before: StagePlan, after: StagePlan, old: Named, new: Named) -> Iterator[Difference]:
    ours = [(operation, components(operation, old)) for operation in before.operations]
    theirs = [(operation, components(operation, new)) for operation in after.operations]
    if [parts for _, parts in ours] == [parts for _, parts in theirs]:
        return
    partners = align([_line(*pair) for pair in ours], [_line(*pair) for pair in theirs])
    kept = set(partners)
    gone = [pair for index, pair in enumerate(ours) if index not in kept]
    for (operation, parts), partner in zip(theirs, partners):
        if partner is not None:
            for found in differences(_counted(ours[partner][1]), _counted(parts)):
                yield Difference(found.name, found.before, found.after, _place(after, operation))
            continue
        moved = next((pair for pair in gone if pair[1] == parts), None)
        if moved is not None:
            gone.remove(moved)
        name = "operation.new" if moved is None else "operation.moved"
        yield Difference(name, None if moved is None else moved[0].title, operation.title, _title(after))
    for operation, _ in gone:
        yield Difference("operation.gone", operation.title, None, _title(after))


def components(operation: Operation, named: Named) -> Components:
    """What the operation is, part by part: its key with what it takes named instead of read, and with what a key leaves
    out since only later builds notice it."""
    match operation:
        case RunOperation():
            parts = list(run_components(operation, SCRATCH, RunSettings(), {}))
            parts += [(name, _input(source, named)) for name, source in operation.input_components]
            for mount in operation.mounts:
                if isinstance(mount, CacheMount):
                    parts.append((f"mount {mount.target} kept as", f"{mount.id} {mount.sharing} {mount.source}"))
            parts.append(("arguments", ", ".join(operation.arguments)))
            return tuple(parts)
        case CopyOperation():
            files = [("files", _piece(piece, named)) for _, piece in operation.pieces]
            parts = list(copy_components(operation, SCRATCH, tuple(files)))
            if operation.add and operation.unpack is None:
                parts.append(("unpack", "archives of this machine"))
            return tuple(parts)
        case WorkdirOperation():
            return workdir_components(operation, SCRATCH)


def _counted(parts: Components) -> Components:
    return tuple(part for part in parts if part[0] not in _PASSED_OVER)


def _line(operation: Operation, parts: Components) -> Line:
    """What an operation is recognised by: its own words, not its surroundings, which may change for all at once."""
    kind = "COPY" if isinstance(operation, CopyOperation) else operation.kind
    own = [part for part in parts if part[0] in ("command", "script", "files", "destination", "path")]
    return Line(kind, json.dumps(own) if kind != "RUN" else "\n".join(value for _, value in own))


def _line_of_stage(stage: StagePlan) -> Line:
    return Line("stage", "\n".join((stage.base_title, *(operation.title for operation in stage.operations))))


def _piece(piece: Choice | Remote, named: Named) -> str:
    if not isinstance(piece, Choice):
        return json.dumps([type(piece).__name__, *piece])
    words = piece.sources if piece.parents else tuple(map(clean, piece.sources))
    return json.dumps([_input(piece.input, named), words])


def _input(source: Input, named: Named) -> str:
    if isinstance(source, StageInput):
        return named(source.stage)
    if isinstance(source, ContextInput):
        return f"context {source.name}".strip()
    return f"image {source.image.digest or source.image.name}"


def _base(base: BaseImage | StageInput | None, named: Named) -> str:
    if base is None:
        return "scratch"
    if isinstance(base, StageInput):
        return named(base.stage)
    return base.digest or base.name


def _title(stage: StagePlan) -> str:
    return stage.name or stage.label or f"stage {stage.ordinal}"


def _titles(plan: Plan, numbers: Sequence[int]) -> str:
    return ", ".join(_title(plan.stage(number)) for number in numbers)


def _place(stage: StagePlan, operation: Operation) -> str:
    title = operation.title.partition("\n")[0]
    return f"{_title(stage)}: {title if len(title) <= 80 else title[:77] + '...'}"


def _errors(errors: Sequence[KezuriError]) -> Mapping[str, None]:
    return dict.fromkeys(diagnostic.message for error in errors for diagnostic in error.diagnostics)


def _or_none(value: int | None) -> str | None:
    return None if value is None else str(value)
