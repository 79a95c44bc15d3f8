"""`kezuri rmi`: take names away, and remove images that have none left."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option
from kezuri.diagnostics import KezuriError

COMMAND = Command(
    "rmi",
    "Remove images",
    (
        Option(("--force", "-f"), "flag", "Also what has other names; a name that is not there is no error"),
        Option(("--ignore", "-i"), "flag", "A name that is not there is no error"),
        Option(("--no-prune",), "flag", "Accepted and ignored", ignored=True),
    ),
    operands="IMAGE...",
    least=1,
    most=-1,
    aliases=("image rm", "image remove"),
    completes="image",
)


def execute(invocation: Invocation) -> int:
    """Print a line for each name and image that was removed. One that cannot be removed does not keep the others."""
    from kezuri.app.images import remove
    from kezuri.images.kept import NoSuchImage

    parsed, console = invocation.parsed, invocation.console
    missed: list[KezuriError] = []
    for gone in remove(invocation.settings, parsed.operands, parsed.flag("--force"), missed.append):
        if gone.what in ("untagged", "deleted"):
            console.say(f"{gone.what.capitalize()}: {gone.name}")
    lenient = parsed.flag("--force") or parsed.flag("--ignore")
    if missed and lenient and all(isinstance(error, NoSuchImage) for error in missed):
        for error in missed:
            console.note(f"warning: {error}")
    elif missed:
        raise KezuriError(*(d for error in missed for d in error.diagnostics), exit_code=missed[0].exit_code)
    return 0
