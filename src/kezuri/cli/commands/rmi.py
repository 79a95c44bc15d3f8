"""`kezuri rmi`: names and images go."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "rmi",
    "Remove images",
    (
        Option(("--force", "-f"), "flag", "Also what has other names; a name that is not there is no error"),
        Option(("--no-prune",), "flag", "Accepted and ignored", ignored=True),
    ),
    operands="IMAGE...",
    least=1,
    most=-1,
    aliases=("image rm", "image remove"),
    completes="image",
)


def execute(invocation: Invocation) -> int:
    """One line for each thing that went."""
    from kezuri.app.images import remove

    parsed = invocation.parsed
    for gone in remove(invocation.settings, parsed.operands, parsed.flag("--force")):
        if gone.what in ("untagged", "deleted"):
            invocation.console.say(f"{gone.what.capitalize()}: {gone.name}")
    return 0
