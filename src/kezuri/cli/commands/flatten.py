"""`kezuri flatten`: make all layers of an image one."""

from kezuri.cli.altering import COMPRESSION, CREATED, NAMES, PLATFORM
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command

COMMAND = Command(
    "flatten",
    "Make the layers of an image one",
    (*COMPRESSION, CREATED, PLATFORM, *NAMES),
    operands="IMAGE",
    least=1,
    most=1,
    description="The files and the settings are the same; what a later layer removed is not in the image any more.\n"
    "Nothing is shared with other images then. `kezuri build --squash` keeps the layers of the base.\n"
    "IMAGE is docker://NAME (a registry), oci:DIRECTORY[:NAME], or a name of the store, and so is what -t\n"
    "names; only what is lacking there is moved.",
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Print the new digest."""
    from kezuri.app.layering import flatten
    from kezuri.cli.altering import created, packing, report, wanted

    parsed, console = invocation.parsed, invocation.console
    (name,) = parsed.operands
    altered = flatten(
        invocation.settings,
        name,
        wanted(parsed),
        packing(parsed),
        created(parsed, console.environ),
        lambda text: console.note(f"warning: {text}"),
    )
    report(altered, console, name)
    return 0
