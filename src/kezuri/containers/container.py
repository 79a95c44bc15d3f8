"""A container in the foreground: its process from start to end, and what it is told meanwhile."""

import threading
from collections import deque
from collections.abc import Callable, Sequence

from kezuri.containers.signals import Signals
from kezuri.sandbox.step import Order, Outcome, Output, Port, Sandbox, Step, Stop


class Container:
    """One process of an image, run once by `run`, which `signals` looks after.

    `begun` is called when its program has started; `ports` are known then. What others want of it (`stop`) may be said
    in any thread.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        step: Step,
        signals: Signals,
        begun: "Callable[[Container], None]" = lambda container: None,
    ) -> None:
        self._signals = signals
        self.ports: tuple[Port, ...] = ()
        self._sandbox = sandbox
        self._step = step
        self._begun = begun
        self._orders: deque[Order] = deque()

    def run(self, output: Output) -> Outcome:
        """Run it to its end; KezuriError when it could not be started."""
        with self._signals:
            outcome = self._sandbox.run(self._step, output, threading.Event(), self)
        return outcome._replace(exit_code=128 + self._signals.ended) if self._signals.ended else outcome

    def stop(self) -> None:
        """Ask it to end; it is killed when its grace is over."""
        self._orders.append(Stop())

    def bound(self, ports: tuple[Port, ...]) -> None:
        """See `kezuri.sandbox.step.Attendant`."""
        self.ports = ports

    def started(self) -> None:
        """See `kezuri.sandbox.step.Attendant`."""
        self._begun(self)

    def orders(self) -> Sequence[Order]:
        """See `kezuri.sandbox.step.Attendant`."""
        found = list(self._signals.orders())
        while self._orders:
            found.append(self._orders.popleft())
        return found
