"""`kezuri explore`: look around in the layers of an image."""

import threading
from collections.abc import Callable
from typing import Any

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

COMMAND = Command(
    "explore",
    "Look around in an image's layers and files",
    (Option(("--platform",), "text", "Which platform's image", "OS/ARCH"),),
    operands="IMAGE",
    least=1,
    most=1,
    description="IMAGE is read from the store where it is there, else from its registry, and none of it is kept; all\n"
    "places of `kezuri copy` are known. It needs a terminal; `kezuri analyze` prints what it shows in figures.\n"
    "The keys are those of dive, and more: ? shows them.",
    completes="image",
    holds=True,
)

_AT_ONCE = 0.4
"""For so many seconds the image may fail to open before the screen is taken."""


def execute(invocation: Invocation) -> int:
    """Take the screen until the user leaves."""
    from kezuri.app.anatomy import Named
    from kezuri.app.exploring import Exploration

    console, parsed = invocation.console, invocation.parsed
    if not _is_terminal(invocation):
        raise UsageError.because(
            "kezuri explore draws on a terminal, and this is none",
            "`kezuri analyze` prints what an image is made of, `kezuri ls IMAGE:/` its files",
        )
    named = Named(parsed.operands[0], parsed.text("--platform"))
    exploration = Exploration(invocation.settings, named)
    code = 0
    try:
        exploration.start()
        from kezuri.cli.explorer.app import Explorer

        if not exploration.fails(_AT_ONCE):
            explorer = Explorer(exploration, named.name, console.phrase)
            with Ending(lambda: explorer.call_from_thread(explorer.exit)):
                explorer.run()
            if explorer.broken is not None:
                raise explorer.broken
            code = explorer.return_code or 0
    finally:
        exploration.close()
    if exploration.failed is not None:
        raise exploration.failed
    return code


class Ending:
    """While this context is open, SIGTERM and SIGHUP have a thread call `leave`, so that the terminal is given back as
    it was; afterwards they do what they did before, once."""

    def __init__(self, leave: Callable[[], object]) -> None:
        self._leave = leave
        self._before: dict[int, Any] = {}
        self._came = 0

    def __enter__(self) -> None:
        import signal

        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._end)

    def __exit__(self, *raised: object) -> None:
        import signal

        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self._came:
            signal.raise_signal(self._came)

    def _end(self, number: int, frame: object) -> None:
        if not self._came:
            self._came = number
            # The loop sleeps in this thread, and only another one wakes it.
            threading.Thread(target=self._call, daemon=True).start()

    def _call(self) -> None:
        import time

        for _ in range(100):
            try:
                self._leave()
                return
            except RuntimeError:
                time.sleep(0.05)  # it is not running yet, or no more


def _is_terminal(invocation: Invocation) -> bool:
    import sys

    environ = invocation.console.environ
    streams = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    return environ.get("TERM", "") not in ("", "dumb") and all(each is not None and each.isatty() for each in streams)
