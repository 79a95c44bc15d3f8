"""`kezuri load`: images of an archive into the store."""

import sys

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

COMMAND = Command(
    "load",
    "Read images from an archive",
    (
        Option(("--input", "-i"), "text", "Read a file or layout directory instead of standard input", "FILE",
               completes="file"),
        Option(("--platform",), "text", "Only this platform's image", "OS/ARCH"),
        Option(("--quiet", "-q"), "flag", "Show no progress"),
    ),
    aliases=("image load",),
    description="Archives of `docker save` (old and new), `podman save`, `skopeo copy` and `kezuri save`, OCI\n"
    "layouts; plain or compressed with gzip, zstd, bzip2 or xz.",
    holds=True,
)  # fmt: skip


def execute(invocation: Invocation) -> int:
    """Print a line for each name, as docker does."""
    from kezuri.app.archives import load
    from kezuri.cli.progress import open_progress

    parsed, console = invocation.parsed, invocation.console
    path = parsed.text("--input") or "-"
    if path == "-" and sys.stdin is not None and sys.stdin.isatty():
        raise UsageError.because("standard input is a terminal", "name the archive: --input FILE, or redirect it")
    mode = "quiet" if parsed.flag("--quiet") else ""
    with open_progress(mode, console, doing="loading") as progress:
        loaded = load(invocation.settings, path, parsed.text("--platform"), progress)
    for image in loaded:
        for name, before in image.displaced:
            console.say(f"The image {name} already exists, renaming the old one with ID {before} to empty string")
        for name in image.names:
            console.say(f"Loaded image: {name}")
        if not image.names:
            console.say(f"Loaded image ID: {image.id}")
    if not loaded:
        console.note("warning: the archive holds no images")
    return 0
