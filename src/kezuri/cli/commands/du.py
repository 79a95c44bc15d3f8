"""`kezuri du`: where the disk went."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command
from kezuri.cli.table import FORMAT, listing

COMMAND = Command("du", "Show how much disk is used, and by what", (FORMAT,), aliases=("buildx du", "system df"))

_COLUMNS = {"Type": "TYPE", "Count": "COUNT", "Size": "SIZE"}
_HEADINGS = {**_COLUMNS, "Bytes": "BYTES"}


def execute(invocation: Invocation) -> int:
    """One line for each kind of thing, and the sum."""
    from kezuri.app.prune import usage
    from kezuri.cli.quantities import size

    console, form = invocation.console, invocation.parsed.text("--format")
    kinds = usage(invocation.settings)
    rows = [{"Type": kind, "Count": count, "Size": size(used), "Bytes": used} for kind, count, used in kinds]
    listing(console, form, rows, _COLUMNS, _HEADINGS)
    if form in ("", "table"):
        console.say(f"\nTotal: {size(sum(used for _, _, used in kinds))}")
    return 0
