"""`kezuri rebase`: put an image onto another base."""

from kezuri.cli.altering import CREATED, NAMES, PLATFORM
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "rebase",
    "Put an image onto another base without building it",
    (
        CREATED,
        Option(
            ("--new-base", "--new_base"),
            "text",
            "The base that it gets (default: what has the name of its base now)",
            "IMAGE",
            completes="image",
        ),
        Option(
            ("--old-base", "--old_base"),
            "text",
            "The base that it stands on (default: what its annotations say)",
            "IMAGE",
            completes="image",
        ),
        PLATFORM,
        *NAMES,
    ),
    operands="IMAGE",
    least=1,
    most=1,
    description="Its own layers are put on those of the new base. A setting that it has as its old base had it\n"
    "follows the new base; what it set itself stays. Annotations say then what it stands on. Nothing is\n"
    "built again: whether it still runs is for you to see.\n"
    "IMAGE is docker://NAME (a registry), oci:DIRECTORY[:NAME], or a name of the store, and so is what -t\n"
    "names; only what is lacking there is moved.",
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Print the new digest."""
    from kezuri.app.rebase import rebase
    from kezuri.cli.altering import created, report, wanted

    parsed, console = invocation.parsed, invocation.console
    (name,) = parsed.operands
    altered = rebase(
        invocation.settings,
        name,
        wanted(parsed),
        parsed.text("--new-base"),
        parsed.text("--old-base"),
        created(parsed, console.environ),
        lambda text: console.note(f"warning: {text}"),
    )
    report(altered, console, name)
    return 0
