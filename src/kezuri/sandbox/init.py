"""The first process of a step that asks for one: it passes signals on to the program and waits for orphans."""

import os
import signal
from collections.abc import Callable
from typing import NoReturn

from kezuri.linux.titles import name_process

_SELF = (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGABRT, signal.SIGSYS)
"""Signals of a process's own mistakes."""


def run(execute: Callable[[], NoReturn], channel: int, terminal: bool) -> NoReturn:
    """Start the program in a child, by `execute`, and end with its exit code. Only the child uses `channel`.

    This process has become the step already: it has the step's user, capabilities, root and filter. It blocks every
    signal and waits for it, so that no signal ends it and none is lost. Its handlers do nothing: they are set because
    `orders.py` looks in /proc whether the first process of a step handles a signal. The child resets them.
    """
    taken = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, *_SELF}
    signal.pthread_sigmask(signal.SIG_BLOCK, taken)
    for number in taken:
        signal.signal(number, lambda *_: None)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        if terminal:
            # The kernel sends SIGTTOU for this call; it is still blocked here.
            os.tcsetpgrp(0, os.getpgid(0))
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        execute()
    os.close(channel)
    name_process("kezuri-init")
    _let_go_of_streams()
    while True:
        came = signal.sigwait(taken)
        if came != signal.SIGCHLD:
            _pass_on(child, came)
            continue
        ended = _reap(child)
        if ended is not None:
            # The kernel kills whatever is left when its PID 1 ends.
            os._exit(ended)


def _let_go_of_streams() -> None:
    """Replace our standard streams by a pipe that nobody writes to. Then only the program holds the step's streams, and
    whoever reads them sees their end when the program closes them."""
    read, write = os.pipe()
    os.close(write)
    for stream in (0, 1, 2):
        os.dup2(read, stream)
    os.close(read)


def _pass_on(child: int, number: int) -> None:
    try:
        os.kill(child, number)
    except ProcessLookupError:
        pass  # it has ended: SIGCHLD says so


def _reap(child: int) -> int | None:
    """Wait for all that have ended; the program's exit code (128 + the signal's number) when it is among them."""
    code = None
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == child:
                code = os.waitstatus_to_exitcode(found[1])
                code = 128 - code if code < 0 else code
    except ChildProcessError:
        pass
    return code
