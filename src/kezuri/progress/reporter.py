"""Tells a listener what the steps of a build do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, time

from kezuri.progress.events import (
    Listener,
    Name,
    StepCached,
    StepDone,
    StepFailed,
    StepOutput,
    StepStarted,
    StepStatus,
)


class Ticket:
    """A step that has begun. It is ended by exactly one of `cached`, `done` and `failed`."""

    def __init__(self, listener: Listener, number: int) -> None:
        self._listener = listener
        self.number = number
        self._start = monotonic()
        self._whole: set[str] = set()

    @property
    def seconds(self) -> float:
        """How long the step has been going, in seconds."""
        return monotonic() - self._start

    def output(self, stream: int, data: bytes) -> None:
        """The step printed something."""
        self._listener(StepOutput(self.number, time(), stream, data))

    def status(self, what: str, current: int, total: int, done: bool = False) -> None:
        """Part of the step has come this far, in bytes. That it is `done` is told once, however often it is said."""
        if done and what in self._whole:
            return
        (self._whole.add if done else self._whole.discard)(what)
        self._listener(StepStatus(self.number, time(), what, current, total, done))

    def cached(self) -> None:
        """The result was there already."""
        self._listener(StepCached(self.number, time()))

    def done(self) -> None:
        """The step has given its result."""
        self._listener(StepDone(self.number, time(), self.seconds))

    def failed(self, message: str) -> None:
        """The step has failed."""
        self._listener(StepFailed(self.number, time(), self.seconds, message))


def reason(error: BaseException) -> str:
    """The message of a step that ended with the error; Ctrl-C and signals count as cancelling."""
    if isinstance(error, MemoryError):
        return "memory has run out"
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return "no more threads can be started"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error) or type(error).__name__) if isinstance(error, Exception) else "canceled"


class Reporter:
    """Numbers the steps of a build in the order in which they appear."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._lock = threading.Lock()
        self._count = 0

    def start(self, name: Name, digest: str = "") -> Ticket:
        """A step begins."""
        # Told while the lock is held: else a thread that got a later number could be heard first.
        with self._lock:
            self._count += 1
            ticket = Ticket(self._listener, self._count)
            self._listener(StepStarted(self._count, name, time(), digest))
        return ticket

    @contextmanager
    def step(self, name: Name) -> Iterator[Ticket]:
        """A step that is done when the block ends, and has failed when the block raises."""
        ticket = self.start(name)
        try:
            yield ticket
        except BaseException as error:
            ticket.failed(reason(error))
            raise
        ticket.done()
