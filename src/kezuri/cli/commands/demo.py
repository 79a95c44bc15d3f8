"""`kezuri demo`: a real multi-stage build of a small application, started and asked for an answer."""

from kezuri.cli.commands.build import PROGRESS
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command

COMMAND = Command(
    "demo",
    "Build a small application, start it, and ask it for an answer",
    (PROGRESS,),
    description="Works where no registry answers: the base image is then made from packages.",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Build, ask, and say what came of it."""
    from kezuri.app.demo import BASE, CONTAINER_PORT, NAME, demo, example_directory
    from kezuri.cli.progress import open_progress

    settings = invocation.settings
    with open_progress(
        invocation.parsed.text("--progress"), invocation.console, invocation.settings.progress
    ) as progress:
        say = progress.say
        say(f"building {example_directory()} (a Go web server: {BASE} to build, scratch to run)")
        found = demo(settings, progress, say)
        say(f"\nthe program in the image answered on port {found.port}: {found.answer.strip()}\n")
        say(f"{'image':<12}{NAME}")
        if found.base_size:
            say(f"{'built on':<12}{found.base_size / 1e6:.1f} MB compressed ({BASE})")
        less = f", {100 - 100 * found.size / found.base_size:.0f} % less" if found.base_size else ""
        say(f"{'what ships':<12}{found.size / 1e6:.1f} MB compressed{less}")
        say(f"{'steps':<12}{found.ran} ran, {found.cached} from the cache, {found.seconds:.1f} s")
        if found.id:
            say(f"{'id':<12}{found.id[7:19]}")
        say(f"\ntry it yourself:  kezuri run --rm -p 8080:{CONTAINER_PORT} {NAME.partition(':')[0]}")
    return 0
