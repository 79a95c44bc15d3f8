"""Asking before something is removed."""

import sys

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import UsageError


def agreed(invocation: Invocation, what: str) -> bool:
    """Ask at a terminal; elsewhere nobody can answer, so that --force has to say it."""
    if not (sys.stdin is not None and sys.stdin.isatty() and invocation.console.err.isatty()):
        name = invocation.command.name
        raise UsageError.because(
            f"kezuri {name} asks before it removes anything", "add --force where nobody can answer"
        )
    invocation.console.err.write(f"This removes {what} from {invocation.settings.root}. Go on? [y/N] ")
    invocation.console.err.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
