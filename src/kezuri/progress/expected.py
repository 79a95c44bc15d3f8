"""How long what is to come is expected to take."""

from collections.abc import Mapping
from typing import NamedTuple

from kezuri.progress.events import StepName


class Expected(NamedTuple):
    """What the steps took in earlier builds that may run now, told before the first of them begins.

    `steps` has the range of seconds of each that ran before. `low` and `high` are what all of them take on the clock,
    both 0 when some of them has never run. `ahead` are all of them. `time` is when it is told, in seconds since the
    epoch.
    """

    time: float
    ahead: frozenset[StepName]
    steps: Mapping[StepName, tuple[float, float]]
    low: float
    high: float
