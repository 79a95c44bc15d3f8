"""`kezuri context`: what instructions read of the build context, what is hidden, and what nobody reads."""

from kezuri.cli.commands.build import COMMAND as BUILD
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, Parsed, UsageError
from kezuri.progress import Event, Warned

_COUNT = frozenset(("--file", "--target", "--build-arg", "--build-context", "--platform", "--pull"))
"""Options of `build` that can change what is read; the others are accepted, so that its command line can be given."""

_VERBS = ("create", "export", "import", "inspect", "ls", "rm", "show", "update", "use")

COMMAND = Command(
    "context",
    "Show what instructions read of the build context",
    (
        Option(("--all", "-a"), "flag", "Show every row of every table"),
        Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json")),
        Option(("--write-ignore",), "flag", "Write lines into the ignore file that hide what nothing reads"),
        Option(("--dry-run",), "flag", "With --write-ignore: print the new ignore file, and write nothing"),
        Option(
            ("--litter",),
            "flag",
            "With --write-ignore: also hide .git, node_modules and the like where a whole directory is copied",
        ),
        *(
            option if option.key in _COUNT or option.refused else option._replace(ignored=True)
            for option in BUILD.options
        ),
    ),
    operands="[PATH | -]",
    most=2,  # `docker context use NAME` gets an answer
    description="For each instruction of every stage what it reads, for each line of the ignore file what it hides,\n"
    "and what is not hidden and read by nothing. --write-ignore proves, before and after it writes, that the key of\n"
    "every instruction stays as it is, whatever the target; with --litter it names those that change.",
    completes="directory",
)


def execute(invocation: Invocation) -> int:
    """Print it, or write the ignore file."""
    from kezuri.app.context import context_use
    from kezuri.cli.build_request import build_request
    from kezuri.cli.progress_display import Progress

    parsed, console = invocation.parsed, invocation.console
    _check(parsed)
    writes = parsed.flag("--write-ignore")
    for option in ("--dry-run", "--litter"):
        if parsed.flag(option) and not writes:
            raise UsageError.because(f"{option} says how --write-ignore is to be done", "give --write-ignore, too")
    request = build_request(parsed, console)
    progress = Progress(console)

    def listen(event: Event) -> None:
        # What the checks find is said by the build and by `kezuri check`.
        if not (isinstance(event, Warned) and event.diagnostic.code):
            progress(event)

    try:
        if writes:
            from kezuri.app.context_ignore import write_ignore

            written = write_ignore(
                request, invocation.settings, listen, litter=parsed.flag("--litter"), dry=parsed.flag("--dry-run")
            )
        else:
            use = context_use(request, invocation.settings, listen)
    finally:
        progress.warn()
    if writes:
        from kezuri.cli.context_ignore_text import document, say

        if parsed.text("--format") == "json":
            from kezuri.cli.template import as_json

            console.say(as_json(document(written)))
        else:
            say(console, written)
        return 0
    if parsed.text("--format") == "json":
        from kezuri.cli import context_json
        from kezuri.cli.template import as_json

        console.say(as_json(context_json.document(use)))
        return 0
    from kezuri.cli.context_text import ContextText

    out = console.out
    text = ContextText(use, console.phrase, console.colour(out), console.columns(out), parsed.flag("--all"))
    console.say(text.report(), styled=True)
    return 0


def _check(parsed: Parsed) -> None:
    """Docker's contexts are daemons, which it lists and chooses by verbs."""
    import os

    first = parsed.operands[0] if parsed.operands else ""
    if first in _VERBS and not os.path.isdir(first):
        raise UsageError.because(
            f"`kezuri context` shows what a build reads, and {first} is no directory",
            "kezuri is one program without a daemon: there are no contexts to choose",
        )
    if len(parsed.operands) > 1:
        raise UsageError.because("there is one build context only", "give other files with --build-context NAME=DIR")
