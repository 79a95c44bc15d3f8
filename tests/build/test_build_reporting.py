"""How a step's end is told."""

import pytest

from kezuri.progress.events import Event, StepFailed
from kezuri.progress.reporter import Reporter


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyboardInterrupt(), "canceled"),
        (SystemExit(3), "canceled"),
        (ValueError("why"), "why"),
        (KeyError(), "KeyError"),
    ],
)
def test_what_is_interrupted_was_canceled(error: BaseException, told: str) -> None:
    heard: list[Event] = []
    with pytest.raises(type(error)), Reporter(heard.append).step("exporting"):
        raise error
    assert isinstance(heard[-1], StepFailed) and heard[-1].message == told
