"""The events of a build: steps start, speak, and end.

A step has a number, counted from 1 in order of appearance, and a name such as `[builder 3/5] RUN npm ci`. Every step
begins with StepStarted and ends with exactly one of StepCached, StepDone and StepFailed. Events of different steps
interleave, and may arrive from different threads: a listener does its own locking.
"""

from collections.abc import Callable
from typing import NamedTuple

from kezuri.diagnostics import Diagnostic


class StepStarted(NamedTuple):
    """A step begins; `time` is seconds since the epoch, `digest` is the step's key where it has one."""

    step: int
    name: str
    time: float
    digest: str = ""


class StepCached(NamedTuple):
    """The step's result was there already; nothing ran."""

    step: int
    time: float


class StepDone(NamedTuple):
    """The step ran and gave a result; `seconds` is how long it took."""

    step: int
    time: float
    seconds: float


class StepFailed(NamedTuple):
    """The step failed; `message` is one line."""

    step: int
    time: float
    seconds: float
    message: str


class StepOutput(NamedTuple):
    """Bytes that the step printed on stream 1 or 2, at any boundary, also in the middle of a line or character."""

    step: int
    time: float
    stream: int
    data: bytes


class StepStatus(NamedTuple):
    """How far part of a step has come: `what` is a short name, `current` and `total` are bytes (total 0: unknown)."""

    step: int
    time: float
    what: str
    current: int
    total: int
    done: bool = False


class Warned(NamedTuple):
    """A warning that belongs to the whole build."""

    time: float
    diagnostic: Diagnostic


Event = StepStarted | StepCached | StepDone | StepFailed | StepOutput | StepStatus | Warned
Listener = Callable[[Event], None]
