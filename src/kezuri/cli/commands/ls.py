"""`kezuri ls`: what a directory of an image has."""

from typing import TYPE_CHECKING

from kezuri.cli.image_paths import PLATFORM, QUIET, Meter
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

if TYPE_CHECKING:
    from kezuri.app.image_files import ImagePath
    from kezuri.layer.entry import Entry

COMMAND = Command(
    "ls",
    "List files of an image, or tags of a repository",
    (
        Option(("--long", "-l"), "flag", "Modes, owners, sizes and times, too"),
        Option(("--recursive", "-R"), "flag", "Also what is below, a full path on each line"),
        Option(("--human-readable", "-h"), "flag", "With -l: sizes like 1.2kB"),
        Option(("--format",), "choice", "json: an object on each line", "FORMAT", ("json", "table")),
        PLATFORM,
        QUIET,
    ),
    operands="IMAGE:TAG|IMAGE:/PATH|REPOSITORY",
    least=1,
    most=1,
    description="IMAGE is read from the store where it is there, else from its registry, and none of it is kept;\n"
    "docker://NAME is the registry's in any case, and all places of `kezuri copy` are known.\n"
    "Of a directory every layer that has part of it is read. A name without a tag and a path is a repository's.",
    completes="image",
    holds=True,
)

_LETTERS = {"dir": "d", "symlink": "l", "char": "c", "block": "b", "fifo": "p"}
_BITS = "rwxrwxrwx"
_SET = ((0o4000, 2, "sS"), (0o2000, 5, "sS"), (0o1000, 8, "tT"))


def execute(invocation: Invocation) -> int:
    """A line for each entry, in the order of their names."""
    from kezuri.app.copying_out import listing
    from kezuri.app.image_files import ImagePath

    parsed, console = invocation.parsed, invocation.console
    source = ImagePath.parse(parsed.operands[0])
    if _is_repository(source):
        from kezuri.cli.commands.tags import show_tags

        return show_tags(invocation, source.image, "json" if parsed.text("--format") == "json" else "")
    long, deep, form = parsed.flag("--long"), parsed.flag("--recursive"), parsed.text("--format")
    with Meter(console, parsed.flag("--quiet")) as meter:
        entries = listing(invocation.settings, source, parsed.text("--platform"), meter.traffic, deep, not long)
    if form == "json":
        from kezuri.cli.json_text import json_text

        for entry in entries:
            console.say(json_text(_row(entry)))
    else:
        names = [f"/{entry.path}" if deep else entry.path.rpartition("/")[2] or "/" for entry in entries]
        if long:
            names = _long(entries, names, parsed.flag("--human-readable"))
        for name in names:
            console.data(name)
    return 0


def _is_repository(source: "ImagePath") -> bool:
    """Whether a name without a path has no tag or digest either; only registries have repositories."""
    if source.path or source.word not in ("", "docker://"):
        return False
    from kezuri.images.kept import looks_like_id
    from kezuri.oci.reference import Reference

    if looks_like_id(source.image):
        return False
    named = Reference.parse(source.image.removeprefix("docker://"), default_tag=False)
    return not named.tag and not named.digest


def mode_text(entry: "Entry") -> str:
    """The kind and mode of an entry as `ls -l` shows them: `-rwxr-xr-x`."""
    text = [bit if entry.mode & 1 << 8 - at else "-" for at, bit in enumerate(_BITS)]
    for mask, at, letters in _SET:
        if entry.mode & mask:
            text[at] = letters[text[at] == "-"]
    return _LETTERS.get(entry.kind, "-") + "".join(text)


def _row(entry: "Entry") -> dict[str, object]:
    row: dict[str, object] = {
        "path": f"/{entry.path}",
        "type": entry.kind,
        "mode": f"{entry.mode:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "size": entry.size,
        "mtime": entry.mtime / 1e9,
    }
    if entry.kind in ("symlink", "hardlink"):
        row["link"] = entry.link if entry.kind == "symlink" else f"/{entry.link}"
    if entry.kind in ("char", "block"):
        row["device"] = list(entry.device)
    return row


def _long(entries: "list[Entry]", names: list[str], human: bool) -> list[str]:
    from time import gmtime, strftime

    from kezuri.cli.quantities import size

    rows = []
    for entry, name in zip(entries, names):
        sized = size(entry.size) if human else str(entry.size)
        if entry.kind in ("char", "block"):
            sized = f"{entry.device[0]}, {entry.device[1]}"
        elif entry.kind == "symlink":
            name = f"{name} -> {entry.link}"
        elif entry.kind == "hardlink":
            name = f"{name} = /{entry.link}"
        seconds = min(max(entry.mtime // 1_000_000_000, -62_135_596_800), 253_402_300_799)
        rows.append(
            (mode_text(entry), str(entry.uid), str(entry.gid), sized, strftime("%Y-%m-%d %H:%M", gmtime(seconds)), name)
        )
    widths = [max((len(row[at]) for row in rows), default=0) for at in range(5)]
    return [
        f"{mode} {uid:>{widths[1]}} {gid:>{widths[2]}} {sized:>{widths[3]}} {when} {name}"
        for mode, uid, gid, sized, when, name in rows
    ]
