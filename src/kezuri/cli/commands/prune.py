"""`kezuri prune`: what nobody needs any more goes."""

import sys

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError
from kezuri.cli.quantities import size
from kezuri.cli.values import duration, memory

COMMAND = Command(
    "prune",
    "Remove what is not used: cache, layers, images without a name",
    (
        Option(("--all", "-a"), "flag", "Also what a next build could use"),
        Option(("--filter",), "repeated", "Only some: until=24h, type=KIND", "FILTER"),
        Option(("--keep-bytes", "--keep-storage", "--reserved-space"), "text", "Leave this much of the cache", "BYTES"),
        Option(("--force", "-f"), "flag", "Do not ask"),
        Option(("--verbose",), "flag", "Name everything that goes"),
        Option(("--volumes",), "flag", "Accepted: there are no volumes", ignored=True),
    ),
    aliases=("image prune", "buildx prune", "builder prune", "system prune"),
)


def execute(invocation: Invocation) -> int:
    """Ask, remove, say how much that was."""
    from kezuri.app.prune import prune

    parsed, console = invocation.parsed, invocation.console
    until: float | None = None
    filters: list[str] = []
    for text in parsed.all("--filter"):
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError.because(f"--filter {text!r} is not of the form NAME=VALUE")
        if key in ("until", "unused-for"):
            until = duration("--filter until", value)
        else:
            filters.append(text)
    keep = memory("--keep-bytes", parsed.text("--keep-bytes")) if parsed.given("--keep-bytes") else None
    everything = parsed.flag("--all")
    settings = invocation.settings
    if not parsed.flag("--force") and not _agreed(invocation, everything):
        return 1
    gone = prune(settings, all=everything, until=until, keep_bytes=keep, filters=tuple(filters))
    for thing in gone:
        if parsed.flag("--verbose") or thing.what in ("untagged", "deleted"):
            console.say(f"{thing.what.capitalize()}: {thing.name}")
    console.say(f"Total reclaimed space: {size(sum(thing.size for thing in gone))}")
    return 0


def _agreed(invocation: Invocation, everything: bool) -> bool:
    """Ask at a terminal; elsewhere nobody can answer, so that --force has to say it."""
    if not (sys.stdin.isatty() and invocation.console.err.isatty()):
        raise UsageError.because("kezuri prune asks before it removes anything", "add --force where nobody can answer")
    what = "everything that no build uses now" if everything else "what is not used any more"
    invocation.console.err.write(f"This removes {what} from {invocation.settings.root}. Go on? [y/N] ")
    invocation.console.err.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
