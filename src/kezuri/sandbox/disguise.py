"""Steps to which another day and other directories are shown: what a build is given to find out what it depends on."""

import os
import threading
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.sandbox.step import Attendant, Exit, FileMount, Output, Sandbox, Step

_TARGET = "/.kezuri-clock.so"
_MARK = b"kezuri's clock:\0"


class Disguise(NamedTuple):
    """What steps are shown. `clock`: whether their clock is ours at all, so that two builds differ in how far it is
    `shift`ed (seconds) only; `backwards`: directories are read in reverse."""

    clock: bool = False
    shift: int = 0
    backwards: bool = False


def clock(shift: int) -> bytes:
    """The library that programs are given for a clock which is so many seconds ahead. KezuriError where there is none
    for this machine: `clock/shifted_clock.c` is what it is made of."""
    path = os.path.join(os.path.dirname(__file__), "clock", f"shifted_clock.{os.uname().machine}.so")
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        raise KezuriError.of(f"there is no other clock for {os.uname().machine}", exit_code=125) from None
    at = data.index(_MARK) + len(_MARK)
    return data[:at] + shift.to_bytes(8, "little", signed=True) + data[at + 8 :]


def has_clock() -> bool:
    """Whether there is such a library for this machine."""
    return os.uname().machine == "x86_64"


class Disguised:
    """A sandbox whose steps see what a Disguise shows. The library is loaded by way of LD_PRELOAD; a program that is
    linked statically looks at the machine's own clock, and so does the kernel, which dates files."""

    def __init__(self, sandbox: Sandbox, disguise: Disguise) -> None:
        self._sandbox = sandbox
        self._disguise = disguise
        self.name = sandbox.name

    def run(self, step: Step, output: Output, cancel: threading.Event, attendant: Attendant | None = None) -> Exit:
        """As Sandbox says."""
        shown = self._disguise
        if shown.clock:
            mounts = (*step.mounts, FileMount(_TARGET, clock(shown.shift), 0o755))
            before = [value for name, value in step.env if name == "LD_PRELOAD"]
            env = (*((n, v) for n, v in step.env if n != "LD_PRELOAD"), ("LD_PRELOAD", ":".join((_TARGET, *before))))
            step = step._replace(mounts=mounts, env=env)
        return self._sandbox.run(step._replace(backwards=shown.backwards), output, cancel, attendant)

    def close(self) -> None:
        """As Sandbox says."""
        self._sandbox.close()
