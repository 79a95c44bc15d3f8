"""`kezuri export`: the root file system of an image as a tar."""

from kezuri.cli.image_paths import PLATFORM, QUIET, Meter
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "export",
    "Write an image's files as a tar",
    (
        Option(("--output", "-o"), "text", "Where to (default: standard output)", "FILE", completes="file"),
        PLATFORM,
        QUIET,
    ),
    operands="IMAGE",
    least=1,
    most=1,
    description="IMAGE is read from the store where it is there, else from its registry, and none of it is kept;\n"
    "docker://NAME is the registry's in any case, and all places of `kezuri copy` are known.",
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Write the tar. Standard error says how much was read from where the image is, and else nothing."""
    from kezuri.app.copying_out import export

    parsed, settings = invocation.parsed, invocation.settings
    dest = parsed.text("--output") or "-"
    with Meter(invocation.console, parsed.flag("--quiet"), result=dest == "-") as meter:
        export(settings, parsed.operands[0], dest, parsed.text("--platform"), meter.traffic)
    return 0
