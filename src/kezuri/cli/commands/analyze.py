"""`kezuri analyze`: what an image is made of, what it wastes, and what could go."""

import os
from typing import TYPE_CHECKING

from kezuri.cli.html_page import HTML
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, Parsed, UsageError

if TYPE_CHECKING:
    from kezuri.anatomy.thresholds import Thresholds, Verdict
    from kezuri.app.analysis import DiveCi
    from kezuri.app.anatomy import Named

_LIMITS = {
    "--lowest-efficiency": "lowestEfficiency",
    "--highest-wasted-bytes": "highestWastedBytes",
    "--highest-user-wasted-percent": "highestUserWastedPercent",
}
COMMAND = Command(
    "analyze",
    "Show what an image is made of, what it wastes, and what could go",
    (
        Option(("--all", "-a"), "flag", "Show every row of every table"),
        Option(
            ("--base",), "text", "The base image, or how many of the lowest layers it has", "IMAGE|N", completes="image"
        ),
        Option(("--ci",), "flag", "Ask the rules of .dive-ci, or dive's own; exit with 1 if one fails"),
        Option(("--ci-config",), "text", "Another file than .dive-ci", "FILE", completes="file"),
        Option(("--compat",), "choice", "Count as dive counts, and print what it prints", "PROGRAM", ("dive",)),
        Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json", "markdown")),
        Option(
            ("--highest-user-wasted-percent", "--highestUserWastedPercent"),
            "text",
            "Exit with 1 if a larger share of what the image adds to its base is wasted",
            "RATIO",
        ),
        Option(
            ("--highest-wasted-bytes", "--highestWastedBytes"), "text", "Exit with 1 if more bytes are wasted", "BYTES"
        ),
        HTML,
        Option(("--ignore",), "repeated", "Leave files out of what could go, by a pattern of paths", "PATTERN"),
        Option(
            ("--lowest-efficiency", "--lowestEfficiency"),
            "text",
            "Exit with 1 if the share of bytes that are needed is smaller",
            "RATIO",
        ),
        Option(("--platform",), "text", "Which platform's image", "OS/ARCH"),
    ),
    operands="IMAGE",
    least=1,
    most=1,
    description="Every byte of the layers is useful (the image shows it), wasted (a later layer removes or replaces\n"
    "it), or the tar's own. Rules are asked with --ci, with CI=true where there is a .dive-ci or --compat dive, and\n"
    "when a limit is given. What lies in the layers of the base is not blamed on the image, unless dive counts.\n"
    "docs/analyze.md has the definitions, and the JSON.",
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Print the figures; 1 where a rule fails."""
    from kezuri.app.anatomy import Named

    parsed, console = invocation.parsed, invocation.console
    found = _dive_ci(parsed, console.environ.get("CI", "").lower() in ("true", "1", "yes"))
    limits = _thresholds(parsed, found)
    ignore = (*(found.ignore if found is not None else ()), *parsed.all("--ignore"))
    image = Named(parsed.operands[0], parsed.text("--platform"), parsed.text("--base"))
    say = _say_as_dive if parsed.text("--compat") == "dive" else _say
    verdicts = say(invocation, image, ignore, limits)
    return 1 if any(verdict.state == "fail" for verdict in verdicts) else 0


def _dive_ci(parsed: Parsed, in_ci: bool) -> "DiveCi | None":
    """The rules of the file, dive's own where there is none; None where no rule is to be asked."""
    from kezuri.anatomy.thresholds import DEFAULTS
    from kezuri.app.analysis import DIVE_CI, DiveCi, read_dive_ci

    path = parsed.text("--ci-config")
    if path or os.path.lexists(DIVE_CI):
        if parsed.flag("--ci", in_ci or bool(path)):
            return read_dive_ci(path or DIVE_CI)
    elif parsed.flag("--ci", in_ci and parsed.text("--compat") == "dive"):
        return DiveCi(DEFAULTS)
    return None


def _thresholds(parsed: Parsed, found: "DiveCi | None") -> "Thresholds | None":
    """The limits: those of the file, and over them those of the command line; None where there are none."""
    from kezuri.anatomy.thresholds import READERS
    from kezuri.app.analysis import limit_hint, thresholds

    limits = dict(found.limits) if found is not None else {}
    for option, rule in _LIMITS.items():
        if parsed.given(option):
            written = parsed.text(option)
            try:
                READERS[rule](written)
            except ValueError:
                raise UsageError.because(f"{option} cannot be {written!r}", limit_hint(rule)) from None
            limits[rule] = written
    return thresholds(limits) if limits else None


def _say(
    invocation: Invocation, named: "Named", ignore: tuple[str, ...], limits: "Thresholds | None"
) -> "tuple[Verdict, ...]":
    from kezuri.anatomy.advice import advise
    from kezuri.anatomy.thresholds import judge, of_anatomy
    from kezuri.cli.html_page import AnatomyPage
    from kezuri.diagnostics import KezuriError

    parsed, console = invocation.parsed, invocation.console
    page = AnatomyPage(invocation)
    image = page.analysed(named, ignore)
    unread = [layer.number + 1 for layer in image.layers if layer.unread]
    if unread and limits is not None:
        raise KezuriError.of(
            f"layer {unread[0]} could not be read: {image.layers[unread[0] - 1].unread}",
            hint="no rule can be asked of a part of an image",
            exit_code=125,
        )
    advice = advise(image)
    verdicts = () if limits is None else judge(limits, of_anatomy(image))
    if page.written():
        return verdicts
    form = parsed.text("--format")
    if form == "json":
        from kezuri.cli.json_text import json_text
        from kezuri.report.anatomy_json import document

        console.data(json_text(document(image, advice, verdicts, ignore), 2))
        return verdicts
    if form == "markdown":
        from kezuri.cli.analyze_markdown import AnalyzeMarkdown

        console.say(AnalyzeMarkdown(console.phrase, console.words).page(image, advice, verdicts, parsed.flag("--all")))
        return verdicts
    from kezuri.cli.analyze_text import AnalyzeText

    text = AnalyzeText(console.phrase, console.words, console.colour(console.out), console.columns(console.out))
    console.say(text.page(image, advice, verdicts, parsed.flag("--all")), styled=True)
    return verdicts


def _say_as_dive(
    invocation: Invocation, named: "Named", ignore: tuple[str, ...], limits: "Thresholds | None"
) -> "tuple[Verdict, ...]":
    from kezuri.anatomy.thresholds import judge, of_dive
    from kezuri.app.analysis import dive_figures
    from kezuri.report.dive import json_lines, text

    parsed, console = invocation.parsed, invocation.console
    if parsed.given("--html"):
        raise UsageError.because("a report has kezuri's own figures", "leave out --compat")
    form = parsed.text("--format")
    if form == "markdown":
        raise UsageError.because("dive has no Markdown", "leave out --compat, or use --format json")
    figures = dive_figures(invocation.settings, named, ignore)
    verdicts = () if limits is None else judge(limits, of_dive(figures))
    if form == "json":
        for line in json_lines(figures):
            console.data(line)
    else:
        console.say(text(figures, verdicts))
    return verdicts
