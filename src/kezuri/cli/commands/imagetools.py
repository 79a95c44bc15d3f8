"""`kezuri imagetools`: make indexes in a registry out of images that are there, and show them."""

from typing import Any

from kezuri.cli.commands.build import PROGRESS
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

CREATE = Command(
    "imagetools create",
    "Make an index of images, and push it",
    (
        Option(("--annotation",), "repeated", "Annotate the index", "KEY=VALUE"),
        Option(("--append",), "flag", "Add to what the first name stands for"),
        Option(("--dry-run",), "flag", "Show the index, and push nothing"),
        Option(("--file", "-f"), "repeated", "Read the names of images from a file, one a line", "FILE",
               completes="file"),
        Option(("--metadata-file",), "text", "Write what was pushed into a file, as JSON", "FILE", completes="file"),
        Option(("--platform", "-p"), "repeated", "Keep only these platforms", "OS/ARCH"),
        Option(("--prefer-index",), "flag", "One image alone becomes an index of one (default true)"),
        PROGRESS,
        Option(("--tag", "-t"), "repeated", "The name to give", "NAME"),
    ),
    operands="IMAGE...",
    most=-1,
    aliases=("index create", "buildx imagetools create"),
    description="A name alone means a registry's image; others are written as for `kezuri copy`: store:NAME,\n"
    "oci:DIRECTORY. What the target's repository lacks is copied there. The names come last.",
    holds=True,
)  # fmt: skip
INSPECT = Command(
    "imagetools inspect",
    "Show an image of a registry",
    (
        Option(("--format",), "text", "json, or a Go template: {{json .Manifest}}, {{json .Image}}", "FORMAT"),
        Option(("--raw",), "flag", "The manifest or index as it is"),
    ),
    operands="IMAGE",
    least=1,
    most=1,
    aliases=("index inspect", "buildx imagetools inspect"),
    completes="image",
)


def execute(invocation: Invocation) -> int:
    """Run the command that was named: `create` or `inspect`."""
    return _create(invocation) if invocation.command.name == "imagetools create" else _inspect(invocation)


def _create(invocation: Invocation) -> int:
    from kezuri.app.manifests import Making, make_index
    from kezuri.cli.progress import open_progress
    from kezuri.cli.values import pair, split

    parsed, console = invocation.parsed, invocation.console
    images = [*parsed.operands]
    for path in parsed.all("--file"):
        images += _listed(path)
    names, append, dry = parsed.all("--tag"), parsed.flag("--append"), parsed.flag("--dry-run")
    if not images and not append:
        raise UsageError.because("kezuri imagetools create needs IMAGE...")
    if not names and (append or not dry):
        raise UsageError.because("the index needs a name", "write --tag NAME, or look at it first with --dry-run")
    making = Making(
        names,
        tuple(images),
        append,
        parsed.flag("--prefer-index", True),
        tuple(_index_annotation(*pair("--annotation", text)) for text in parsed.all("--annotation")),
        split(parsed.all("--platform")),
    )
    with open_progress("quiet" if dry else parsed.text("--progress"), console, doing="pushing") as progress:
        index = make_index(invocation.settings, making, progress, dry_run=dry)
    import json

    from kezuri.cli.json_text import json_text

    if dry:
        console.say(json_text(json.loads(index.raw), 2))
        return 0
    if parsed.text("--metadata-file"):
        from kezuri.export.destination import write_text

        told = {"containerimage.descriptor": index.descriptor.to_json(), "image.name": ",".join(names)}
        write_text(parsed.text("--metadata-file"), json.dumps(told, indent=2).encode() + b"\n")
    console.say(index.descriptor.digest)
    return 0


def _index_annotation(key: str, value: str) -> tuple[str, str]:
    """The annotation, of the index: buildx writes `index:` before the key."""
    level, colon, rest = key.partition(":")
    if colon and level not in ("index", "manifest", "manifest-descriptor", "index-descriptor") and "[" not in level:
        return key, value
    if colon and level != "index":
        raise UsageError.because(f"--annotation {key}: only the index itself can be annotated here")
    return rest if colon else key, value


def _listed(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return [line.strip() for line in file if line.strip() and not line.startswith("#")]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError.because(f"--file {path} cannot be read: {error}") from None


def _inspect(invocation: Invocation) -> int:
    import json

    from kezuri.app.manifests import show

    parsed, console = invocation.parsed, invocation.console
    form, raw = parsed.text("--format"), parsed.flag("--raw")
    if form and raw:
        raise UsageError.because("--format and --raw exclude each other")
    shown = show(invocation.settings, parsed.operands[0], "", console.warn, remote=True, deep=bool(form))
    if raw:
        from kezuri.export.destination import STDOUT, destination

        with destination(STDOUT, binary=False) as sink:
            sink.write(shown.document.raw)
        return 0
    descriptor = shown.document.descriptor
    document = json.loads(shown.document.raw)
    if not form:
        _say(console.say, shown.name, descriptor.to_json(), document)
        return 0
    images = {str(one.platform or one.digest): json.loads(config) for one, _, config in shown.manifests if config}
    several = "manifests" in document
    value: dict[str, Any] = {
        "name": shown.name,
        "manifest": {**document, "digest": descriptor.digest, "size": descriptor.size},
        "image": images if several else next(iter(images.values()), {}),
    }
    if form == "json":
        from kezuri.cli.json_text import json_text

        console.say(json_text(value, 2))
        return 0
    from kezuri.cli.template import Template, escapes

    template = Template(escapes(form))
    console.data(template.render({"Name": value["name"], "Manifest": value["manifest"], "Image": value["image"]}))
    return 0


def _say(say: Any, name: str, descriptor: dict[str, Any], document: dict[str, Any]) -> None:
    """As buildx prints it."""
    say(f"Name:      {name}")
    say(f"MediaType: {descriptor['mediaType']}")
    say(f"Digest:    {descriptor['digest']}")
    if "manifests" not in document:
        return
    say("")
    say("Manifests:")
    bare = name.partition("@")[0]
    for entry in document["manifests"]:
        say(f"  Name:        {bare}@{entry['digest']}")
        say(f"  MediaType:   {entry['mediaType']}")
        platform = entry.get("platform") or {}
        if platform:
            words = [platform.get(key, "") for key in ("os", "architecture", "variant")]
            say(f"  Platform:    {'/'.join(word for word in words if word)}")
        if entry.get("annotations"):
            say("  Annotations:")
            for key, value in sorted(entry["annotations"].items()):
                say(f"    {key}: {value}")
        say("")
