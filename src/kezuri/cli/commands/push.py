"""`kezuri push`: an image of the local store to a registry."""

from typing import TYPE_CHECKING

from kezuri.cli.commands.build import PROGRESS
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

if TYPE_CHECKING:
    from kezuri.app.push import Pushed, PushedBlob

COMMAND = Command(
    "push",
    "Push an image to a registry",
    (
        Option(("--all-tags", "-a"), "flag", "Push every tag of the repository"),
        Option(("--platform",), "text", "Push only the image for this platform", "OS/ARCH"),
        PROGRESS,
        Option(("--quiet", "-q"), "flag", "Print only the image's name"),
        Option(("--format",), "choice", "Print what was pushed as JSON, a line for each tag", "FORMAT", ("json",)),
        Option(("--disable-content-trust",), "optional", "Accepted: there is no content trust", ignored=True),
    ),
    operands="NAME[:TAG]",
    least=1,
    most=1,
    aliases=("image push",),
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """What docker prints, on standard output; progress goes to standard error."""
    from kezuri.app.push import push
    from kezuri.cli.progress import open_progress
    from kezuri.oci.reference import Reference

    parsed, console = invocation.parsed, invocation.console
    quiet, every, form = parsed.flag("--quiet"), parsed.flag("--all-tags"), parsed.text("--format")
    name = parsed.operands[0]
    reference = Reference.parse(name, default_tag=False)
    talks = not quiet and not form
    mode = "quiet" if quiet else parsed.text("--progress")
    with open_progress(mode, console, invocation.settings.progress, doing="pushing") as progress:
        pushed = push(invocation.settings, name, progress, all_tags=every, platform=parsed.text("--platform"))
    if talks and not reference.tag and not reference.digest and not every:
        console.say("Using default tag: latest")
    if talks:
        console.say(f"The push refers to repository [{reference.repository}]")
    said: set[str] = set()
    for image in pushed:
        if form:
            from kezuri.cli.template import as_json

            console.say(as_json(_document(image)))
        elif quiet:
            console.say(str(image.name))
        else:
            for layer in image.layers:
                if layer.digest not in said:
                    said.add(layer.digest)
                    console.say(f"{layer.digest.removeprefix('sha256:')[:12]}: {_how(layer)}")
            console.say(f"{image.name.tag}: digest: {image.digest} size: {image.size}")
            if image.single:
                console.note(
                    f"only the image of one platform is in the store: {image.digest} was pushed in the place of the "
                    f"index {image.single}"
                )
    return 0


def _how(layer: "PushedBlob") -> str:
    if layer.how == "mounted":
        return f"Mounted from {layer.source}" if layer.source else "Mounted from another repository"
    return "Pushed" if layer.how == "sent" else "Layer already exists"


def _document(image: "Pushed") -> dict[str, object]:
    return {
        "Name": str(image.name),
        "Tag": image.name.tag,
        "Digest": image.digest,
        "Size": image.size,
        "Layers": [
            {"Digest": layer.digest, "Size": layer.size, "Status": layer.how, "Source": layer.source}
            for layer in image.layers
        ],
    }
