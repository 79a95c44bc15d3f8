"""What is happening, as events."""

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
