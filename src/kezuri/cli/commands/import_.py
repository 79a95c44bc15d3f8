"""`kezuri import`: an image made of the archive of a root file system."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "import",
    "Make an image of a root file system's archive",
    (
        Option(("--change", "-c"), "repeated", "Apply an instruction of a Dockerfile to the config", "INSTRUCTION"),
        Option(("--message", "-m"), "text", "The comment in the image's history", "TEXT"),
        Option(("--platform",), "text", "What platform the image is for (default: this machine's)", "OS/ARCH"),
        Option(("--quiet", "-q"), "flag", "Show no progress"),
    ),
    operands="FILE|URL|- [NAME[:TAG]]",
    least=1,
    most=2,
    aliases=("image import",),
    completes="file",
    description="The archive is a tar, plain or compressed with gzip, zstd, bzip2 or xz. Its files become the image's\n"
    "only layer, with all that it says of them.",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """The image's id on standard output, as docker's."""
    from kezuri.app.root_import import ImportRequest, import_root
    from kezuri.cli.progress import open_progress
    from kezuri.plan.epoch import epoch_seconds

    parsed, console = invocation.parsed, invocation.console
    source, *name = parsed.operands
    request = ImportRequest(
        source,
        name[0] if name else "",
        parsed.all("--change"),
        parsed.text("--message"),
        parsed.text("--platform"),
        epoch_seconds(console.environ.get("SOURCE_DATE_EPOCH", "")),
    )
    with open_progress("quiet" if parsed.flag("--quiet") else "", console, doing="importing") as progress:
        imported = import_root(invocation.settings, request, progress)
    console.say(imported.id)
    return 0
