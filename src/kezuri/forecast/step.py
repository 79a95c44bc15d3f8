"""A step of a forecast: what would become of one operation."""

from typing import Literal, NamedTuple

from kezuri.forecast.history import Past
from kezuri.plan.inputs import Input

ForecastOutcome = Literal["cached", "runs", "depends", "unknown"]
"""`cached`: the result is there, or an equal step of the same build makes it. `runs`: there is no result under any key
that the step can have. `depends`: found or not, as what comes before it turns out. `unknown`: too many ways to
follow."""

NO_RESULT = "no result for it yet"
"""The reason of a step that nothing before it makes run."""


class ForecastStep(NamedTuple):
    """What would become of one operation, and what it took the last time that the instruction ran (None: never).

    `reason` says why its result is not simply there. `keys` are the keys that it can have; those of steps behind one
    that runs are made up, and equal exactly when the real ones will be. `like` is the (stage, position) of the step of
    this build that gives a `cached` step its result, if one does. `looks` says that its key needs files of layers that
    have to be pulled or unpacked first. `takes` is what it takes files from beside its own stage. `layer` is what a
    `cached` step gave, where that is a single layer; `cache` names the imported cache that has the result, if the
    store does not.
    """

    stage: int
    position: int
    kind: str
    title: str
    line: int
    outcome: ForecastOutcome
    reason: str
    keys: tuple[str, ...]
    past: Past | None
    takes: tuple[Input, ...]
    like: tuple[int, int] | None = None
    looks: bool = False
    layer: str = ""
    cache: str = ""
