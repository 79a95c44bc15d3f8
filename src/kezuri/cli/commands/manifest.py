"""`kezuri manifest`: a manifest or index shown, and lists of images put together and pushed."""

from typing import TYPE_CHECKING, Any

from kezuri.cli.commands.build import PROGRESS
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

if TYPE_CHECKING:
    from kezuri.app.lists import Notes
    from kezuri.app.manifests import Shown

_ANNOTATION = Option(("--annotation",), "repeated", "Annotate the entry", "KEY=VALUE")
_NOTES = (
    _ANNOTATION,
    Option(("--arch",), "text", "The entry's architecture", "ARCH"),
    Option(("--os",), "text", "The entry's operating system", "OS"),
    Option(("--os-version",), "text", "The entry's version of the operating system", "VERSION"),
    Option(("--variant",), "text", "The entry's variant of the architecture", "VARIANT"),
)
_INSECURE = Option(("--insecure",), "flag", "Accepted: --insecure-registry names hosts", ignored=True)

INSPECT = Command(
    "manifest inspect",
    "Show the manifest or index of an image, or a list",
    (
        _INSECURE,
        Option(("--platform",), "text", "Of an index, this platform's manifest", "OS/ARCH"),
        Option(("--raw",), "flag", "The bytes as they are"),
        Option(("--verbose", "-v"), "flag", "Each manifest with its descriptor"),
    ),
    operands="IMAGE|LIST",
    least=1,
    most=1,
    completes="image",
    description="A name alone means a list that was made here, else the store's image, else the registry's.",
)
CREATE = Command(
    "manifest create",
    "Begin a list of images, to be pushed as an index",
    (
        Option(("--all",), "flag", "Accepted: every platform of an index is listed", ignored=True),
        Option(("--amend", "-a"), "flag", "Add to a list that is there"),
        _INSECURE,
    ),
    operands="LIST [IMAGE...]",
    least=1,
    most=-1,
    completes="image",
    description="Images are named as for `kezuri copy`; a name alone means the store's image if there is one, else\n"
    "the registry's.",
)
ADD = Command(
    "manifest add",
    "Add an image to a list",
    (
        *_NOTES[:2],
        Option(("--all",), "flag", "Of an index, every platform"),
        *_NOTES[2:],
    ),
    operands="LIST IMAGE",
    least=2,
    most=2,
    completes="image",
)
ANNOTATE = Command(
    "manifest annotate",
    "Change what a list says of one of its images",
    _NOTES,
    operands="LIST IMAGE|DIGEST",
    least=2,
    most=2,
)
REMOVE = Command("manifest remove", "Take an image out of a list", operands="LIST DIGEST", least=2, most=2)
RM = Command("manifest rm", "Forget lists", operands="LIST...", least=1, most=-1)
PUSH = Command(
    "manifest push",
    "Push a list, and the images that the registry lacks",
    (
        Option(("--all",), "flag", "Accepted: images of a list are always pushed with it", ignored=True),
        Option(("--digestfile",), "text", "Write the digest of the index into a file", "FILE", completes="file"),
        _INSECURE,
        PROGRESS,
        Option(("--purge", "-p", "--rm"), "flag", "Forget the list when it is pushed"),
        Option(("--quiet", "-q"), "flag", "Print only the digest"),
    ),
    operands="LIST [TARGET]",
    least=1,
    most=2,
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Run the command of `kezuri manifest` that was named."""
    return globals()["_" + invocation.command.name.partition(" ")[2]](invocation)  # type: ignore[no-any-return]


def _inspect(invocation: Invocation) -> int:
    from kezuri.app.lists import listed
    from kezuri.app.manifests import Shown, show

    parsed, console = invocation.parsed, invocation.console
    text, verbose = parsed.operands[0], parsed.flag("--verbose")
    platform = parsed.text("--platform")
    draft = listed(invocation.settings, text) if not platform and not verbose else None
    if draft is not None:
        shown = Shown(text, draft)
    else:
        shown = show(invocation.settings, text, platform, console.warn, deep=verbose)
    if parsed.flag("--raw"):
        from kezuri.export.destination import STDOUT, destination

        with destination(STDOUT, binary=False) as sink:
            sink.write(shown.document.raw)
        return 0
    import json

    from kezuri.cli.json_text import json_text

    value: Any = json.loads(shown.document.raw)
    if verbose:
        several = [_verbosely(shown, i) for i in range(len(shown.manifests))]
        value = several if "manifests" in value else several[0]
    console.say(json_text(value, 4))
    return 0


def _verbosely(shown: "Shown", number: int) -> dict[str, Any]:
    """As `docker manifest inspect --verbose` tells of one."""
    import json

    from kezuri.oci.descriptor import DOCKER_MANIFEST

    descriptor, document, _ = shown.manifests[number]
    key = "SchemaV2Manifest" if descriptor.media_type == DOCKER_MANIFEST else "OCIManifest"
    several = len(shown.manifests) > 1 or descriptor.digest != shown.document.descriptor.digest
    name = f"{shown.name.partition('@')[0]}@{descriptor.digest}" if several else shown.name
    return {"Ref": name, "Descriptor": descriptor.to_json(), key: json.loads(document.raw)}


def _create(invocation: Invocation) -> int:
    from kezuri.app.lists import create

    parsed = invocation.parsed
    name, *images = parsed.operands
    made = create(invocation.settings, name, images, invocation.console.warn, amend=parsed.flag("--amend"))
    invocation.console.say(f"Created manifest list {made}")
    return 0


def _notes(invocation: Invocation) -> "Notes":
    from kezuri.app.lists import Notes
    from kezuri.cli.values import pair

    parsed = invocation.parsed
    return Notes(
        parsed.text("--os"),
        parsed.text("--arch"),
        parsed.text("--variant"),
        parsed.text("--os-version"),
        tuple(pair("--annotation", text) for text in parsed.all("--annotation")),
    )


def _add(invocation: Invocation) -> int:
    from kezuri.app.lists import add

    name, image = invocation.parsed.operands
    whole, console = invocation.parsed.flag("--all"), invocation.console
    console.say(add(invocation.settings, name, image, _notes(invocation), console.warn, whole=whole))
    return 0


def _annotate(invocation: Invocation) -> int:
    from kezuri.app.lists import Notes, annotate

    notes = _notes(invocation)
    if notes == Notes():
        raise UsageError.because("there is nothing to annotate", "--arch, --os, --variant or --annotation say what")
    name, image = invocation.parsed.operands
    annotate(invocation.settings, name, image, notes)
    return 0


def _remove(invocation: Invocation) -> int:
    from kezuri.app.lists import remove

    name, image = invocation.parsed.operands
    remove(invocation.settings, name, image)
    return 0


def _rm(invocation: Invocation) -> int:
    from kezuri.app.lists import forget

    forget(invocation.settings, invocation.parsed.operands)
    return 0


def _push(invocation: Invocation) -> int:
    from kezuri.app.lists import push
    from kezuri.cli.progress import open_progress

    parsed, console = invocation.parsed, invocation.console
    name, *target = parsed.operands
    mode = "quiet" if parsed.flag("--quiet") else parsed.text("--progress")
    with open_progress(mode, console, doing="pushing") as progress:
        digest = push(invocation.settings, name, target[0] if target else "", progress, purge=parsed.flag("--purge"))
    if parsed.text("--digestfile"):
        from kezuri.export.destination import write_text

        write_text(parsed.text("--digestfile"), digest.encode() + b"\n")
    console.say(digest)
    return 0
