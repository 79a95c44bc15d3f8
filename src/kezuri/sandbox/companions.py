"""Processes that serve a step while it runs: when one of them ends before the step does, somebody has to be told."""

import os
import signal
from collections.abc import Callable, Iterable


class Companions:
    """Watches such processes, children of this one. Their descriptors become readable when they end."""

    def __init__(self) -> None:
        self._watched: dict[int, tuple[int, str, str, Callable[[], None]]] = {}

    def watch(self, pid: int, name: str, loss: str, gone: Callable[[], None] = lambda: None) -> None:
        """Watch the child `pid` (0: there is none). `loss` says what the step has not any more without it, and `gone`
        is called when it has been waited for."""
        if pid:
            self._watched[os.pidfd_open(pid)] = (pid, name, loss, gone)

    def descriptors(self) -> Iterable[int]:
        """What to poll."""
        return tuple(self._watched)

    def watches(self, fd: int) -> bool:
        """Whether the descriptor is one of them."""
        return fd in self._watched

    def ended(self, fd: int) -> str:
        """What is to be said of the end of this one, which is not watched from now on."""
        pid, name, loss, gone = self._watched.pop(fd)
        os.close(fd)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        gone()
        if code < 0:
            return f"{name} was killed ({signal.Signals(-code).name}): {loss}"
        return f"{name} has ended (exit code {code}): {loss}"
