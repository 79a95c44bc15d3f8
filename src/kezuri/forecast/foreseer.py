"""Foresees a build of one plan, as its files are and as they would be."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kezuri.build.telling import Titles
from kezuri.forecast.changed_files import ChangedFiles
from kezuri.forecast.durations import Durations
from kezuri.forecast.expense import expense, pulls
from kezuri.forecast.forecast import Forecast
from kezuri.forecast.foresight import Consequences, ForecastStage, Foresight
from kezuri.forecast.history import History
from kezuri.forecast.step import NO_RESULT, ForecastStep
from kezuri.forecast.unseen import InputsAtHand
from kezuri.forms.forms import Forms
from kezuri.keys.inputs import Context
from kezuri.keys.options import Options
from kezuri.keys.stepkeys import StepKeys
from kezuri.plan.inputs import BaseImage, StageInput
from kezuri.plan.operation import Plan, StagePlan
from kezuri.store.store import Store
from kezuri.tree.altered_tree import AlteredTree

if TYPE_CHECKING:
    from kezuri.travel.imported import Imported

Steps = tuple[ForecastStep, ...]


class Foreseer:
    """Works out what a build would do, without doing any of it."""

    def __init__(
        self,
        plan: Plan,
        contexts: Mapping[str, Context],
        options: Options,
        forms: Forms,
        store: Store,
        durations: Durations,
        imported: "Imported | None" = None,
    ) -> None:
        """`imported` are the caches of other machines that the build would read."""
        self._imported = imported
        self._plan = plan
        self._contexts = contexts
        self._options = options
        self._forms = forms
        self._store = store
        self._history = History(store.database, durations)

    def foresee(self, changed: ChangedFiles | None = None) -> Foresight:
        """What the build would do; with `changed`, also what changes of these files would cause. KezuriError where the
        build would fail before its first step."""
        plan, parallelism = self._plan, self._options.parallelism
        steps = self._steps(self._contexts, lenient=False)
        target = plan.stage(plan.target)
        return Foresight(
            target.label,
            ", ".join(str(t.platform) for t in plan.targets) or str(target.platform),
            parallelism,
            tuple(map(self._stage, plan.stages)),
            steps,
            expense(plan, steps, parallelism),
            pulls(plan, steps, self._forms.usable),
            None if changed is None else self._consequences(steps, changed),
        )

    def _steps(self, contexts: Mapping[str, Context], lenient: bool) -> Steps:
        imported, options, history = self._imported, self._options, self._history
        selection = imported.selection if imported is not None else None
        keys = StepKeys(InputsAtHand(contexts, self._forms, self._store, selection), options)
        while True:
            steps = Forecast(
                self._plan, self._forms, self._store, keys, options, history, lenient=lenient, imported=imported
            ).steps()
            if imported is None or not self._lose_hollow(steps, imported):
                return steps

    def _lose_hollow(self, steps: Steps, imported: "Imported") -> bool:
        """Give up results of which no cache has the files, where the build needs these, as it does itself. Says whether
        there were any."""
        from kezuri.build.foreign import below

        plan = self._plan
        layers = {(step.stage, step.position): step.layer for step in steps if step.layer}
        # Whole stages: those that become images, and those that are taken from.
        whole = [target.stage for target in plan.targets] or [plan.target]
        places: list[tuple[int, int]] = []
        for step in steps:
            if step.outcome == "runs":
                operation = plan.stage(step.stage).operations[step.position]
                if operation.kind == "RUN" or not operation.linked:
                    places += below(plan, step.stage, step.position)
                whole += [source.stage for source in operation.inputs if isinstance(source, StageInput)]
        for number in whole:
            places += below(plan, number, len(plan.stage(number).operations))
        wanted = {layers[place] for place in places if place in layers}
        hollow = {one for one in wanted if imported.is_hollow(one) and not self._forms.usable(one)}
        for layer in hollow:
            imported.lose(layer)
        return bool(hollow)

    def _stage(self, stage: StagePlan) -> ForecastStage:
        image = isinstance(stage.base, BaseImage)
        base, below = "scratch", -1
        if isinstance(stage.base, BaseImage):
            base = stage.base.name
        elif isinstance(stage.base, StageInput):
            below = stage.base.stage
            base = self._plan.stage(below).label
        last = len(stage.operations) + image
        return ForecastStage(stage.number, self._label(stage), base, below, 1 + image, last)

    def _label(self, stage: StagePlan) -> str:
        """The stage's name; of several platforms with its own, and with the one that it builds for."""
        titles = Titles(self._plan)
        names = [titles.step(stage, position) for position in range(len(stage.operations))]
        if not self._plan.targets:
            return stage.label
        if not names:
            return f"{stage.platform} {stage.label}"
        return next((name for name in reversed(names) if name.target), names[-1]).where

    # changes

    def _consequences(self, steps: Steps, changed: ChangedFiles) -> Consequences:
        then, others = self._altered(changed.paths, steps)
        affected = _differing(steps, then)
        if others:
            # What is a link, or nothing, may become a directory, or may have been one.
            directories, _ = self._altered(changed.paths, steps, as_directories=True)
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
        return Consequences(changed.causes, then, affected, expense(self._plan, extra, self._options.parallelism))

    def _altered(
        self, paths: Mapping[str, list[str]], steps: Steps, as_directories: bool = False
    ) -> tuple[Steps, bool]:
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


def _differing(steps: Steps, then: Steps) -> frozenset[tuple[int, int]]:
    return frozenset(
        (now.stage, now.position) for was, now in zip(steps, then) if was.keys != now.keys or was.outcome != now.outcome
    )
