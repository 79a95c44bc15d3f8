"""`kezuri cp`: files of an image, copied out."""

from kezuri.cli.image_paths import PLATFORM, VERIFY, image_path, say_traffic
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
)


def execute(invocation: Invocation) -> int:
    """Say on standard error what was copied, as docker does."""
    from kezuri.app.copying_out import Copy, copy
    from kezuri.app.image_files import Traffic

    parsed, console, traffic = invocation.parsed, invocation.console, Traffic()
    text, dest = parsed.operands
    if not dest:
        raise UsageError.because("the destination is empty", "write . for this directory")
    if ":/" not in text and ":/" in dest:
        raise UsageError.because("images cannot be written to", "COPY in a Dockerfile puts files into a new one")
    wanted = Copy(
        image_path(text, "cp"),
        dest,
        parsed.text("--platform"),
        parsed.flag("--follow-link"),
        parsed.flag("--archive"),
        parsed.flag("--verify"),
    )
    copy(invocation.settings, wanted, traffic, lambda text: console.note(f"warning: {text}"))
    if not parsed.flag("--quiet"):
        if dest != "-":
            console.note(f"kezuri: copied {text} to {dest}")
        say_traffic(traffic, console)
    return 0
