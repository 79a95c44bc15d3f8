"""What the main process wants of a step that runs, done by its supervisor: signals, an end in peace, an end."""

import os
import signal
import time

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
"""What people and their programs send when they want another program to end."""

_SIGTIMEDWAIT = {"x86_64": 128, "amd64": 128}
_GENERIC_SIGTIMEDWAIT = 137


class Orders:
    """The orders for one step. `pidfd` is of its PID 1, or of the OCI runtime that is its parent (`nested`), passes
    signals on and ends as it does.

    Signals that arrive before the program has started wait for it. `killed` tells whether the step was asked to end.
    """

    def __init__(self, pidfd: int, stop_signal: int, nested: bool) -> None:
        self._pidfd = pidfd
        self._stop_signal = stop_signal
        self._nested = nested
        self._waiting: list[int] | None = []
        self._because = 0
        self.killed = False

    def begin(self) -> None:
        """The program has started."""
        waiting, self._waiting = self._waiting or [], None
        for number in waiting:
            self.obey("signal", number)

    def obey(self, what: str, number: int) -> None:
        """`signal` (a number), `stop` or `kill`."""
        if what == "signal":
            if self._waiting is not None:
                self._waiting.append(number)
            else:
                self._pass_on(number)
        elif what == "stop":
            self._stop()
        else:
            self._kill()

    def first(self) -> int:
        """The number that the step's first process has in our own /proc; it has another one in each PID namespace. As
        long as an OCI runtime has not started the step, the runtime's number is returned."""
        number = int(_field(f"/proc/self/fdinfo/{self._pidfd}", "Pid:"))
        return (_child(number) or number) if self._nested else number

    def meaning(self, code: int) -> int:
        """The exit code that PID 1 is reported with (a signal's number, negated). Where we killed it in place of
        another signal, which the kernel would have ignored, it is that signal."""
        return -self._because if code == -signal.SIGKILL and self._because else code

    def _pass_on(self, number: int) -> None:
        if number not in ENDING or self._handles(number):
            self._send(number)
        elif not self._has("SigIgn:", number):
            # The kernel ignores this signal for a PID 1 without a handler, while it would end any other program.
            self._because = number
            self._stop()

    def _stop(self) -> None:
        self.killed = True
        if self._handles(self._stop_signal):
            self._send(self._stop_signal)
        else:
            self._send(signal.SIGKILL)

    def _kill(self) -> None:
        self.killed = True
        self._because = 0
        self._send(signal.SIGKILL)

    def _handles(self, number: int) -> bool:
        """Whether the process handles or awaits the signal: PID 1 of a namespace ignores all others, so that giving it
        time to heed them would be in vain."""
        if self._has("SigCgt:", number) or self._waits_for_signals():
            return True
        # Blocked for good means awaited (signalfd); for an instant it means a fork.
        if not self._has("SigBlk:", number):
            return False
        time.sleep(0.02)
        return self._has("SigBlk:", number)

    def _has(self, mask: str, number: int) -> bool:
        try:
            return bool(int(_field(f"/proc/{self.first()}/status", mask), 16) >> (number - 1) & 1)
        except OSError:
            return False

    def _waits_for_signals(self) -> bool:
        """Whether the process is within sigwait(3), which hides from its masks what it waits for."""
        try:
            with open(f"/proc/{self.first()}/syscall") as f:
                return f.read().split()[0] == str(_SIGTIMEDWAIT.get(os.uname().machine, _GENERIC_SIGTIMEDWAIT))
        except OSError:
            return False

    def _send(self, number: int) -> None:
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            pass  # it has ended, and is about to be waited for


def _child(parent: int) -> int:
    """The child of a process of one child, which any of its threads may have made; 0 when there is none."""
    try:
        for thread in os.listdir(f"/proc/{parent}/task"):
            with open(f"/proc/{parent}/task/{thread}/children") as f:
                found = f.read().split()
            if found:
                return int(found[0])
    except OSError:
        pass  # it has just ended, or this kernel does not tell
    return 0


def _field(path: str, name: str) -> str:
    """The value of a line of a /proc file. OSError when there is none."""
    with open(path) as f:
        for line in f:
            if line.startswith(name):
                return line.split()[1]
    raise FileNotFoundError(path)
