"""`kezuri append`: put tars and directories on an image as new layers."""

from typing import BinaryIO

from kezuri.cli.altering import COMPRESSION, CREATED, NAMES, PLATFORM
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

COMMAND = Command(
    "append",
    "Put layers on an image: tars, or directories",
    (
        *COMPRESSION,
        CREATED,
        Option(
            ("--file", "-f", "--new_layer"),
            "repeated",
            "A tar, also compressed, - for standard input, or a directory",
            "FILE|DIR|-",
            completes="file",
        ),
        PLATFORM,
        *NAMES,
    ),
    operands="IMAGE [FILE|DIR...]",
    least=1,
    most=-1,
    description="A tar becomes a layer as it stands: .wh. names in it remove files, a directory hides a link below\n"
    "it. A directory is copied to /, as COPY does it: through the links of the image, owned by root. The\n"
    "new digest is printed; the image is as old as it was, unless --created says otherwise.\n"
    "IMAGE is docker://NAME (a registry), oci:DIRECTORY[:NAME], or a name of the store, and so is what -t\n"
    "names; only what is lacking there is moved.",
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Print the new digest."""
    from kezuri.app.layering import append
    from kezuri.cli.altering import created, packing, report, wanted

    parsed, console = invocation.parsed, invocation.console
    name, *more = parsed.operands
    files = (*parsed.all("--file"), *more)
    if not files:
        raise UsageError.because("nothing to append", "name a tar or a directory: -f FILE")
    if files.count("-") > 1:
        raise UsageError.because("standard input can be read once only")
    altered = append(
        invocation.settings,
        name,
        wanted(parsed),
        files,
        _stdin,
        packing(parsed),
        created(parsed, console.environ),
        lambda text: console.note(f"warning: {text}"),
    )
    report(altered, console, name)
    return 0


def _stdin() -> BinaryIO:
    import sys

    if sys.stdin is None:
        raise UsageError.because("standard input is closed", "name a file")
    if sys.stdin.isatty():
        raise UsageError.because("standard input is a terminal", "pipe a tar into it, or name a file")
    return sys.stdin.buffer
