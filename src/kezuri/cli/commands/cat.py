"""`kezuri cat`: a file of an image, on standard output."""

from kezuri.cli.image_paths import PLATFORM, QUIET, VERIFY, image_path, say_traffic
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command

COMMAND = Command(
    "cat",
    "Print files of images",
    (PLATFORM, VERIFY, QUIET),
    operands="IMAGE:/PATH...",
    least=1,
    most=-1,
    description="IMAGE is read from the store where it is there, else from its registry, and none of it is kept;\n"
    "docker://NAME is the registry's in any case, and all places of `kezuri copy` are known.\n"
    "Layers are read from the uppermost one on, and only as far as needed: what was read of a layer is proved by its\n"
    "digest only with --verify, which reads the rest, too.",
    completes="image",
)


def execute(invocation: Invocation) -> int:
    """The bytes as they are, one file after the other."""
    from kezuri.app.copying_out import cat
    from kezuri.app.image_files import Traffic

    parsed = invocation.parsed
    for source in [image_path(text, "cat") for text in parsed.operands]:
        traffic = Traffic()
        cat(invocation.settings, source, parsed.text("--platform"), traffic, parsed.flag("--verify"))
        if not parsed.flag("--quiet"):
            say_traffic(traffic, invocation.console)
    return 0
