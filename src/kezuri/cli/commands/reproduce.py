"""`kezuri reproduce`: the same build twice, in other surroundings, and what differs."""

from typing import TYPE_CHECKING

from kezuri.cli.commands.build import COMMAND as BUILD
from kezuri.cli.commands.build import PROGRESS
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError
from kezuri.reproduction.values import ASPECTS

if TYPE_CHECKING:
    from kezuri.reproduction.values import Aspect

_OF_BUILD = frozenset(
    (
        *("--file", "--target", "--build-arg", "--build-context", "--secret", "--ssh", "--platform", "--pull"),
        *("--add-host", "--network", "--ulimit", "--shm-size", "--allow", "--security-opt"),
    )
)

COMMAND = Command(
    "reproduce",
    "Build twice in other surroundings, and show what differs",
    tuple(
        sorted(
            (
                Option(("--clock",), "text", "How far ahead the second clock is (default 25h1m1s)", "DURATION"),
                Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json")),
                Option(("--ignore",), "repeated", "Let files that match pass: var/log/**", "PATTERN"),
                Option(("--keep",), "repeated", f"Do not vary: {', '.join(ASPECTS)}", "WHAT"),
                Option(("--most",), "text", "Show so many files of a step (default 10); 0: all", "N"),
                PROGRESS,
                *(option for option in BUILD.options if option.key in _OF_BUILD),
            ),
            key=lambda option: option.key,
        )
    ),
    operands="[PATH | URL]",
    most=1,
    completes="directory",
    holds=True,
    description="Exit code 0 where both builds give the same image, byte for byte; 1 where they do not. The second\n"
    "build has another clock, user, umask, locale and time zone, order of directories, and one processor.\n"
    "Each difference has its step, line and file, its kind (time, order, random, address, mode), and what\n"
    "mends it. Nothing of it stays in the store. docs/reproduce.md says what is varied how.",
)


def execute(invocation: Invocation) -> int:
    """0 where it is the same image; 1."""
    from kezuri.app.reproduction import AHEAD, Wish, reproduce
    from kezuri.cli.build_request import build_request
    from kezuri.cli.progress import open_progress
    from kezuri.cli.reproduction_text import document, report
    from kezuri.reproduction.passing import without

    parsed, console = invocation.parsed, invocation.console
    kept = _aspects(parsed.all("--keep"))
    ahead = _ahead(parsed.text("--clock")) if parsed.given("--clock") else AHEAD
    most = parsed.text("--most", "10")
    if not (most.isascii() and most.isdigit()):
        raise UsageError.because(f"--most {most!r} is not a number of files")
    wish = Wish(tuple(aspect for aspect in ASPECTS if aspect not in kept), ahead)
    request = build_request(parsed, console)
    with open_progress(parsed.text("--progress"), console) as progress:
        found = reproduce(request, invocation.settings, wish, progress)
    found, passed = without(found, parsed.all("--ignore"))
    if parsed.text("--format") == "json":
        from kezuri.cli.json_text import json_text

        console.say(json_text(document(found, passed), 2))
    else:
        for line in report(found, passed, int(most), console.phrase, console.words):
            console.say(line)
    return 0 if found.same or (passed and not found.steps) else 1


def _aspects(texts: tuple[str, ...]) -> "tuple[Aspect, ...]":
    from kezuri.cli.values import split

    names = split(texts)
    for name in names:
        if name not in ASPECTS:
            raise UsageError.because(f"--keep {name!r} is nothing that is varied", f"known: {', '.join(ASPECTS)}")
    return tuple(aspect for aspect in ASPECTS if aspect in names)


def _ahead(text: str) -> int:
    from kezuri.scalars.durations import parse_duration

    try:
        return parse_duration(text) // 1_000_000_000
    except ValueError:
        raise UsageError.because(f"--clock {text!r} is no duration", "write 25h, 36h30m or -48h") from None
