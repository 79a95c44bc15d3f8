"""`kezuri profile`: what each instruction of the last builds cost."""

from kezuri.cli.html_page import HTML
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

_MOST = 20
"""As many builds of a project as the journal keeps."""

COMMAND = Command(
    "profile",
    "Show what each instruction of the last builds cost",
    (
        Option(("--build",), "text", "Another build than the last one, by its number", "N"),
        Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json")),
        HTML,
        Option(("--last",), "text", f"Look at this many builds of the project, up to {_MOST} (default {_MOST})", "N"),
        Option(
            ("--sort",),
            "choice",
            "The order of the instructions: as in the file, or the dearest first",
            "KEY",
            ("line", "seconds", "added", "wasted"),
        ),
    ),
    operands="[DIRECTORY]",
    most=1,
    description="Seconds, the bytes that an instruction added, those of them that the image does not show, those of\n"
    "lower layers that it hides, and how often it ran and why. Without --build it is about the last build that was\n"
    "made of or in DIRECTORY; without a directory about the last one of the current directory, else the last of all.\n"
    "Nothing is built or fetched.",
    completes="directory",
)


def execute(invocation: Invocation) -> int:
    """Print the profile."""
    import os
    from time import time

    from kezuri.app.profile import profile
    from kezuri.cli.html_page import foresee_page, profile_page
    from kezuri.cli.profile_text import ProfileText

    parsed, console = invocation.parsed, invocation.console
    foresee_page(invocation)
    build, last = _number("--build", parsed.text("--build")), _number("--last", parsed.text("--last"))
    if last > _MOST:
        raise UsageError.because(f"--last {last}: the journal keeps {_MOST} builds of a project")
    directory = os.path.abspath(parsed.operands[0]) if parsed.operands else ""
    found = profile(invocation.settings, build, directory, last or _MOST)
    if profile_page(invocation, found):
        return 0
    if parsed.text("--format") == "json":
        from kezuri.cli.profile_json import document
        from kezuri.cli.template import as_json

        plain = ProfileText(found)
        console.say(as_json(document(found, {step.number: plain.why(step)[1:] for step in found.steps})))
        return 0
    text = ProfileText(found, console.phrase, console.colour(console.out), console.columns(console.out))
    console.say(text.report(time(), parsed.text("--sort", "line")), styled=True)
    return 0


def _number(option: str, text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise UsageError.because(f"{option} {text!r} is not a number above 0")
    return int(text or 0)
