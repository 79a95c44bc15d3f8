"""A shell where a step failed: `build --on-error=shell`."""

import os
import sys
import threading
from collections.abc import Callable

from kezuri.app.request import Settings
from kezuri.app.standard import Relay
from kezuri.diagnostics import KezuriError
from kezuri.sandbox.choice import is_own
from kezuri.sandbox.step import Sandbox
from kezuri.step.wreck import VARIABLE, Wreck

Tell = Callable[[KezuriError, str], None]
"""Receives a failure and what can be done about it now; it ends the display of progress and shows both."""


def check(settings: Settings) -> None:
    """KezuriError, exit code 2, where no shell could be opened."""
    if not is_own(settings.runtime):
        raise KezuriError.of(
            f"--on-error=shell needs kezuri's own sandbox: {settings.runtime} is given no terminal here",
            hint="leave --runtime out for this build",
            exit_code=2,
        )
    if not (os.isatty(0) and os.isatty(1)):
        raise KezuriError.of(
            "--on-error=shell needs a terminal on standard input and output",
            hint="leave it out where nobody can type",
            exit_code=2,
        )


def look(wreck: Wreck, sandbox: Sandbox, tell: Tell) -> None:
    """Tell of the failure and open a shell in the state in which the step failed; returns when it is left.

    Where the image has no shell, the step's changes can be looked at from outside until Enter is pressed.
    """
    shell = wreck.shell()
    if shell is None:
        tell(
            wreck.error,
            f"The image has no shell to open. What the step changed is in {wreck.changes}\n"
            "(in overlay form: 0/0 character devices stand for what was removed) until you press Enter here.",
        )
        sys.stdin.readline()
        return
    tell(
        wreck.error,
        f"{shell.path} in the state in which the step failed. Nothing that you change here is kept, except in cache\n"
        f'mounts. The failed command is in ${VARIABLE}; to run it again: eval "${VARIABLE}"\n'
        "Leave the shell (exit, Ctrl-D) to end the build.",
    )
    step = wreck.door_for(shell, sys.stdin.fileno(), (("TERM", os.environ.get("TERM", "xterm")),))
    sandbox.run(step, Relay(), threading.Event())
