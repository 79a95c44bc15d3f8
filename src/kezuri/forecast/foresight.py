"""A forecast in full: what a build would do and cost, and what a change of files would cause."""

from typing import NamedTuple

from kezuri.forecast.expense import Expense, Pull
from kezuri.forecast.step import ForecastStep


class ForecastStage(NamedTuple):
    """A stage and what it stands on: `base_stage` is that stage's number, -1 where it is an image or nothing. In what a
    build shows, `first` is the number of its first step, and `last` that of the last one."""

    number: int
    label: str
    base: str
    base_stage: int
    first: int
    last: int


class Cause(NamedTuple):
    """A file that is thought to be changed: `given` as the user wrote it, `place` where that is.

    `role` is `file` (of a context), `dockerfile` or `ignore` (the plan itself may change), or `outside`.
    """

    given: str
    place: str
    role: str


class Consequences(NamedTuple):
    """What changes of the causes would do: the steps as they would then be, those of them that are not what they are
    without the changes (by stage and position), and the cost of these beyond what a build costs anyway."""

    causes: tuple[Cause, ...]
    steps: tuple[ForecastStep, ...]
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
    stages: tuple[ForecastStage, ...]
    steps: tuple[ForecastStep, ...]
    expense: Expense
    pulls: tuple[Pull, ...]
    change: Consequences | None
