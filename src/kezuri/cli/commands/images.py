"""`kezuri images`: what the local store has."""

from typing import Any

from kezuri.app.answers import ImageSummary
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError
from kezuri.cli.table import FORMAT, listing

COMMAND = Command(
    "images",
    "List images",
    (
        Option(("--all", "-a"), "flag", "Accepted: there are no images in between", ignored=True),
        Option(("--digests",), "flag", "Show manifest digests"),
        Option(
            ("--filter", "-f"),
            "repeated",
            "Show only some: reference=PATTERN, dangling=, label=, before=, since=, until=",
            "FILTER",
        ),
        FORMAT,
        Option(("--no-trunc",), "flag", "Show whole ids"),
        Option(("--noheading", "-n"), "flag", "Print no headings"),
        Option(("--quiet", "-q"), "flag", "Show only ids"),
    ),
    operands="[NAME[:TAG]]",
    most=1,
    aliases=("image ls", "image list"),
    completes="image",
)

_HEADINGS = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CompressedSize": "COMPRESSED",
    "Size": "SIZE",
    "VirtualSize": "VIRTUAL SIZE",
    "Platform": "PLATFORM",
    "Containers": "CONTAINERS",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
}


def execute(invocation: Invocation) -> int:
    """List the images."""
    from kezuri.app.images import images

    parsed, console = invocation.parsed, invocation.console
    filters = parsed.all("--filter")
    for text in filters:
        if "=" not in text:
            raise UsageError.because(f"--filter {text!r} is not of the form NAME=VALUE")
    filters += tuple(f"reference={name}" for name in parsed.operands)
    whole = parsed.flag("--no-trunc")
    quiet = parsed.flag("--quiet")
    found = images(invocation.settings, filters, lambda text: console.note(f"warning: {text}"), measured=not quiet)
    rows = [_row(image, whole) for image in found]
    if quiet:
        for row in rows:
            console.say(row["ID"])
        return 0
    # Scripts take the first columns, and the last one, of docker's table.
    shown = ["Repository", "Tag", *(["Digest"] if parsed.flag("--digests") else []), "ID"]
    shown += ["Platform", "CreatedSince", "CompressedSize", "Size"]
    columns = {field: _HEADINGS[field] for field in shown}
    listing(console, parsed.text("--format"), rows, columns, _HEADINGS, headed=not parsed.flag("--noheading"))
    return 0


def _row(image: ImageSummary, whole: bool) -> dict[str, Any]:
    import time

    from kezuri.cli.quantities import moment, since, size

    repository, tag = _name(image.name)
    identity = image.id if whole else image.id.removeprefix("sha256:")[:12]
    unpacked = "N/A" if image.size is None else size(image.size)
    return {
        "Repository": repository,
        "Tag": tag,
        "Digest": image.digest or "<none>",
        "ID": identity,
        "CreatedSince": since(image.created, time.time()),
        "CreatedAt": moment(image.created),
        "CompressedSize": size(image.compressed),
        "Size": unpacked,
        "VirtualSize": unpacked,
        "Containers": "N/A",
        "SharedSize": "N/A",
        "UniqueSize": "N/A",
        "Platform": image.platform,
    }


def _name(name: str) -> tuple[str, str]:
    """The familiar repository and the tag; `<none>` for what is not there."""
    if not name or name.startswith("<none>"):
        return "<none>", "<none>"
    from kezuri.diagnostics import KezuriError
    from kezuri.oci import Reference

    try:
        reference = Reference.parse(name, default_tag=False)
    except KezuriError:
        return name, "<none>"
    return reference._replace(tag="", digest="").familiar, reference.tag or "<none>"
