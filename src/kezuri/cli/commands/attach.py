"""`kezuri attach`: make an artifact that belongs to an image."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

COMMAND = Command(
    "attach",
    "Attach an artifact to an image: a report, an SBOM, a signature",
    (
        Option(("--annotation", "-a"), "repeated", "An annotation of the artifact", "KEY=VALUE"),
        Option(("--artifact-type",), "text", "What it is: a media type", "TYPE"),
        Option(("--file", "-f"), "repeated", "A file of it, and its media type", "FILE[:TYPE]", completes="file"),
        Option(("--platform",), "text", "To the image of this platform, not to the index", "OS/ARCH"),
    ),
    operands="IMAGE [FILE[:TYPE]...]",
    least=1,
    most=-1,
    description="IMAGE is docker://NAME (a registry), oci:DIRECTORY[:NAME], or a name of the store. It stays as it\n"
    "is: the artifact names it as its subject (OCI 1.1), and goes from the store with it. `kezuri\n"
    "discover` finds it, `kezuri copy --referrers` takes it along. Its digest is printed.",
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Print the artifact's digest."""
    from kezuri.app.artifacts import AttachedFile, attach
    from kezuri.cli.values import pair

    parsed, console = invocation.parsed, invocation.console
    image, *more = parsed.operands
    kind = parsed.text("--artifact-type")
    if not kind:
        raise UsageError.because(
            "what type of artifact is it?", "write --artifact-type application/spdx+json, for instance"
        )
    files = [AttachedFile(*_file(text)) for text in (*parsed.all("--file"), *more)]
    names = [file.path for file in files]
    if len(set(names)) < len(names):
        raise UsageError.because(f"{next(n for n in names if names.count(n) > 1)} is given twice")
    annotations = dict(pair("--annotation", text) for text in parsed.all("--annotation"))
    platform = parsed.text("--platform")
    attached = attach(invocation.settings, image, kind, files, annotations, platform, console.warn)
    console.say(attached.descriptor.digest)
    return 0


def _file(text: str) -> tuple[str, str]:
    """The path and the media type; a path may have colons, a type has a slash after the last of them."""
    import os

    from kezuri.edits.artifact import ANY_FILE, is_media_type

    path, colon, kind = text.rpartition(":")
    if colon and path and is_media_type(kind) and not os.path.exists(text):
        return path, kind
    if colon and path and os.path.exists(path) and not os.path.exists(text):
        raise UsageError.because(f"--file {text}: {kind!r} is no media type", "write FILE:application/json")
    return text, ANY_FILE
