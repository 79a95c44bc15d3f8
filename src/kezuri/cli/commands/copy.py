"""`kezuri copy`: an image from one place to another, as it is."""

from kezuri.cli.commands.build import PROGRESS
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

COMMAND = Command(
    "copy",
    "Copy an image between registries, layouts, archives and the store",
    (
        Option(("--all", "-a"), "flag", "Every platform (the default)"),
        Option(("--digestfile",), "text", "Write the digest of what was copied into a file", "FILE", completes="file"),
        Option(("--platform",), "text", "Only this platform's image", "OS/ARCH"),
        PROGRESS,
        Option(("--quiet", "-q"), "flag", "Print only the digest"),
        Option(("--referrers",), "flag", "Also what refers to the image: signatures, attestations, SBOMs"),
    ),
    operands="SOURCE TARGET",
    least=2,
    most=2,
    aliases=("image copy",),
    completes="image",
    description="Places: docker://NAME, oci:DIRECTORY[:NAME], oci-archive:FILE[:NAME], docker-archive:FILE[:NAME],\n"
    "dir:DIRECTORY, docker-daemon:NAME, containers-storage:NAME; store:NAME or a name alone is the local store's.\n"
    "Everything is copied byte for byte, so that digests stay; what the target has is not read.",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Copy, and print the digest."""
    from kezuri.app.transfers import CopyRequest, copy_image
    from kezuri.cli.options import UsageError
    from kezuri.cli.progress import open_progress

    parsed, console = invocation.parsed, invocation.console
    platform = parsed.text("--platform")
    if platform and parsed.flag("--all"):
        raise UsageError.because("--all and --platform exclude each other")
    mode = "quiet" if parsed.flag("--quiet") else parsed.text("--progress")
    source, target = parsed.operands
    request = CopyRequest(source, target, platform, parsed.flag("--referrers"))
    settings = invocation.settings
    with open_progress(mode, console, doing="copying") as progress:
        copied = copy_image(settings, request, progress)
    if copied.there and not parsed.flag("--quiet"):
        console.note(f"{copied.there} of {copied.blobs} blobs were there already")
    if not parsed.flag("--quiet") and _means_registry(source, target):
        console.note(f"{target} is a name of the store: the registry's image is docker://{target}")
    digest = copied.descriptor.digest
    if parsed.text("--digestfile"):
        from kezuri.export.destination import write_text

        write_text(parsed.text("--digestfile"), digest.encode() + b"\n")
    # Where the image itself went to standard output, the digest would be a part of it.
    if not parsed.operands[1].endswith("-archive:-"):
        console.say(digest)
    return 0


def _means_registry(source: str, target: str) -> bool:
    """Whether an image of the store is copied to a plain name that begins with a registry: other programs copy to that
    one, and kezuri to its own store."""
    from kezuri.oci.reference import Reference
    from kezuri.transfer.places import StorePlace, read_place

    host, slash, _ = target.partition("/")
    if not slash or not (":" in host or "." in host) or not isinstance(read_place(source), StorePlace):
        return False
    place = read_place(target)
    if not isinstance(place, StorePlace) or not place.alone:
        return False
    return Reference.parse(target).host == host
