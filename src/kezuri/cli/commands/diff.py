"""`kezuri diff`: what is not the same in two images."""

from typing import TYPE_CHECKING

from kezuri.cli.image_paths import PLATFORM, QUIET, Meter
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError

if TYPE_CHECKING:
    from kezuri.comparison.difference import ImageDifference

_ONLY = ("sizes", "layers", "settings", "packages", "files")

COMMAND = Command(
    "diff",
    "Show what differs between two images",
    (
        Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json", "markdown")),
        Option(("--only",), "repeated", "Only some parts: sizes, layers, settings, packages, files", "PART[,PART]"),
        Option(("--top",), "text", "So many rows of each part, the weightiest (default 15; 0: all)", "N"),
        Option(("--times",), "flag", "When a file was changed counts, too"),
        Option(("--exit-code",), "flag", "Exit with 1 if settings, packages or files differ"),
        PLATFORM,
        QUIET,
    ),
    operands="IMAGE IMAGE",
    least=2,
    most=2,
    description="IMAGE is read from the store where it is there, else from its registry, and none of it is kept; all\n"
    "places of `kezuri copy` are known: docker://NAME, oci:DIR:NAME, docker-archive:FILE. Nothing is unpacked: files\n"
    "are compared by digests that are kept. Where the base image is known, each change is its or the image's own.\n"
    "docs/compare.md says how to read it.",
    completes="image",
)


def execute(invocation: Invocation) -> int:
    """Print the parts; with --exit-code 1 where the images differ."""
    from kezuri.app.anatomy import Named
    from kezuri.app.diff import difference

    parsed = invocation.parsed
    form, platform = parsed.text("--format", "text"), parsed.text("--platform")
    only, most = _parts(parsed.all("--only")), _top(parsed.text("--top"), form)
    one, two = (Named(name, platform) for name in parsed.operands)
    with Meter(invocation.console, parsed.flag("--quiet")) as meter:
        found = difference(
            invocation.settings, one, two, times=parsed.flag("--times"), most=most, traffic=meter.traffic
        )
    _say(found, form, only, most, invocation)
    return 1 if parsed.flag("--exit-code") and not found.same else 0


def _say(found: "ImageDifference", form: str, only: tuple[str, ...], most: int, invocation: Invocation) -> None:
    console = invocation.console
    for told in found.told:
        console.warn(told)
    if form == "json":
        from kezuri.cli.json_text import json_text

        said = found.to_json()
        if only:
            said = {key: value for key, value in said.items() if _part_of(key) in ("", *only)}
        console.data(json_text(said, 2))
        return
    from kezuri.cli.diff_text import SECTIONS, DiffText

    wanted = [section for section in SECTIONS if not only or section in only]
    if form == "markdown":
        from kezuri.cli.diff_markdown import DiffMarkdown

        pages = DiffMarkdown(found, console.phrase, most)
        console.say("\n\n".join(filter(None, (pages.heading(), *map(pages.section, wanted)))))
        return
    text = DiffText(found, console.phrase, most, console.colour(console.out), console.columns(console.out))
    blocks = [text.heading(), *map(text.section, wanted)]
    console.say("\n\n".join("\n".join(lines) for lines in blocks if lines), styled=True)


def _part_of(key: str) -> str:
    """Which part a key of the document belongs to; empty for what every document has."""
    return "sizes" if key == "figures" else key if key in _ONLY else ""


def _parts(texts: tuple[str, ...]) -> tuple[str, ...]:
    words = [word for text in texts for word in text.split(",") if word]
    for word in words:
        if word not in _ONLY:
            raise UsageError.because(f"--only {word}: there is no such part", f"there are {', '.join(_ONLY)}")
    return tuple(words)


def _top(text: str, form: str) -> int:
    """How many rows; programs get all unless they ask for fewer."""
    if not text:
        return 0 if form == "json" else 15
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise UsageError.because(f"--top is a number of rows, not {text!r}")
    return int(text)
