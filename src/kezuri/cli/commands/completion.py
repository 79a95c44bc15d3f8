"""`kezuri completion`: scripts that make a shell ask kezuri itself."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, UsageError

COMMAND = Command(
    "completion",
    "Print a completion script for a shell",
    operands="bash|zsh|fish",
    least=1,
    most=1,
    description="bash: source <(kezuri completion bash)\n"
    "zsh:  source <(kezuri completion zsh), after compinit\n"
    "fish: kezuri completion fish | source",
    completes="shell",
)


def execute(invocation: Invocation) -> int:
    """The script on standard output."""
    from kezuri.cli.completion import SCRIPTS

    shell = invocation.parsed.operands[0]
    if shell not in SCRIPTS:
        raise UsageError.because(f"there is no completion for {shell!r}", f"one of: {', '.join(SCRIPTS)}")
    invocation.console.say(SCRIPTS[shell])
    return 0
