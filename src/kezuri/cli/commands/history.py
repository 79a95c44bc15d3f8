"""`kezuri history`: the layers of an image and what made them."""

from typing import Any

from kezuri.app.answers import HistoryLine
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option
from kezuri.cli.table import FORMAT, listing

COMMAND = Command(
    "history",
    "Show what made an image's layers",
    (
        FORMAT,
        Option(("--human", "-H"), "flag", "Sizes and dates for people (default true)"),
        Option(("--no-trunc",), "flag", "Show whole digests and commands"),
        Option(("--platform",), "text", "Which platform's image", "OS/ARCH"),
        Option(("--quiet", "-q"), "flag", "Show only the digests of layers"),
    ),
    operands="IMAGE",
    least=1,
    most=1,
    aliases=("image history",),
    completes="image",
)

_COLUMNS = {
    "Layer": "LAYER",
    "CreatedSince": "CREATED",
    "CreatedBy": "CREATED BY",
    "CompressedSize": "COMPRESSED",
    "Size": "SIZE",
    "Comment": "COMMENT",
}
_HEADINGS = {**_COLUMNS, "ID": "LAYER", "CreatedAt": "CREATED AT"}
_WIDTH = 45


def execute(invocation: Invocation) -> int:
    """Print the layers, newest first."""
    from kezuri.app.images import history

    parsed, console = invocation.parsed, invocation.console
    whole, human = parsed.flag("--no-trunc"), parsed.flag("--human", True)
    lines = history(invocation.settings, parsed.operands[0], parsed.text("--platform"))
    rows = [_row(line, whole, human) for line in lines]
    if parsed.flag("--quiet"):
        for row in rows:
            console.say(row["Layer"])
        return 0
    columns = dict(_COLUMNS)
    if not human:
        columns = {field: _HEADINGS[field] for field in ("Layer", "CreatedAt", *tuple(_COLUMNS)[2:])}
    listing(console, parsed.text("--format"), rows, columns, _HEADINGS)
    return 0


def _row(line: HistoryLine, whole: bool, human: bool) -> dict[str, Any]:
    import time

    from kezuri.cli.quantities import since, size
    from kezuri.cli.screen_text import clip, plain

    layer = "<empty>" if line.empty or not line.layer else line.layer
    by = line.created_by.replace("\n", " ").replace("\t", " ")
    if not whole:
        layer = layer.removeprefix("sha256:")[:12]
        by = clip(plain(by), _WIDTH)
    return {
        "Layer": layer,
        "ID": layer,
        "CreatedSince": since(line.created, time.time()),
        "CreatedAt": line.created,
        "CreatedBy": by,
        "CompressedSize": size(line.compressed) if human else str(line.compressed),
        "Size": "N/A" if line.size is None else size(line.size) if human else str(line.size),
        "Comment": line.comment,
    }
