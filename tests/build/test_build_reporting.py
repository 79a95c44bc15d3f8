"""How a step's end is told."""

import threading
import time

import pytest

from kezuri.progress.events import Event, StepFailed, StepStarted, StepStatus, WorkName
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


def test_that_something_is_whole_is_told_once_unless_it_was_begun_anew() -> None:
    heard: list[Event] = []
    with Reporter(heard.append).step(WorkName("pull")) as ticket:
        for current, done in ((1, False), (2, True), (2, True), (0, False), (2, True), (2, True)):
            ticket.status("blob", current, 2, done)
        ticket.status("another", 1, 1, True)
    told = [(event.what, event.current, event.done) for event in heard if isinstance(event, StepStatus)]
    assert told == [
        *(("blob", 1, False), ("blob", 2, True), ("blob", 0, False), ("blob", 2, True)),
        ("another", 1, True),
    ]


def test_steps_of_several_threads_are_told_in_the_order_of_their_numbers() -> None:
    heard: list[Event] = []
    entered = threading.Event()

    def slow(event: Event) -> None:
        if isinstance(event, StepStarted) and event.step == 1:
            entered.set()
            time.sleep(0.1)
        heard.append(event)

    reporter = Reporter(slow)
    first = threading.Thread(target=reporter.start, args=(WorkName("one"),))
    first.start()
    assert entered.wait(10)
    reporter.start(WorkName("two"))
    first.join()
    assert [event.step for event in heard if isinstance(event, StepStarted)] == [1, 2]
