"""`kezuri demo`: a real multi-stage build of a small application, started and asked for an answer."""

from kezuri.cli.commands.build import PROGRESS
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command

COMMAND = Command(
    "demo",
    "Build a small application, start it, and ask it for an answer",
    (PROGRESS,),
    description="Works where no registry answers: the base image is then made from packages.",
)


def execute(invocation: Invocation) -> int:
    """The demo's own exit code."""
    from kezuri.app.demo import demo
    from kezuri.cli.progress import open_progress

    settings = invocation.settings
    with open_progress(invocation.parsed.text("--progress"), invocation.console) as progress:
        return demo(settings, progress, progress.say)
