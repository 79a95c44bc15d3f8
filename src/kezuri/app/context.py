"""`context`: what instructions read of the build context, what the ignore file hides, and what nobody reads."""

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import NamedTuple

from kezuri.app.definition import Definition
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.session import Session
from kezuri.check.rules.context_files import LARGE, SECRETS
from kezuri.diagnostics import KezuriError
from kezuri.forecast.context_tree import ContextTree
from kezuri.forecast.context_use import ContextUse, Taking, takings, use_of
from kezuri.plan.facts import Survey
from kezuri.plan.inputs import Choice, ContextInput, StageInput
from kezuri.plan.operation import StagePlan
from kezuri.progress.events import Listener
from kezuri.progress.reporter import Reporter
from kezuri.source.context_walk import Lying, lying
from kezuri.tree.tree import Tree


class Looked(NamedTuple):
    """A context that was looked at: what is done with it, its files, what instructions take, all that was planned, and
    the trees by name."""

    session: Session
    use: ContextUse
    tree: ContextTree
    taken: tuple[Taking, ...]
    surveys: tuple[Survey, ...]
    trees: Mapping[str, Tree]
    definition: Definition


def context_use(request: BuildRequest, settings: Settings, listener: Listener) -> ContextUse:
    """What the instructions of every stage read of the context that a build would have. KezuriError where a stage that
    the target needs cannot be planned, or something that is named is not there. Only documents of images are
    fetched."""
    with ExitStack() as held:
        return looked(request, settings, listener, held).use


def looked(request: BuildRequest, settings: Settings, listener: Listener, held: ExitStack) -> Looked:
    """The same, with what it was found out from, open as long as `held` is."""

    session = held.enter_context(Session(settings, pull=request.pull, reading=True))
    definition = Definition(request, session, Reporter(listener), listener, held)
    surveys = definition.surveys()
    told = []
    for survey in surveys:
        if survey.errors:
            raise KezuriError(
                *dict.fromkeys(d for e in survey.errors for d in e.diagnostics),
                exit_code=max(e.exit_code for e in survey.errors),
            )
        told += [f"{source.text}: {error}" for source, error in survey.absent.items()]
    stages = list(_stages(surveys))
    context = definition.context
    trees = trees_of(stages, definition)
    taken = tuple(takings(stages, trees))
    ignore = context.ignore
    written = ignore.source.text.split("\n") if ignore is not None else []
    name = ignore.source.name if ignore is not None else ""

    def line(number: int) -> str:
        return written[number - 1].strip() if 0 < number <= len(written) else ""

    every = lying(context.root, ignore) if context.root else shown(context.tree)
    wanted = {number for survey in surveys for number in _needed(survey)}
    use, tree = use_of(
        *(
            context.root,
            os.path.normpath(context.dockerfile.name),
            (name, line),
            every,
            taken,
            wanted,
            needless,
            _own(definition),
        ),
    )
    use = use._replace(told=(*use.told, *dict.fromkeys(told)))
    return Looked(session, use, tree, taken, surveys, trees, definition)


def trees_of(stages: Iterable[StagePlan], definition: Definition) -> Mapping[str, Tree]:
    """The trees of all contexts that the stages take files from, by name, the build context's under the empty one."""
    names = {name for stage in stages for name in _contexts(stage)}
    return {"": definition.context.tree, **{name: definition.tree(name) for name in names}}


def needless(path: str) -> bool:
    """Whether hardly any image needs what is at this path of a context: caches, histories, files of passwords."""
    name = path.rpartition("/")[2]
    return name in LARGE or name in SECRETS or path.endswith(tuple(f"/{each}" for each in LARGE if "/" in each))


def _own(definition: Definition) -> Iterable[str]:
    """The files of the context that are read whatever is copied: the Dockerfile and the ignore file, as paths in it."""
    context = definition.context
    if not context.root:
        return ()
    names = [os.path.join(context.directory, os.path.basename(context.dockerfile.name))] if context.directory else []
    if context.ignore is not None:
        names.append(ignore_paths(definition)[0])
    prefix = context.root.rstrip("/") + "/"
    return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]


def _stages(surveys: Iterable[Survey]) -> Iterable[StagePlan]:
    """The stages of all platforms; those that take the same several times over are there once."""
    seen = set()
    for survey in surveys:
        for facts in sorted(survey.stages, key=lambda facts: facts.number):
            if facts.plan is not None:
                pieces = (piece for operation in facts.plan.operations for _, piece in operation.pieces)
                key = (facts.number, tuple(p for p in pieces if isinstance(p, Choice) and _of_context(p)))
                if key not in seen:
                    seen.add(key)
                    yield facts.plan


def _of_context(choice: Choice) -> bool:
    return isinstance(choice.input, ContextInput)


def _contexts(stage: StagePlan) -> Iterable[str]:
    """The names of the named contexts that a stage takes files from."""
    inputs = (source for operation in stage.operations for source in operation.inputs)
    return (source.name for source in inputs if isinstance(source, ContextInput) and source.name)


def _needed(survey: Survey) -> Iterable[int]:
    """The stages that the target needs, and itself."""
    plans = {facts.number: facts.plan for facts in survey.stages}
    todo, seen = [survey.target], set()
    while todo:
        number = todo.pop()
        plan = plans.get(number)
        if number in seen or plan is None:
            continue
        seen.add(number)
        sources = [plan.base, *(source for operation in plan.operations for source in operation.inputs)]
        todo += [source.stage for source in sources if isinstance(source, StageInput)]
    return seen


def shown(tree: Tree) -> Iterable[Lying]:
    """What a context's tree shows: of a directory what is not hidden, of an archive all."""
    todo = [""]
    while todo:
        for found in tree.scan(todo.pop()):
            entry = found.entry
            yield Lying(entry.path, entry.size if entry.kind == "file" else 0, entry.kind == "dir")
            if entry.kind == "dir":
                todo.append(entry.path)


def ignore_paths(definition: Definition) -> tuple[str, str]:
    """Where the ignore file lies that holds, empty for none, and where one for this Dockerfile alone would lie, empty
    where the Dockerfile is no file here."""
    context = definition.context
    name = os.path.basename(context.dockerfile.name)
    beside = os.path.join(context.directory, f"{name}.dockerignore") if context.directory else ""
    own = os.path.join(context.root, ".dockerignore")
    container = os.path.join(context.root, ".containerignore")
    if context.ignore is None:
        return "", beside
    return next((path for path in (beside, own, container) if path and os.path.lexists(path)), ""), beside
