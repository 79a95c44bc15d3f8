"""`kezuri __complete`: what may come next, for the completion scripts."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command

COMMAND = Command(
    "__complete",
    "What may come next (for the completion scripts)",
    operands="SHELL [WORD...]",
    least=1,
    most=-1,
    passthrough=True,
    hidden=True,
)


def execute(invocation: Invocation) -> int:
    """One candidate a line; nothing where file names are meant. Never fails: a shell would show the error."""
    from kezuri.cli.completion import answer

    shell, *words = invocation.parsed.operands
    for line in answer(shell, words, invocation.console):
        invocation.console.say(line)
    return 0
