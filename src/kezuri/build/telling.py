"""Tells of the steps of a build, each once and in an order that makes sense to who reads it."""

import threading
from collections.abc import Callable
from typing import NamedTuple

from kezuri.build.titles import Titles
from kezuri.plan.operation import BaseImage, Plan, StagePlan
from kezuri.progress.events import StepName
from kezuri.progress.reporter import Reporter, Ticket


class _Cached(NamedTuple):
    """A step whose result was found, of which nothing is told before its stage's FROM is."""

    position: int
    layer: str
    key: str


class Telling:
    """Tells of one build; threads may share it, each for its own stage.

    A stage's FROM is told late: whether anything is done for it shows when its first step runs. Where the stages of
    two platforms begin alike, what they have in common is one step, and is told once.
    """

    def __init__(self, plan: Plan, reporter: Reporter, usable: Callable[[str], bool]) -> None:
        """`usable` says of a layer whether nothing needs to be fetched for it."""
        self._titles = Titles(plan)
        self._several = bool(plan.targets)
        self._reporter = reporter
        self._usable = usable
        self._lock = threading.Lock()
        self._told: set[tuple[StepName, str]] = set()
        self._bases: dict[int, StepName] = {}
        self._waiting: dict[int, list[_Cached]] = {}
        self.cached_steps = 0
        """How many steps were told to be paid for already."""

    def name(self, stage: StagePlan, position: int) -> StepName:
        """What progress calls a step of a stage."""
        return self._titles.step(stage, position)

    def started(self, stage: StagePlan) -> None:
        """The stage begins, with its base image if it has one: that will be told by `base`."""
        if isinstance(stage.base, BaseImage):
            name = self._titles.base(stage, stage.base)
            if self._is_news(name, stage.base.digest):
                self._bases[stage.number] = name

    def base(self, stage: StagePlan, prepare: Callable[[], None] | None = None) -> None:
        """Tell of the stage's FROM, unless that was done, and of the cached steps that were found meanwhile. What is
        done for it, if anything, is `prepare`, which is called in any case."""
        name = self._bases.pop(stage.number, None)
        if name is None:
            if prepare is not None:
                prepare()
        elif prepare is not None:
            with self._reporter.step(name):
                prepare()
        else:
            assert isinstance(stage.base, BaseImage)
            ticket = self._reporter.start(name)
            if all(map(self._usable, stage.base.config.diff_ids)):
                ticket.cached()
            else:
                ticket.done()
        for found in self._waiting.pop(stage.number, ()):
            self.cached(stage, *found)

    def cached(self, stage: StagePlan, position: int, layer: str, key: str = "") -> None:
        """A step's result was there: told now, or after the stage's FROM."""
        if stage.number in self._bases:
            self._waiting.setdefault(stage.number, []).append(_Cached(position, layer, key))
        elif self._is_news(self._titles.step(stage, position), layer):
            self.step(stage, position, key).cached()
            with self._lock:
                self.cached_steps += 1

    def step(self, stage: StagePlan, position: int, key: str = "") -> Ticket:
        """A step begins."""
        return self._reporter.start(self._titles.step(stage, position), key)

    def done(self, stage: StagePlan, position: int, layer: str) -> None:
        """A step that was told of has given this layer: another stage that has the same is no news."""
        self._is_news(self._titles.step(stage, position), layer)

    def _is_news(self, name: StepName, result: str) -> bool:
        with self._lock:
            told = (name, result) in self._told
            self._told.add((name, result))
        return not told or not self._several
