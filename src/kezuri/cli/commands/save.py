"""`kezuri save`: images of the store into an archive."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

_FORMS = ("docker-archive", "oci-archive", "oci-dir")

COMMAND = Command(
    "save",
    "Write images into an archive",
    (
        Option(
            ("--format",),
            "choice",
            "docker-archive (docker and podman load it, and it is an OCI layout as well), oci-archive, oci-dir",
            "FORMAT",
            _FORMS,
        ),
        Option(("--output", "-o"), "text", "Write to a file, or a directory for oci-dir", "FILE", completes="file"),
        Option(("--platform",), "text", "Only this platform's image", "OS/ARCH"),
        Option(("--quiet", "-q"), "flag", "Show no progress"),
        Option(("--multi-image-archive", "-m"), "flag", "Accepted: archives always hold all", ignored=True),
        Option(("--compress",), "flag", "Accepted: layers stay as they are", ignored=True),
    ),
    operands="IMAGE...",
    least=1,
    most=-1,
    aliases=("image save",),
    completes="image",
    description="Layers that images share are written once, and as they are in the store.",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """The archive on standard output unless a file is named."""
    from kezuri.app.archives import save
    from kezuri.cli.progress import open_progress

    parsed, console = invocation.parsed, invocation.console
    output = parsed.text("--output")
    form = parsed.text("--format") or "docker-archive"
    if not output:
        if form == "oci-dir":
            raise UsageError.because("--format oci-dir needs --output DIRECTORY")
        import os

        try:
            terminal = os.isatty(1)
        except OSError:
            terminal = False
        if terminal:
            raise UsageError.because(
                "an archive does not go to a terminal", "name a file with --output, or redirect standard output"
            )
        output = "-"
    mode = "quiet" if parsed.flag("--quiet") or output == "-" else ""
    with open_progress(mode, console, doing="saving") as progress:
        save(invocation.settings, parsed.operands, output, form, parsed.text("--platform"), progress)  # type: ignore[arg-type]
    return 0
