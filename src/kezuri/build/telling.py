"""Tells of the operations of a build: progress, each step once and in an order that makes sense to who reads it; and
the journal."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kezuri.build.chronicle import Chronicle
from kezuri.build.turn import Found, Turn
from kezuri.diagnostics import KezuriError
from kezuri.keys.state import State
from kezuri.plan.inputs import BaseImage
from kezuri.plan.operation import Plan, StagePlan
from kezuri.progress.events import StepName
from kezuri.progress.reporter import Reporter, Ticket, reason

if TYPE_CHECKING:
    from kezuri.build.doors import Layers
    from kezuri.cache.journal import Miss
    from kezuri.sandbox.step import Output
    from kezuri.step.task import Outcome


class BuildTelling:
    """The Telling of one build (see `kezuri.build.doors`): to who watches, and to the journal.

    A stage's FROM is told late: whether anything is done for it shows when its first step is performed. Where the
    stages of two platforms begin alike, what they have in common is one step, and is told once.
    """

    def __init__(self, plan: Plan, reporter: Reporter, layers: "Layers", chronicle: Chronicle) -> None:
        self._plan = plan
        self._titles = Titles(plan)
        self._several = bool(plan.targets)
        self._reporter = reporter
        self._layers = layers
        self._chronicle = chronicle
        self._lock = threading.Lock()
        self._told: set[tuple[StepName, str]] = set()
        self._bases: dict[int, StepName] = {}
        # Steps whose result was found, with its layer: nothing is told of them before their stage's FROM is.
        self._waiting: dict[int, list[tuple[Turn, str]]] = {}
        self.ran = 0
        self.cached = 0

    def name(self, stage: int, position: int) -> StepName:
        """What progress calls a step of a stage."""
        return self._titles.step(self._plan.stage(stage), position)

    def began(self, stage: StagePlan, state: State) -> None:
        """See Telling. The stage's FROM, if it has one, is told later, unless nothing can be done for it any more."""
        self._chronicle.based(stage.number, state.id)
        if isinstance(stage.base, BaseImage):
            name = self._titles.base(stage, stage.base)
            if self._is_news(name, stage.base.digest):
                self._bases[stage.number] = name
            if self._layers.unpacked(state.layers):
                self._base(stage)

    def unkeyed(self, turn: Turn, error: KezuriError) -> None:
        """See Telling."""
        self._chronicle.failed(*turn.place, (), 0.0, "", error)

    def found(self, turn: Turn, found: Found) -> None:
        """See Telling. Progress hears it now, or after the stage's FROM."""
        self._chronicle.found(*turn.place, turn.components, found.created, found.cache)
        self._cached(turn, found.layer)

    @contextmanager
    def performing(self, turn: Turn, miss: "Miss") -> "Iterator[PerformedStep]":
        """See Telling."""
        step = PerformedStep(
            lambda prepare: self._base(turn.stage, prepare),
            lambda: self._reporter.start(self._titles.step(turn.stage, turn.position), turn.key),
        )
        try:
            yield step
        except BaseException as error:
            self._chronicle.failed(*turn.place, turn.components, step.seconds, miss, error)
            if step.ticket is not None:
                step.ticket.failed(reason(error))
            raise
        outcome, ticket = step.outcome, step.ticket
        assert outcome is not None and ticket is not None
        with self._lock:
            self.ran += 1
        self._chronicle.ran(*turn.place, turn.components, ticket.seconds, miss, outcome.believable)
        ticket.done()
        # Another stage that has the same is no news.
        self._is_news(self._titles.step(turn.stage, turn.position), outcome.layer)

    def advanced(self, turn: Turn, layer: str, state: State) -> None:
        """See Telling."""
        self._chronicle.advanced(*turn.place, layer, state.id)

    def ended(self, stage: StagePlan) -> None:
        """See Telling. What has not been told of the stage is told now."""
        self._base(stage)

    def _base(self, stage: StagePlan, prepare: Callable[[], None] | None = None) -> None:
        """Tell of the stage's FROM, unless that was done, and of the cached steps that were found meanwhile. What is
        done for it, if anything, is `prepare`, which is called in any case."""
        name = self._bases.pop(stage.number, None)
        if name is None:
            if prepare is not None:
                prepare()
        elif prepare is not None:
            with self._reporter.step(name) as step:
                prepare()
                self._chronicle.laid(stage.number, step.seconds)
        else:
            assert isinstance(stage.base, BaseImage)
            ticket = self._reporter.start(name)
            if all(map(self._layers.usable, stage.base.config.diff_ids)):
                ticket.cached()
            else:
                ticket.done()
        for found in self._waiting.pop(stage.number, ()):
            self._cached(*found)

    def _cached(self, turn: Turn, layer: str) -> None:
        stage = turn.stage
        name = self._titles.step(stage, turn.position)
        if stage.number in self._bases:
            self._waiting.setdefault(stage.number, []).append((turn, layer))
        elif self._is_news(name, layer):
            self._reporter.start(name, turn.key).cached()
            with self._lock:
                self.cached += 1

    def _is_news(self, name: StepName, result: str) -> bool:
        with self._lock:
            told = (name, result) in self._told
            self._told.add((name, result))
        return not told or not self._several


class PerformedStep:
    """The Told of one operation (see `kezuri.build.doors`). `ticket` is what progress hears of it, once it began."""

    def __init__(self, base: Callable[[Callable[[], None]], None], start: Callable[[], Ticket]) -> None:
        self.base = base
        self._start = start
        self.ticket: Ticket | None = None
        self.outcome: Outcome | None = None

    @property
    def seconds(self) -> float:
        """See Told."""
        return self.ticket.seconds if self.ticket is not None else 0.0

    def begin(self) -> "Output":
        """See Told."""
        self.ticket = self._start()
        return self.ticket.output

    def done(self, outcome: "Outcome") -> None:
        """See Told."""
        self.outcome = outcome


class Titles:
    """What progress calls the steps of one plan, as values."""

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
