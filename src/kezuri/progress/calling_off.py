"""Calling work off: from one place, in every thread that does some of it."""

import threading
from collections.abc import Callable


class CalledOff(Exception):
    """Work that was called off stops here."""

    def __init__(self) -> None:
        super().__init__("canceled")


class CallOff(threading.Event):
    """Set when work is called off. A loop looks at it with `check`; code that waits for a peer gives `then` a function
    that ends the waiting."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._ways: list[Callable[[], object]] = []

    def then(self, way: Callable[[], object]) -> None:
        """Have `way` called once, by the thread that calls the work off; at once if that has been done already."""
        with self._guard:
            late = self.is_set()
            if not late:
                self._ways.append(way)
        if late:
            way()

    def check(self) -> None:
        """CalledOff when the work was called off."""
        if self.is_set():
            raise CalledOff

    def set(self) -> None:
        """Call the work off."""
        with self._guard:
            super().set()
            ways, self._ways = self._ways, []
        for way in ways:
            way()
