"""A container in the foreground: its process from start to end, and what it is told meanwhile."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from kezuri.containers.health import Health
from kezuri.containers.network import told
from kezuri.containers.signals import Signals
from kezuri.sandbox.step import Exit, Order, Output, Port, Sandbox, Step, Stop


class Container:
    """One process of an image, run once by `run`, which `signals` and `health` look after.

    `say` hears what its user has to know; `begun` is called when its program has started, and `ports` are known then.
    What others want of it (`stop`) may be said in any thread.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        step: Step,
        signals: Signals,
        health: Health | None,
        say: Callable[[str], None],
        begun: "Callable[[Container], None]" = lambda container: None,
    ) -> None:
        self._signals = signals
        self._say = say
        self._health = health
        self.ports: tuple[Port, ...] = ()
        self._sandbox = sandbox
        self._step = step
        self._begun = begun
        self._orders: deque[Order] = deque()

    def run(self, output: Output) -> Exit:
        """Run it to its end; KezuriError when it could not be started."""
        with self._signals:
            ended = self._sandbox.run(self._step, output, threading.Event(), self)
        if ended.oom:
            self._say("the container, or a process of it, was killed: " + _memory(ended))
        return ended._replace(exit_code=128 + self._signals.ended) if self._signals.ended else ended

    @property
    def health(self) -> str:
        """What its health check says: `starting`, `healthy` or `unhealthy`; empty where it has none."""
        return "" if self._health is None else self._health.status

    def stop(self) -> None:
        """Ask it to end; it is killed when its grace is over."""
        self._orders.append(Stop())

    def bound(self, ports: tuple[Port, ...]) -> None:
        """See `kezuri.sandbox.step.Attendant`."""
        self.ports = ports
        for line in told(self._step.ports, ports):
            self._say(line)

    def started(self) -> None:
        """See `kezuri.sandbox.step.Attendant`."""
        if self._health is not None:
            self._health.start(time.monotonic())
        self._begun(self)

    def warned(self, text: str) -> None:
        """See `kezuri.sandbox.step.Attendant`."""
        self._say(text)

    def probed(self, code: int, output: bytes) -> None:
        """See `kezuri.sandbox.step.Attendant`."""
        if self._health is not None and (change := self._health.ended(time.monotonic(), code, output)):
            self._say(f"the container is {change}")

    def orders(self) -> Sequence[Order]:
        """See `kezuri.sandbox.step.Attendant`."""
        found = list(self._signals.orders())
        if self._health is not None and (probe := self._health.probe(time.monotonic())):
            found.append(probe)
        while self._orders:
            found.append(self._orders.popleft())
        return found


def _memory(ended: Exit) -> str:
    if not ended.memory:
        return "this machine has no memory left"
    return f"it needs more than its {ended.memory >> 20} MiB of memory (--memory)"
