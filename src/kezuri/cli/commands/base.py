"""`kezuri base`: which base an image or a Dockerfile stands on, and which would be better."""

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

_DEFAULT = 10
_MOST = 100
COMMAND = Command(
    "base",
    "Show the base image, how old it is, and which would be better",
    (
        Option(("--attached",), "flag", "Believe the bills that lie beside images, and do not read their layers"),
        Option(
            ("--base",), "text", "The base image, or how many of the lowest layers it has", "IMAGE|N", completes="image"
        ),
        Option(("--build-arg",), "repeated", "A build argument of the Dockerfile", "KEY[=VALUE]"),
        Option(
            ("--catalogue",),
            "text",
            "Library files of official images instead of the catalogue that comes with kezuri",
            "DIRECTORY",
            completes="file",
        ),
        Option(("--exit-code",), "text", "Exit so if the base has ended or there is a newer build of its tag", "N"),
        Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json", "markdown")),
        Option(("--from",), "text", "Look for images in this place instead of in registries", "oci:DIRECTORY"),
        Option(("--limit",), "text", f"Look at so many alternatives (default {_DEFAULT})", "N"),
        Option(("--platform",), "text", "Which platform's images", "OS/ARCH"),
        Option(("--target",), "text", "The stage of the Dockerfile (default the last one)", "STAGE"),
    ),
    operands="IMAGE | DOCKERFILE | DIRECTORY",
    least=1,
    most=1,
    completes="image",
    description="What could replace the base: the official tags of the same line of versions, then newer lines, then\n"
    "distroless images. Of each no more is read than the records of its distribution's packages, and faults are\n"
    "counted by the database that `kezuri db update` fills. docs/base.md has the definitions, and the JSON.",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Print the table; the code of --exit-code where it says so."""
    from time import time

    from kezuri.app.base import BaseRequest, base
    from kezuri.cli.build_request import build_arguments
    from kezuri.cli.screen_text import clip, one_line

    parsed, console = invocation.parsed, invocation.console
    code = _number(parsed.text("--exit-code"), "--exit-code", 255, 0)
    now = time()
    request = BaseRequest(
        parsed.operands[0],
        parsed.text("--platform"),
        parsed.text("--base"),
        parsed.text("--target"),
        build_arguments(parsed, console.environ),
        parsed.text("--from"),
        parsed.text("--catalogue"),
        _number(parsed.text("--limit"), "--limit", _MOST, _DEFAULT),
        parsed.flag("--attached"),
        now,
    )
    live = console.live(console.err)

    def say(name: str) -> None:
        if live:
            looking = clip(one_line(console.phrase("looking at {}", name)), (console.columns(console.err) or 80) - 1)
            console.err.write(f"\r\x1b[K{looking}")
            console.err.flush()

    try:
        advice = base(invocation.settings, request, say)
    finally:
        if live:
            console.err.write("\r\x1b[K")
    form = parsed.text("--format")
    if form == "json":
        from kezuri.cli.json_text import json_text
        from kezuri.report.base_json import document

        console.data(json_text(document(advice), 2))
    elif form == "markdown":
        from kezuri.cli.base_text import markdown

        console.say(markdown(advice, console.phrase, console.words, now))
    else:
        from kezuri.cli.base_text import text

        console.say(text(advice, console.phrase, console.words, now, console.colour(console.out)), styled=True)
    old = advice.base.refresh in ("newer", "gone") or any(end.over for end in advice.base.row.ends)
    return code if old else 0


def _number(text: str, option: str, most: int, default: int) -> int:
    if not text:
        return default
    if text.isascii() and text.isdecimal() and len(text) < 6 and int(text) <= most:
        return int(text)
    raise UsageError.because(f"{option} is a number from 0 to {most}, not {text!r}")
