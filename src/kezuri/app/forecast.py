"""`plan`: what a build would do and what it would cost, and what a change of files would cause, without doing it."""

import os
from contextlib import ExitStack
from typing import NamedTuple

from kezuri.app.definition import Definition
from kezuri.app.request import BuildRequest, Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.forecast.expense import Expense, Pull, expense, pulls
from kezuri.forecast.forecast import NO_RESULT, Forecast, Foreseen, Step
from kezuri.keys.stepkeys import StepKeys
from kezuri.keys.trees import Context
from kezuri.plan.operation import BaseImage, Plan, StageInput, StagePlan
from kezuri.progress.events import Listener
from kezuri.progress.reporter import Reporter
from kezuri.tree.altered_tree import AlteredTree
from kezuri.tree.directory import DirectoryTree


class Stage(NamedTuple):
    """A stage and what it stands on; `first` is the number of its first step in what a build shows."""

    number: int
    label: str
    base: str
    first: int
    last: int


class Cause(NamedTuple):
    """A file that is thought to be changed: `given` as the user wrote it, `place` where that is.

    `role` is `file` (of a context), `dockerfile` or `ignore` (the plan itself may change), or `outside`.
    """

    given: str
    place: str
    role: str


class Change(NamedTuple):
    """What changes of the causes would do: the steps as they would then be, those of them that are not what they are
    without the changes (by stage and position), and the cost of these beyond what a build costs anyway."""

    causes: tuple[Cause, ...]
    steps: tuple[Step, ...]
    affected: frozenset[tuple[int, int]]
    expense: Expense

    @property
    def something(self) -> bool:
        """Whether anything would run because of the changes, or may."""
        return bool(self.affected) or any(cause.role in ("dockerfile", "ignore") for cause in self.causes)


class Foresight(NamedTuple):
    """What a build would do. `change` is None when no changes were asked about."""

    target: str
    platform: str
    parallelism: int
    stages: tuple[Stage, ...]
    steps: tuple[Step, ...]
    expense: Expense
    pulls: tuple[Pull, ...]
    change: Change | None


def foresee(
    request: BuildRequest, settings: Settings, listener: Listener, changed: tuple[str, ...] | None = None
) -> Foresight:
    """Work out what the build would do; with `changed`, also what changes of these files would cause.

    KezuriError where the build would fail before its first step. Only documents of images are fetched.
    """
    with ExitStack() as held:
        session = held.enter_context(Session(settings, pull=request.pull))
        definition = Definition(request, session, Reporter(listener), listener, held)
        plan = definition.plan()
        session.forms = session.forms.for_epoch(plan.epoch)
        return _Foreseer(request, settings, session, definition, plan).foresee(changed)


class _Foreseer:
    def __init__(
        self, request: BuildRequest, settings: Settings, session: Session, definition: Definition, plan: Plan
    ) -> None:
        self._request = request
        self._session = session
        self._definition = definition
        self._plan = plan
        self._parallelism = settings.max_parallelism or max(2, os.cpu_count() or 1)
        self._options = definition.options(plan, self._parallelism)
        self._contexts = definition.contexts(plan)

    def foresee(self, changed: tuple[str, ...] | None) -> Foresight:
        plan = self._plan
        steps = self._steps(self._contexts, lenient=False)
        target = plan.stage(plan.target)
        return Foresight(
            target.label,
            ", ".join(str(t.platform) for t in plan.targets) or str(target.platform),
            self._parallelism,
            tuple(map(self._stage, plan.stages)),
            steps,
            expense(plan, steps, self._parallelism),
            pulls(plan, steps, self._session.forms.usable),
            None if changed is None else self._change(steps, changed),
        )

    def _steps(self, contexts: dict[str, Context], lenient: bool) -> tuple[Step, ...]:
        session, source = self._session, self._definition.dockerfile.source
        keys = StepKeys(Foreseen(contexts, session.forms, session.store), self._options, source)
        options = self._options
        return Forecast(self._plan, session.forms, session.store, keys, options, lenient=lenient).steps()

    def _stage(self, stage: StagePlan) -> Stage:
        image = isinstance(stage.base, BaseImage)
        if isinstance(stage.base, BaseImage):
            base = stage.base.name
        elif isinstance(stage.base, StageInput):
            base = self._plan.stage(stage.base.stage).label
        else:
            base = "scratch"
        return Stage(stage.number, self._label(stage), base, 1 + image, len(stage.operations) + image)

    def _label(self, stage: StagePlan) -> str:
        """The stage's name; of several platforms with its own, and with the one that it builds for."""
        if not self._plan.targets:
            return stage.label
        target = next((p for p in reversed(stage.crossing) if p is not None and p != stage.platform), None)
        return f"{stage.platform}{f'->{target}' if target is not None else ''} {stage.label}"

    # changes

    def _change(self, steps: tuple[Step, ...], changed: tuple[str, ...]) -> Change:
        causes, paths = self._causes(changed)
        then, others = self._altered(paths, steps)
        affected = _differing(steps, then)
        if others:
            # What is a link, or nothing, may become a directory, or may have been one.
            directories, _ = self._altered(paths, steps, as_directories=True)
            more = _differing(steps, directories) - affected
            then = tuple(b if (b.stage, b.position) in more else a for a, b in zip(then, directories))
            affected |= more
        then = tuple(
            s._replace(reason="takes what changed")
            if s.reason == NO_RESULT and (s.stage, s.position) in affected
            else s
            for s in then
        )
        # What runs anyway is not what the change costs.
        anyway = {(step.stage, step.position) for step in steps if step.outcome == "runs"}
        extra = [
            step if (step.stage, step.position) in affected - anyway else step._replace(outcome="cached")
            for step in then
        ]
        return Change(causes, then, affected, expense(self._plan, extra, self._parallelism))

    def _altered(
        self, paths: dict[str, list[str]], steps: tuple[Step, ...], as_directories: bool = False
    ) -> tuple[tuple[Step, ...], bool]:
        """The steps with other content at the paths, and whether some of these may as well become directories."""
        contexts = dict(self._contexts)
        others = False
        for name, chosen in paths.items():
            context = contexts[name]
            ignore = getattr(context.tree, "ignore", None)
            tree = AlteredTree(context.tree, chosen, ignore, as_directories=as_directories)
            contexts[name] = context._replace(tree=tree)
            others = others or tree.may_be_directories
        return (self._steps(contexts, lenient=True) if paths else steps), others

    def _causes(self, changed: tuple[str, ...]) -> tuple[tuple[Cause, ...], dict[str, list[str]]]:
        """What each given text is, and the changed paths by context."""
        roots = {
            name: os.path.realpath(context.tree.root)
            for name, context in self._contexts.items()
            if isinstance(context.tree, DirectoryTree)
        }
        if not roots:
            raise KezuriError.of(
                "a context from standard input has no files that could change",
                hint="give the context as a directory",
                exit_code=2,
            )
        deciding = self._deciding()
        causes: list[Cause] = []
        paths: dict[str, list[str]] = {}
        for given in dict.fromkeys(changed):
            place = self._place(given, roots)
            role = deciding.get(place, "outside")
            for name, root in roots.items():
                inner = _within(place, root)
                if inner is not None:
                    paths.setdefault(name, []).append(inner)
                    role = "file" if role == "outside" else role
            causes.append(Cause(given, place, role))
        return tuple(causes), paths

    def _place(self, given: str, roots: dict[str, str]) -> str:
        """Where the file is. What is not there may be new or gone: then it is meant from the current directory, or
        from the context if only that has it."""
        here = _real(os.path.abspath(given))
        if os.path.isabs(given) or os.path.lexists(here) or "" not in roots:
            return here
        there = _real(os.path.join(roots[""], given))
        inside = any(_within(here, root) is not None for root in roots.values())
        return there if os.path.lexists(there) or not inside else here

    def _deciding(self) -> dict[str, str]:
        """The files that decide what the plan is, there or not."""
        context = self._definition.context
        found: dict[str, str] = {}
        for name, of in self._contexts.items():
            if isinstance(of.tree, DirectoryTree):
                own = _real(os.path.join(of.tree.root, ".dockerignore"))
                if name or of.tree.ignore is None or _real(os.path.abspath(of.tree.ignore.source.name)) == own:
                    found[own] = "ignore"
        if context.directory:
            file = os.path.join(context.directory, os.path.basename(context.dockerfile.name))
            found[_real(file)] = "dockerfile"
            found[_real(file + ".dockerignore")] = "ignore"
        return found


def _differing(steps: tuple[Step, ...], then: tuple[Step, ...]) -> frozenset[tuple[int, int]]:
    return frozenset(
        (now.stage, now.position) for was, now in zip(steps, then) if was.keys != now.keys or was.outcome != now.outcome
    )


def _real(path: str) -> str:
    """The path with the links among its parents followed, but not itself."""
    head, name = os.path.split(path.rstrip("/") or "/")
    return os.path.join(os.path.realpath(head), name) if name else head


def _within(path: str, root: str) -> str | None:
    """The path relative to a directory, empty for the directory itself; None when it does not lie there."""
    if path == root:
        return ""
    prefix = root.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None
