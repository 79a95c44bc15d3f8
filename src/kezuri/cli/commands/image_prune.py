"""`kezuri image prune`: remove images without a name; the cache stays."""

import sys

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError
from kezuri.cli.quantities import size

COMMAND = Command(
    "image prune",
    "Remove images without a name, and nothing of the cache",
    (
        Option(("--all", "-a"), "flag", "All images, also those with names"),
        Option(("--dry-run",), "flag", "Say which would go, and remove nothing"),
        Option(
            ("--filter",),
            "repeated",
            "Only some: until=24h (when they were made), label=, label!=, dangling=false (as --all)",
            "FILTER",
        ),
        Option(("--force", "-f"), "flag", "Do not ask"),
    ),
    description="`kezuri prune` removes what the cache does not need as well.",
)


def execute(invocation: Invocation) -> int:
    """Ask, remove, and say what was removed and how many bytes that were, as docker does."""
    from kezuri.app.image_prune import prune_images

    parsed, console = invocation.parsed, invocation.console
    everything, dry = parsed.flag("--all"), parsed.flag("--dry-run")
    settings = invocation.settings
    if not dry and not parsed.flag("--force") and not _agreed(invocation, everything):
        return 1
    gone = prune_images(
        settings, parsed.all("--filter"), lambda text: console.note(f"warning: {text}"), all=everything, dry_run=dry
    )
    if dry:
        for one in gone:
            console.say(f"Would remove: {one.name}")
        return 0
    if gone:
        console.say("Deleted Images:")
        for one in gone:
            console.say(f"{one.what}: {one.name}")
        console.say("")
    console.say(f"Total reclaimed space: {size(sum(one.size for one in gone))}")
    return 0


def _agreed(invocation: Invocation, everything: bool) -> bool:
    """Ask at a terminal; elsewhere nobody can answer, so that --force has to say it."""
    console = invocation.console
    if not (sys.stdin is not None and sys.stdin.isatty() and console.err.isatty()):
        raise UsageError.because(
            "kezuri image prune asks before it removes anything", "add --force where nobody can answer"
        )
    what = "all images" if everything else "all images without a name"
    console.err.write(f"This removes {what} from {invocation.settings.root}. Go on? [y/N] ")
    console.err.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
