"""The end of a command that made the cache grow: what the settings do not allow goes, and that is said."""

from kezuri.app.housekeeping import keep_house
from kezuri.cli.invocation import Invocation
from kezuri.cli.quantities import size
from kezuri.diagnostics import KezuriError


def tidy(invocation: Invocation, since: float, quiet: bool) -> None:
    """Keep the cache to its limits, silently unless something went; a failure is a warning, for the command itself
    went well. What was used after `since` (seconds since the epoch) stays."""
    console = invocation.console
    try:
        gone = keep_house(invocation.settings, since)
    except KezuriError as error:
        console.note(f"warning: the cache could not be kept to its limits: {error}")
        return
    freed = sum(thing.size for thing in gone)
    if freed and not quiet:
        console.note(f"kezuri: removed {size(freed)} of cache, as the settings want it (`kezuri config`)")
