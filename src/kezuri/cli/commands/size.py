"""`kezuri size`: how large an image is, recorded, shown over time, and held against budgets."""

import os
from typing import TYPE_CHECKING

from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, UsageError
from kezuri.growth.records import FILE, MERGE
from kezuri.growth.values import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kezuri.app.growth import Measuring

_BRANCH = Option(("--branch",), "text", "Only the measurements of this branch", "NAME")
_FILE = Option(("--file", "-f"), "text", f"The file of measurements (default {FILE})", "FILE", completes="file")
_NAME = Option(("--name",), "text", "What its measurements are found by (default the image's name)", "NAME")
_PLATFORM = Option(("--platform",), "text", "Which platform's image", "OS/ARCH")

_ROWS = 30
"""How many measurements a table has where nobody says how many."""

RECORD = Command(
    "size record",
    "Measure an image and append that to a file in the repository",
    (
        Option(("--at",), "text", "When it was measured (default now): RFC 3339", "TIME"),
        Option(("--attach",), "flag", "Keep it beside the image, too: in a registry, a layout or the store"),
        Option(("--branch",), "text", "The branch (default what CI or git says)", "NAME"),
        Option(("--commit",), "text", "The commit (default what CI or git says)", "COMMIT"),
        _FILE,
        Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json")),
        _NAME,
        Option(("--no-file",), "flag", "Write no file: with --attach"),
        _PLATFORM,
    ),
    operands="IMAGE",
    least=1,
    most=1,
    completes="image",
    description="IMAGE is a name of the store, docker://NAME (a registry), oci:DIRECTORY[:NAME], or what else\n"
    "`kezuri copy` reads. The file has a line of JSON for each measurement; with `kezuri-sizes.jsonl\n"
    "merge=union` in .gitattributes git merges it. The same image at the same commit is recorded once.",
    holds=True,
)
SHOW = Command(
    "size show",
    "Show how an image's size went",
    (
        _BRANCH,
        Option(("--chart",), "text", "Write the chart as an SVG image", "FILE", completes="file"),
        _FILE,
        Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json", "markdown", "csv")),
        Option(("--last", "-n"), "text", "Only so many, the youngest (a table has 30)", "N"),
        Option(("--metric", "-m"), "repeated", f"Which figures: {', '.join(METRICS)}", "METRIC"),
        _PLATFORM,
    ),
    operands="[NAME | docker://REPOSITORY]",
    most=1,
    description="NAME is needed where the file has several images. Of docker://REPOSITORY what is kept beside the\n"
    "images of its tags is shown (`kezuri size record --attach`).",
)
GATE = Command(
    "size gate",
    "Hold an image against budgets, and say what grew",
    (
        Option(("--against",), "text", "Compare with this image, not with the file", "IMAGE", completes="image"),
        Option(("--branch",), "text", "Compare with the last measurement of this branch (default of any)", "NAME"),
        Option(("--budget", "-b"), "repeated", "A limit: wire=200MB, unpacked=+5%, wasted=+0", "METRIC=LIMIT"),
        Option(("--comment",), "text", "Write the comment for a pull request (Markdown)", "FILE", completes="file"),
        _FILE,
        Option(("--format",), "choice", "How to print", "FORMAT", ("text", "json", "markdown")),
        _NAME,
        _PLATFORM,
        Option(("--strict",), "flag", "Fail where a budget cannot be judged: nothing to compare with"),
    ),
    operands="IMAGE",
    least=1,
    most=1,
    completes="image",
    description="A limit is a number (kB, MB, GB are of 1000; KiB, MiB, GiB of 1024), or a growth over what there was\n"
    "before: +5%, +3MB. Exit code 1 when a budget is exceeded. IMAGE is named as for `kezuri size record`.",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Exit code 1 for a budget that is exceeded."""
    verb = {RECORD.name: _record, SHOW.name: _show, GATE.name: _gate}[invocation.command.name]
    return verb(invocation)


def _measuring(invocation: Invocation, at: str = "") -> "Measuring":
    from time import time

    from kezuri.app.growth import Measuring
    from kezuri.oci.dates import timestamp

    parsed = invocation.parsed
    own = invocation.command is RECORD
    return Measuring(
        parsed.operands[0],
        at or timestamp(int(time())),
        parsed.text("--platform"),
        parsed.text("--name"),
        parsed.text("--commit") if own else "",
        parsed.text("--branch") if own else "",
    )


def _record(invocation: Invocation) -> int:
    from kezuri.app.growth import record
    from kezuri.cli.size_text import recorded
    from kezuri.growth.values import line_of

    parsed, console = invocation.parsed, invocation.console
    attach, bare = parsed.flag("--attach"), parsed.flag("--no-file")
    if bare and not attach:
        raise UsageError.because("--no-file without --attach records nothing")
    at = _time(parsed.text("--at"))
    file = "" if bare else parsed.text("--file", FILE)
    result = record(invocation.settings, _measuring(invocation, at), file, attach, console.environ, console.warn)
    _passed(invocation, file, result.passed)
    if parsed.text("--format") == "json":
        console.data(line_of(result.measurement))
    else:
        for line in recorded(result, console.phrase):
            console.say(line)
    if result.attached:
        console.note(f"attached {result.attached}")
    if file and not result.appended:
        console.note(f"{file} has this measurement already")
    elif file:
        console.note(f"appended to {file}")
        if not _merges(file):
            console.note(f"hint: write `{os.path.basename(file)} {MERGE}` into .gitattributes, so that git merges it")
    return 0


def _show(invocation: Invocation) -> int:
    from kezuri.app.growth import repository_measurements, shown
    from kezuri.cli.size_chart import bars, svg
    from kezuri.cli.size_text import history
    from kezuri.cli.size_words import heading

    parsed, console = invocation.parsed, invocation.console
    metrics = tuple(dict.fromkeys(parsed.all("--metric"))) or ("wire", "unpacked", "wasted", "layers")
    for metric in metrics:
        _known(metric)
    last = parsed.text("--last")
    if last and not (last.isascii() and last.isdigit() and int(last)):
        raise UsageError.because(f"--last {last!r} is not a number of measurements")
    named = parsed.operands[0] if parsed.operands else ""
    branch, platform = parsed.text("--branch"), parsed.text("--platform")
    if named.startswith("docker://"):
        found = repository_measurements(invocation.settings, named, platform, console.warn)
        found = tuple(one for one in found if not branch or one.branch == branch)
        if not found:
            from kezuri.diagnostics import KezuriError

            hint = "kezuri size record --attach keeps measurements there"
            raise KezuriError.of(f"{named}: no measurement is kept beside its images", hint=hint)
    else:
        file = parsed.text("--file", FILE)
        records, found = shown(file, named, platform, branch)
        _passed(invocation, file, records.passed)
    found = found[-int(last) :] if last else found
    if not parsed.all("--metric"):
        # What was never measured has no column.
        metrics = tuple(metric for metric in metrics if any(metric in one.figures for one in found)) or metrics
    chart = parsed.text("--chart")
    if chart:
        _write(chart, svg(found, metrics, found[-1].name))
    form = parsed.text("--format")
    if form == "json":
        from kezuri.growth.values import line_of

        lines = ",\n".join(line_of(one) for one in found)
        console.data(f"[{lines}]")
    elif form == "csv":
        for row in _csv(found):
            console.data(row)
    elif form == "markdown":
        from kezuri.cli.size_markdown import history_table

        console.say(history_table(found, metrics, console.phrase))
    else:
        rows = found if last else found[-_ROWS:]
        for line in history(rows, metrics, console.phrase):
            console.say(line)
        if len(rows) < len(found):
            console.say(console.phrase("({} earlier ones: --last {} shows all)", len(found) - len(rows), len(found)))
        plain = (getattr(console.out, "encoding", None) or "utf-8").lower().replace("-", "") != "utf8"
        drawn = bars(found, metrics[0], console.columns(console.out) or 80, plain)
        if drawn:
            console.say("\n".join(("", f"{found[-1].name}: {heading(metrics[0], console.phrase)}", *drawn)))
    return 0


def _gate(invocation: Invocation) -> int:
    from kezuri.app.growth import Baseline, gate
    from kezuri.cli.size_markdown import comment
    from kezuri.cli.size_text import gated
    from kezuri.growth.budgets import parse_budget

    parsed, console = invocation.parsed, invocation.console
    budgets = [parse_budget(text) for text in parsed.all("--budget")]
    if parsed.given("--against") and (parsed.given("--file") or parsed.given("--branch")):
        raise UsageError.because("--against names an image, --file and --branch measurements: give one of both")
    file = parsed.text("--file", FILE)
    before = Baseline(file, parsed.text("--branch"), parsed.text("--against"))
    result = gate(invocation.settings, _measuring(invocation), budgets, before, console.environ, console.warn)
    _passed(invocation, file, result.passed)
    if parsed.text("--comment"):
        _write(parsed.text("--comment"), comment(result, console.phrase) + "\n")
    form = parsed.text("--format")
    if form == "json":
        from kezuri.cli.json_text import json_text
        from kezuri.cli.size_json import gated_json

        console.say(json_text(gated_json(result), 2))
    elif form == "markdown":
        console.say(comment(result, console.phrase))
    else:
        for line in gated(result, console.phrase):
            console.say(line)
    unjudged = [verdict.budget.text for verdict in result.verdicts if not verdict.judged]
    if unjudged:
        console.warn(f"not judged: {', '.join(unjudged)}: {result.missing or 'there is no such figure'}")
    if not budgets:
        console.warn("no budget was given: nothing can be exceeded")
    return 1 if not result.kept or (unjudged and parsed.flag("--strict")) else 0


def _time(text: str) -> str:
    from kezuri.oci.dates import seconds, timestamp

    if not text:
        return ""
    moment = seconds(text)
    if moment is None:
        raise UsageError.because(f"--at {text!r} is no time", "write 2026-11-28T09:00:00Z")
    return timestamp(int(moment))


def _known(metric: str) -> None:
    if metric not in METRICS:
        from kezuri.diagnostics import nearest

        near = nearest(metric, METRICS)
        raise UsageError.because(
            f"--metric {metric!r} is none", f"did you mean {near}?" if near else f"there are {', '.join(METRICS)}"
        )


def _csv(found: "Sequence[object]") -> "list[str]":
    import csv
    import io

    from kezuri.growth.values import Measurement
    from kezuri.report.cells import spreadsheet

    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(("at", "name", "branch", "commit", "platform", "digest", *METRICS))
    for one in found:
        assert isinstance(one, Measurement)
        texts = (spreadsheet(text) for text in (one.at, one.name, one.branch, one.commit, one.platform, one.digest))
        rows.writerow((*texts, *(one.figures.get(metric, "") for metric in METRICS)))
    return out.getvalue().splitlines()


def _passed(invocation: Invocation, file: str, passed: "Sequence[tuple[int, str]]") -> None:
    for number, why in passed[:5]:
        invocation.console.warn(f"{file}:{number}: passed over: {why}")
    if len(passed) > 5:
        invocation.console.warn(f"{file}: {len(passed) - 5} more lines are passed over")


def _write(path: str, text: str) -> None:
    from kezuri.export.destination import write_text

    write_text(path, text.encode("utf-8", "backslashreplace"))


def _merges(file: str) -> bool:
    """Whether git, where there is one, has been told how to merge the file; nobody is told twice."""
    directory = os.path.dirname(os.path.abspath(file))
    name = os.path.basename(file)
    at = directory
    while True:
        try:
            with open(os.path.join(at, ".gitattributes"), encoding="utf-8", errors="replace") as attributes:
                if any(MERGE in line and name in line for line in attributes):
                    return True
        except OSError:
            pass
        if os.path.exists(os.path.join(at, ".git")):
            return False
        above = os.path.dirname(at)
        if above == at:
            return True  # no repository
        at = above
