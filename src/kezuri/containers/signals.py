"""Signals that come to us, on their way to a container."""

import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Self

from kezuri.sandbox.step import Order, Signal, Stop

_KEPT = ("KILL", "STOP", "CHLD", "PIPE", "URG", "WINCH", "CONT", "TSTP", "TTIN", "TTOU")
"""Signals that no one passes on: the kernel's own, and those by which a terminal speaks to us."""
_FAULTS = ("SEGV", "BUS", "FPE", "ILL", "ABRT", "TRAP", "SYS", "PROF", "VTALRM", "XCPU", "XFSZ")
"""Signals that tell a program of its own mistakes and limits."""
_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LAST = 3
"""How many requests to end, by signals that people send, kill a container that does not."""


class Signals:
    """Takes the signals that come to this process while it is open, and makes orders for the container of them.

    Every signal goes to the container as it is. After SIGTERM and SIGHUP the container has `grace` seconds (less than
    0: as long as it likes), then it is killed; so it is by the third SIGINT or SIGTERM. What our caller ignores (nohup)
    stays ignored. Used in the main thread; elsewhere it takes none.

    Without `proxy` SIGTERM, SIGINT and SIGHUP are for us: the container is stopped by its stop signal, and we with it.
    """

    def __init__(self, proxy: bool, grace: float, say: Callable[[str], None]) -> None:
        self._proxy = proxy
        self._grace = grace
        self._say = say
        self._came: deque[int] = deque()
        self._before: dict[int, Any] = {}
        self._asked = 0
        self._over = float("inf")
        self._because = ""
        self.ended = 0
        """The signal by which we were told to end ourselves (0: none)."""

    def __enter__(self) -> Self:
        import threading

        if threading.current_thread() is threading.main_thread():
            kept = {getattr(signal, f"SIG{name}", None) for name in (*_KEPT, *_FAULTS)}
            for number in sorted(signal.valid_signals() - kept) if self._proxy else _ENDS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def orders(self) -> Sequence[Order]:
        """What the signals since the last call, and the time, ask for."""
        found: list[Order] = []
        while self._came:
            number = self._came.popleft()
            if not self._proxy:
                self.ended = self.ended or int(number)
                found.append(Stop())
                continue
            found.append(Signal(int(number)))
            if number in (signal.SIGINT, signal.SIGTERM):
                self._asked += 1
                if self._asked >= _LAST:
                    self._say(f"the container is killed, after {self._asked} requests to end")
                    return (Stop(kill=True),)
                if self._asked == _LAST - 1 and number == signal.SIGINT:
                    self._say("the container has got the interrupt; one more kills it")
            if number in (signal.SIGTERM, signal.SIGHUP) and not self._because and self._grace >= 0:
                self._because = signal.Signals(number).name
                self._over = time.monotonic() + self._grace
        if time.monotonic() > self._over:
            self._over = float("inf")
            self._say(f"the container still runs {self._grace:g} s after {self._because}: it is killed")
            found.append(Stop(kill=True))
        return found

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._came.append(number)
