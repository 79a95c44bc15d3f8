"""What is happening, as events."""

from kezuri.progress.calling_off import CallOff
from kezuri.progress.events import (
    Event,
    Listener,
    Name,
    StepCached,
    StepDone,
    StepFailed,
    StepName,
    StepOutput,
    StepStarted,
    StepStatus,
    Warned,
    WorkName,
)

__all__ = [
    "CallOff",
    "Event",
    "Listener",
    "Name",
    "StepCached",
    "StepDone",
    "StepFailed",
    "StepName",
    "StepOutput",
    "StepStarted",
    "StepStatus",
    "Warned",
    "WorkName",
]
