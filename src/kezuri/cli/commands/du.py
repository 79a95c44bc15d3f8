"""`kezuri du`: where the disk went."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option
from kezuri.cli.table import FORMAT, listing

COMMAND = Command(
    "du",
    "Show how much disk is used, and by what",
    (
        Option(("--verbose", "-v"), "flag", "A line for each result, layer, cache mount and download"),
        Option(
            ("--filter",),
            "repeated",
            "Only some of them: until=24h, type=KIND, id=ID, description~=TEXT, shared, inuse",
            "FILTER",
        ),
        FORMAT,
    ),
    aliases=("buildx du", "system df"),
    description="The sizes are what the files take on the disk: the total is what `du -s` says of the store. With\n"
    "--verbose or --filter, what each thing would free if it went; what two of them hold is in neither.",
)

_COLUMNS = {"Type": "TYPE", "Count": "COUNT", "Size": "SIZE"}
_HEADINGS = {**_COLUMNS, "Bytes": "BYTES"}


def execute(invocation: Invocation) -> int:
    """One line for each kind of thing, and the sum; or one for each thing."""
    from kezuri.app.prune import usage
    from kezuri.cli.quantities import size

    console, form = invocation.console, invocation.parsed.text("--format")
    if invocation.parsed.flag("--verbose") or invocation.parsed.given("--filter"):
        return _pieces(invocation)
    kinds = usage(invocation.settings)
    rows = [{"Type": kind, "Count": count, "Size": size(used), "Bytes": used} for kind, count, used in kinds]
    listing(console, form, rows, _COLUMNS, _HEADINGS)
    if form in ("", "table"):
        console.say(f"\nTotal: {size(sum(used for _, _, used in kinds))}")
        if invocation.settings.limited:
            from kezuri.cli.allowance import allowance

            console.say(f"Cache: {allowance(invocation.settings)[0]}")
    return 0


def _pieces(invocation: Invocation) -> int:
    from time import time

    from kezuri.app.prune import inventory
    from kezuri.cli.commands.prune import read_filters
    from kezuri.cli.pieces import PIECE_COLUMNS, PIECE_HEADINGS, piece_row
    from kezuri.cli.quantities import size

    console, form = invocation.console, invocation.parsed.text("--format")
    until, filters = read_filters(invocation.parsed.all("--filter"))
    found = inventory(invocation.settings, filters, until)
    whole = form not in ("", "table")
    now = time()
    rows = [piece_row(piece, worth, in_use, whole, now) for piece, worth, in_use in found]
    listing(console, form, rows, PIECE_COLUMNS, PIECE_HEADINGS)
    if not whole:
        total = sum(piece.size for piece, _, _ in found)
        console.say(f"\nReclaimable: {size(sum(p.size for p, _, in_use in found if not in_use))}\nTotal: {size(total)}")
    return 0
