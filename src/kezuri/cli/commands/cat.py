"""`kezuri cat`: a file of an image, on standard output."""

from kezuri.cli.image_paths import PLATFORM, QUIET, VERIFY, Meter, image_path
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
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """The bytes as they are, one file after the other."""
    from kezuri.app.copying_out import cat

    parsed = invocation.parsed
    words = parsed.operands
    for source in [image_path(text, "cat", path) for text, path in zip(words, (*words[1:], ""))]:
        with Meter(invocation.console, parsed.flag("--quiet"), result=True) as meter:
            cat(invocation.settings, source, parsed.text("--platform"), meter.traffic, parsed.flag("--verify"))
    return 0
