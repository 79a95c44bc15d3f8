"""`kezuri compare`: the table of before and after, measured."""

import re
from typing import TYPE_CHECKING

from kezuri.cli.commands.build import PROGRESS
from kezuri.cli.html_page import HTML
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError
from kezuri.diagnostics import shown

if TYPE_CHECKING:
    from kezuri.app.compare_request import CompareRequest
    from kezuri.cli.html_page import ComparisonPage
    from kezuri.comparison.values import Comparison

COMMAND = Command(
    "compare",
    "Measure two images, or two Dockerfiles, before and after",
    (
        Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json", "markdown", "csv")),
        HTML,
        Option(
            ("--output", "-o"),
            "repeated",
            "Also write it to a file, in the form that its name ends with: .json, .md, .csv, .txt",
            "FILE",
            completes="file",
        ),
        Option(("--saved",), "text", "Measure nothing: read what was written as JSON", "FILE", completes="file"),
        Option(("--runs",), "text", "How often each time is measured (default 3)", "N"),
        Option(("--bandwidth",), "text", "The line to the registry, bits per second (default 100M; 0: no limit)", "N"),
        Option(("--rtt",), "text", "The round trip to the registry (default 20ms)", "DURATION"),
        Option(("--no-pull",), "flag", "Do not measure pulls"),
        Option(("--no-build-times",), "flag", "Build Dockerfiles once, and measure no times of builds"),
        Option(("--no-check",), "flag", "Do not count findings"),
        Option(("--edit",), "text", "The file of the context that gets the one-line edit", "PATH"),
        Option(
            ("--context",),
            "text",
            "The build context (default: the directory of each Dockerfile)",
            "DIR",
            completes="directory",
        ),
        Option(("--target",), "text", "Stop at this stage", "STAGE", completes="stage"),
        Option(("--platform",), "text", "Which platform (default: this machine's)", "OS/ARCH"),
        Option(("--build-arg",), "repeated", "A build argument", "KEY[=VALUE]"),
        Option(("--build-context",), "repeated", "A further context, or an image in another's place", "NAME=SOURCE"),
        Option(("--secret",), "repeated", "A secret for steps", "id=ID[,src=FILE|,env=VARIABLE]"),
        PROGRESS,
    ),
    operands="[BEFORE AFTER]",
    most=2,
    description="BEFORE and AFTER are images, as `kezuri copy` names them, or Dockerfiles, or directories with one.\n"
    "Dockerfiles are built from copies of their contexts in stores of their own, which go afterwards: with the base\n"
    "images there and nothing else, with nothing changed, and after an edit of one line. Images are pulled from a\n"
    "registry on this machine over a line of that bandwidth and round trip. docs/compare.md says what each row is.",
    completes="image",
    holds=True,
)

_BANDWIDTH = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMG]?)(?:bit|bit/s|bps)?\Z", re.ASCII)
_SCALES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}
_LARGEST = 16 << 20
_REPEATED = ("--build-arg", "--build-context", "--secret")


def execute(invocation: Invocation) -> int:
    """Measure, print the table, and write it to the files."""
    from kezuri.cli.html_page import ComparisonPage

    parsed, console = invocation.parsed, invocation.console
    files = [(file, _form_of(file)) for file in parsed.all("--output")]
    if files:
        from kezuri.export.destination import check

        # Before minutes of measuring, not after them.
        check([(file, True) for file, _ in files])
    page = ComparisonPage(invocation)
    found = _saved(invocation) if parsed.given("--saved") else _measured(invocation, page)
    for told in found.told:
        console.warn(told)
    printed = page.written(found)
    if not printed:
        colour = console.colour(console.out)
        console.say(_written(found, parsed.text("--format", "text"), invocation, colour), styled=True)
    for file, form in files:
        from kezuri.export.destination import write_text

        text = _written(found, form, invocation, False) + "\n"
        write_text(file, text.encode("utf-8", "backslashreplace"))
    return 0


def _form_of(file: str) -> str:
    """The form of a file by the ending of its name. UsageError for one that means none."""
    ending = file.rpartition(".")[2].lower()
    form = {"json": "json", "md": "markdown", "markdown": "markdown", "csv": "csv", "txt": "text"}.get(ending, "")
    if not form:
        raise UsageError.because(f"--output {file}: the name says no form", "it ends with .json, .md, .csv or .txt")
    return form


def _measured(invocation: Invocation, page: "ComparisonPage") -> "Comparison":
    from tempfile import TemporaryDirectory

    from kezuri.app.compare import compare
    from kezuri.app.compare_request import NotDone
    from kezuri.cli.own_program import OwnProgram
    from kezuri.cli.progress import open_progress

    parsed, console, settings = invocation.parsed, invocation.console, invocation.settings
    request = _request(invocation)
    with TemporaryDirectory(prefix="kezuri-") as directory:
        program = OwnProgram(settings, directory, console.environ)
        try:
            with open_progress(parsed.text("--progress"), console, settings.progress, doing="measuring") as progress:
                return compare(settings, request, program, progress, page.look)
        except NotDone as error:
            if error.said:
                console.err.write(shown(error.said, False) + "\n")
            raise


def _saved(invocation: Invocation) -> "Comparison":
    """What was measured before, from its document. KezuriError for a file that is none."""
    from json import loads

    from kezuri.comparison.values import Comparison
    from kezuri.diagnostics import KezuriError

    path = invocation.parsed.text("--saved")
    if invocation.parsed.operands:
        raise UsageError.because("--saved measures nothing: name no images beside it")
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise KezuriError.of(f"cannot read {path}: {why}") from None
    try:
        if len(data) > _LARGEST:
            raise ValueError("it is too large")
        return Comparison.parse(loads(data))
    except (ValueError, RecursionError) as error:
        hint = "`kezuri compare BEFORE AFTER -o FILE.json` writes one"
        raise KezuriError.of(f"{path} is no comparison: {error}", hint=hint) from None


def _written(found: "Comparison", form: str, invocation: Invocation, colour: bool) -> str:
    from kezuri.cli.compare_text import csv, markdown, text

    phrase = invocation.console.phrase
    match form:
        case "json":
            from kezuri.cli.json_text import json_text

            return json_text(found.to_json(), 2)
        case "markdown":
            return markdown(found, phrase)
        case "csv":
            return csv(found)
    return text(found, phrase, colour)


def _request(invocation: Invocation) -> "CompareRequest":
    from time import strftime

    from kezuri.app.compare_request import CompareRequest
    from kezuri.cli.build_request import built_request

    parsed = invocation.parsed
    words = [word for name in _REPEATED for value in parsed.all(name) for word in (name, value)]
    words += [word for name in ("--target", "--platform") if parsed.given(name) for word in (name, parsed.text(name))]
    if any(value.endswith(("src=-", "source=-")) for value in parsed.all("--secret")):
        raise UsageError.because("a secret cannot come from standard input: it is built several times")
    if "," in parsed.text("--platform"):
        raise UsageError.because("--platform names one platform: two images are compared at a time")
    if len(parsed.operands) != 2:
        raise UsageError.because("kezuri compare needs two images or Dockerfiles: BEFORE and AFTER")
    before, after = parsed.operands
    return CompareRequest(
        before,
        after,
        built_request(parsed, invocation.console),
        tuple(words),
        parsed.text("--context"),
        parsed.text("--edit"),
        _runs(parsed.text("--runs", "3")),
        not parsed.flag("--no-build-times"),
        not parsed.flag("--no-pull"),
        not parsed.flag("--no-check"),
        _bandwidth(parsed.text("--bandwidth", "100M")),
        _rtt(parsed.text("--rtt", "20ms")),
        strftime("%Y-%m-%d"),
    )


def _runs(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= len(text) <= 3 or not int(text):
        raise UsageError.because(f"--runs is a number from 1 to 999, not {text!r}")
    return int(text)


def _bandwidth(text: str) -> int:
    found = _BANDWIDTH.match(text)
    number = int(float(found[1]) * _SCALES[found[2]]) if found and len(text) < 30 else -1
    if number < 0 or 0 < number < 1000:
        raise UsageError.because(
            f"--bandwidth cannot be {text!r}", "write bits per second, such as 100M or 1.5Gbit; 0 holds nothing back"
        )
    return number


def _rtt(text: str) -> float:
    from kezuri.scalars.durations import parse_duration

    try:
        seconds = parse_duration(text) / 10**9
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 10:
        raise UsageError.because(f"--rtt cannot be {text!r}", "write a duration up to 10s, such as 20ms")
    return seconds
