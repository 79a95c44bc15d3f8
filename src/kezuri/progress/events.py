"""The events of a build: steps start, print, and end.

A step has a number, counted from 1 in order of appearance, and a name, which is a value: a StepName for a step of a
Dockerfile, a WorkName for work around these steps. Whoever shows a name makes text of it with `str`; nobody reads text
back. Every step begins with StepStarted and ends with exactly one of StepCached, StepDone and StepFailed. Events of
different steps interleave, and may arrive from different threads: a listener does its own locking.
"""

from collections.abc import Callable
from typing import NamedTuple

from kezuri.diagnostics import Diagnostic


class StepName(NamedTuple):
    """A step of a Dockerfile: the instruction as it is written, and where it stands in its stage.

    `number` of `of` counts the steps of the stage from 1. `stage` is the stage's label, empty where a plan has one
    stage without a name. `platform` is that of the stage, as `os/arch[/variant]`, empty where a build is for one
    platform; `target` is the platform that the step builds for, empty where that is the stage's own. Text:
    `[linux/amd64->arm64 builder 3/5] RUN npm ci`.
    """

    title: str
    number: int
    of: int
    stage: str = ""
    platform: str = ""
    target: str = ""

    @property
    def where(self) -> str:
        """What its stage is called: `linux/amd64->arm64 builder`, empty for the one stage of a plan that has no name. A
        target is written without its operating system where that is the platform's, as BuildKit writes it."""
        if not self.platform:
            return self.stage
        target = self.target
        if target:
            system, _, rest = target.partition("/")
            target = "->" + (rest if system == self.platform.partition("/")[0] else target)
        return f"{self.platform}{target} {self.stage}".rstrip()

    @property
    def place(self) -> str:
        """What stands between the brackets: `linux/amd64->arm64 builder 3/5`."""
        return f"{self.where} {self.number}/{self.of}".lstrip()

    def __str__(self) -> str:
        return f"[{self.place}] {' '.join(self.title.split())}"


class WorkName(NamedTuple):
    """Work that is no step of a Dockerfile: `exporting layers`, `[internal] load metadata for alpine`.

    `internal` is whether kezuri does it for itself before the steps; `platform` is the platform that it is done for, as
    `os/arch[/variant]`, empty where a build is for one.
    """

    title: str
    internal: bool = False
    platform: str = ""

    def __str__(self) -> str:
        if not self.internal:
            return self.title
        return f"[{self.platform} internal] {self.title}" if self.platform else f"[internal] {self.title}"


Name = StepName | WorkName | str
"""What a step is called. A text stands for itself."""


class StepStarted(NamedTuple):
    """A step begins; `time` is seconds since the epoch, `digest` is the step's key where it has one."""

    step: int
    name: Name
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


def warning(listener: Listener) -> Callable[[str], None]:
    """What tells a listener of warnings that are one line."""
    from time import time

    return lambda text: listener(Warned(time(), Diagnostic("warning", text)))
