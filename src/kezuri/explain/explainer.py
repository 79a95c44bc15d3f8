"""A build explained: why each step ran, what began it, and what of that may be shown."""

from collections.abc import Iterator

from kezuri.cache.file_lists import FileLists, Origin
from kezuri.cache.journal import JournalBuild, JournalStep
from kezuri.explain.answers import Because, Explanation, RootCause, StepAnswer
from kezuri.explain.causes import Answer, Causes, Reason
from kezuri.explain.changes import Change, changes
from kezuri.explain.discretion import anonymous, discreet, shown
from kezuri.plan.key import Components, decode
from kezuri.store.database import Database


class Explainer:
    """Explains one build. `earlier` gives builds to compare it with, the most alike first. `brief`: neither which files
    differ is looked up, nor what results of other builds a new step is near to."""

    def __init__(
        self, database: Database, build: JournalBuild, earlier: Iterator[JournalBuild], brief: bool = False
    ) -> None:
        self._database = database
        self._file_lists = FileLists(database)
        self._build = build
        self._brief = brief
        self._causes = Causes(build, earlier, self._nearest)

    def explain(self, quiet_counts: bool) -> Explanation:
        """The explanation. `quiet_counts`: a build that was made again since, with nothing to do, is told as quiet."""
        build = self._build
        answers = self._causes.answers()
        told = {answer.step.number: tuple(self._because(r, answer) for r in answer.reasons) for answer in answers}
        roots, places = self._roots(answers)
        steps = tuple(
            StepAnswer(discreet(a.step), told[a.step.number], a.since, places.get(a.step.number, -1)) for a in answers
        )
        busy = any(answer.step.outcome not in ("cached", "shared") for answer in answers)
        quiet = not busy or (quiet_counts and build.heading.repeated > 0)
        from kezuri.explain.advice import advice

        before = max((answer.since for answer in answers), default=0)
        return Explanation(
            build.heading, build.seconds, build.error, steps, roots, quiet, before, () if quiet else advice(steps)
        )

    def _roots(self, answers: tuple[Answer, ...]) -> tuple[tuple[RootCause, ...], dict[int, int]]:
        """What began it, most costly first, and for each step that ran the place of its root in that list."""
        groups: dict[object, list[Answer]] = {}
        for answer in answers:
            if answer.root is not None and answer.step.outcome in ("ran", "failed", "canceled"):
                groups.setdefault(_group(answer), []).append(answer)
        ordered = sorted(groups.values(), key=lambda g: -sum(a.step.seconds for a in g))
        roots = []
        places: dict[int, int] = {}
        for place, group in enumerate(ordered):
            first = group[0]
            assert first.root is not None
            owner = next((a for a in answers if a.step.number == first.root_step), first)
            because = self._because(first.root, owner)
            numbers = tuple(a.step.number for a in group)
            roots.append(RootCause(because, first.root_step, numbers, sum(a.step.seconds for a in group)))
            places.update((number, place) for number in numbers)
        return tuple(roots), places

    def _because(self, reason: Reason, answer: Answer) -> Because:
        name, before, after = reason.name, reason.before, reason.after
        files: tuple[Change, ...] | None = None
        if name.startswith("files") and reason.kind in ("files", "nearest") and not self._brief:
            was = answer.was or answer.step
            files = self._files(before, _origin(was, name), after, _origin(answer.step, name))
        elif name.startswith("env ") and reason.kind in ("component", "nearest"):
            variable = name.removeprefix("env ")
            before, after = shown(variable, before), shown(variable, after)
            steps = [s for s in (answer.step, answer.was) if s is not None]
            name = f"{'ARG' if any(variable in s.arguments for s in steps) else 'ENV'} {variable}"
        else:
            before, after = anonymous(before), anonymous(after)
        via = tuple(self._because(r, answer) for r in reason.via)
        return Because(reason.kind, name, before, after, reason.step, reason.source, files, via)

    def _files(
        self, before: str | None, old_at: Origin, after: str | None, new_at: Origin
    ) -> tuple[Change, ...] | None:
        old = self._file_lists.find(before, old_at) if before is not None else None
        new = self._file_lists.find(after, new_at) if after is not None else None
        return changes(old, new) if old is not None and new is not None else None

    def _nearest(self, step: JournalStep) -> Components | None:
        """Of the results of the same instruction, whatever build made them, the one that has most in common with the
        step; of equal ones the latest. Never its own."""
        if self._brief:
            return None
        wanted = set(step.components)
        best: tuple[int, float, Components] | None = None
        for record in self._database.records():
            if record.kind != step.kind or record.title != step.title or record.key == step.key:
                continue
            components = decode(record.components)
            rank = (len(wanted.intersection(components)), record.created, components)
            if best is None or rank[:2] > best[:2]:
                best = rank
        return best[2] if best is not None else None


_ALIKE = ("no-cache", "no-cache-filter", "lost", "pruned", "new build", "new stage")
"""Reasons that are the same one for all steps."""


def _group(answer: Answer) -> object:
    root = answer.root
    assert root is not None
    if root.kind in _ALIKE:
        return root.kind
    # One change can begin something in several places: for two platforms, or in every step that sees a variable.
    place = 0 if root.kind in ("files", "component", "text") else answer.root_step
    return (root.kind, root.name, root.before, root.after, place)


def _origin(step: JournalStep, component: str) -> Origin:
    """Where the files of a step's component lie."""
    kind = next((source.kind for source in step.sources if source.component == component), "context")
    return "stage" if kind in ("stage", "image") else "context"
