"""`kezuri plan`: what a build would do, what it would cost, and what a change of files would cause."""

import os

from kezuri.cli.commands.build import COMMAND as BUILD
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, Parsed, UsageError
from kezuri.progress import Event, Warned

SOMETHING = 3
"""The exit code that says that something would run."""

_COUNT = frozenset(
    (
        *("--file", "--target", "--build-arg", "--build-context", "--secret", "--ssh", "--platform", "--no-cache"),
        *("--no-cache-filter", "--pull", "--add-host", "--network", "--ulimit", "--shm-size", "--allow"),
        *("--security-opt", "--cache-from"),
    )
)
"""Options of `build` that can change what it does; the others are accepted, so that its command line can be given."""

COMMAND = Command(
    "plan",
    "Show what a build would do and cost, without doing it",
    (
        Option(
            ("--if-changed",),
            "repeated",
            "What a change of FILE (or of all in a directory) would cause; - reads names from standard input",
            "FILE",
            completes="file",
        ),
        Option(("--exit-code",), "flag", f"Exit with {SOMETHING} if anything would run"),
        Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json")),
        Option(
            ("--graph",),
            "choice",
            "Draw stages, steps and what they need instead of listing them: mermaid, dot, svg",
            "FORMAT",
            ("mermaid", "dot", "svg"),
        ),
        Option(
            ("--output", "-o"),
            "text",
            "Write the graph to FILE, and list the steps as well",
            "FILE",
            completes="file",
        ),
        Option(("--quiet", "-q"), "flag", "Print nothing: the exit code says it"),
        *(
            option if option.key in _COUNT or option.refused else option._replace(ignored=True)
            for option in BUILD.options
            if option.key not in ("--quiet", "--output")
        ),
    ),
    operands="[PATH | -]",
    most=1,
    description="No step runs, and of images and caches only their documents are fetched. With --if-changed the exit\n"
    f"code is 0 if nothing would run because of the named files, and {SOMETHING} if something would, or may.",
    completes="directory",
)


def execute(invocation: Invocation) -> int:
    """Print the forecast; the exit code as docs/exit-codes.md has it."""
    from kezuri.app.forecast import foresee
    from kezuri.cli.build_request import build_request
    from kezuri.cli.progress_display import Progress

    parsed, console = invocation.parsed, invocation.console
    graph = _graph(parsed)
    request = build_request(parsed, console)
    changed = _changed(parsed.all("--if-changed"), request.context, request.file)
    quiet = parsed.flag("--quiet")
    progress = Progress(console)

    def listen(event: Event) -> None:
        # What the checks find is said by the build and by `build --check`.
        if not (isinstance(event, Warned) and event.diagnostic.code):
            progress(event)

    try:
        foresight = foresee(request, invocation.settings, listen, changed)
    finally:
        if not quiet:
            progress.warn()
    if graph:
        from kezuri.cli.graph_formats import drawn

        file = parsed.text("--output")
        text = drawn(foresight, graph)
        if file:
            from kezuri.export.destination import write_text

            write_text(file, text.encode())
        elif not quiet:
            console.data(text.removesuffix("\n"))
        quiet = quiet or file in ("", "-")
    if not quiet and parsed.text("--format") == "json":
        from kezuri.cli.forecast_json import document

        console.say(document(foresight))
    elif not quiet:
        from kezuri.cli.forecast_text import report

        console.say(report(foresight, console.colour(console.out), console.phrase, console.words), styled=True)
    if foresight.change is not None and foresight.change.something:
        return SOMETHING
    if parsed.flag("--exit-code") and any(step.outcome != "cached" for step in foresight.steps):
        return SOMETHING
    return 0


def _graph(parsed: Parsed) -> str:
    """The format of the graph that is asked for; empty for none. Without --graph, --output is what a build has."""
    graph = parsed.text("--graph")
    if graph and parsed.text("--format") == "json" and parsed.text("--output") in ("", "-"):
        raise UsageError.because("--graph and --format json are two outputs", "write the graph to a file: -o FILE")
    return graph


def _changed(given: tuple[str, ...], context: str, file: str) -> tuple[str, ...] | None:
    """The named files; None when nothing was asked about changes."""
    if not given:
        return None
    names: list[str] = []
    for name in given:
        if name != "-":
            names.append(name)
        elif "-" in (context, file):
            raise UsageError.because("standard input cannot be file names and the context or the Dockerfile at once")
        else:
            from kezuri.app.standard import standard_input

            text = os.fsdecode(standard_input().read())
            names += text.split("\0") if "\0" in text else text.splitlines()
    if any("\0" in name for name in names):
        raise UsageError.because("--if-changed: a file's name cannot hold a NUL character")
    return tuple(name for name in names if name)
