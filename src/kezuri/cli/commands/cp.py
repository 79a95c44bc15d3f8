"""`kezuri cp`: files of an image, copied out."""

import os

from kezuri.cli.image_paths import PLATFORM, VERIFY, Meter, image_path
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

COMMAND = Command(
    "cp",
    "Copy files out of an image",
    (
        Option(("--archive", "-a"), "flag", "Keep owners, set-id modes and capabilities (root only)"),
        Option(("--follow-link", "-L"), "flag", "Copy what a link at the end of the path leads to"),
        PLATFORM,
        VERIFY,
        Option(("--quiet", "-q"), "flag", "Do not say what was copied"),
    ),
    operands="IMAGE:/PATH DEST|-",
    least=2,
    most=2,
    description="Into DEST where that is a directory, else as DEST; of PATH/. what the directory holds; with - a tar\n"
    "on standard output. Devices are left out.\n"
    "IMAGE is read from the store where it is there, else from its registry, and none of it is kept;\n"
    "docker://NAME is the registry's in any case, and all places of `kezuri copy` are known.\n"
    "Layers are read from the uppermost one on, and only as far as needed: what was read of a layer is proved by its\n"
    "digest only with --verify, which reads the rest, too.",
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Say on standard error what was copied, as docker does."""
    from kezuri.app.copying_out import Copy, copy

    parsed, console = invocation.parsed, invocation.console
    text, dest = parsed.operands
    if not dest:
        raise UsageError.because("the destination is empty", "write . for this directory")
    if ":/" in dest and (":/" not in text or not os.path.isdir(os.path.dirname(dest))):
        raise UsageError.because("images cannot be written to", "COPY in a Dockerfile puts files into a new one")
    wanted = Copy(
        image_path(text, "cp"),
        dest,
        parsed.text("--platform"),
        parsed.flag("--follow-link"),
        parsed.flag("--archive"),
        parsed.flag("--verify"),
    )
    warned: list[str] = []
    with Meter(console, parsed.flag("--quiet"), result=dest == "-") as meter:
        copy(invocation.settings, wanted, meter.traffic, warned.append)
    for told in warned:
        console.note(f"warning: {told}")
    if not parsed.flag("--quiet") and dest != "-":
        console.note(f"kezuri: copied {text} to {dest}")
    return 0
