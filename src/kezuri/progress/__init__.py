"""What is happening, as events."""

from kezuri.progress.calling_off import CallOff
from kezuri.progress.events import (
    Event,
    Listener,
    StepCached,
    StepDone,
    StepFailed,
    StepOutput,
    StepStarted,
    StepStatus,
    Warned,
)

__all__ = [
    "CallOff",
    "Event",
    "Listener",
    "StepCached",
    "StepDone",
    "StepFailed",
    "StepOutput",
    "StepStarted",
    "StepStatus",
    "Warned",
]
