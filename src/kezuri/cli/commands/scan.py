"""`kezuri scan`: what is known to be broken in an image, what is left lying in it, and what to do about it."""

from typing import TYPE_CHECKING

from kezuri.cli.html_page import HTML
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kezuri.app.scan import Scanned
    from kezuri.scan.values import Report

FORMS = (
    "table",
    "json",
    "markdown",
    "sarif",
    "cyclonedx",
    "github",
    "gitlab",
    "junit",
    "openvex",
    "trivy",
    "spdx-json",
    "template",
)
COMMAND = Command(
    "scan",
    "Find what is known to be broken in an image, and say what to do about it",
    (
        Option(("--all", "-a"), "flag", "Show every row of every table"),
        Option(
            ("--base",), "text", "The base image, or how many of the lowest layers it has", "IMAGE|N", completes="image"
        ),
        Option(("--exit-code",), "text", "Exit with N if anything is found that counts (default 0)", "N"),
        Option(("--exit-on-eol",), "text", "Exit with N if the distribution or a runtime has ended (default 0)", "N"),
        Option(
            ("--forbid-licence", "--forbid-license"),
            "repeated",
            "Fail if a package is under this licence: GPL-3.0-only, AGPL-*, unknown",
            "LICENCE",
        ),
        Option(("--format", "-f"), "choice", "How to print", "FORMAT", FORMS),
        HTML,
        Option(
            ("--ignore-status",),
            "repeated",
            "Leave out faults by what becomes of them: affected, fixed, will_not_fix, under_investigation",
            "STATUS",
            ("affected", "fixed", "will_not_fix", "under_investigation"),
        ),
        Option(("--ignore-unfixed",), "flag", "Leave out faults that no version mends"),
        Option(
            ("--ignorefile",),
            "repeated",
            "What not to count (default .trivyignore and .trivyignore.yaml)",
            "FILE",
            completes="file",
        ),
        Option(("--input",), "text", "Scan the image in an archive or a layout directory", "FILE", completes="file"),
        Option(("--only-kev",), "flag", "Only faults that are known to be exploited (CISA's catalogue)"),
        Option(("--output", "-o"), "text", "Write to FILE instead of standard output", "FILE", completes="file"),
        Option(
            ("--pkg-types", "--vuln-type"),
            "repeated",
            "Only packages of the distribution (os) or of languages (library)",
            "TYPE",
            ("os", "library"),
        ),
        Option(("--platform",), "text", "Which platform's image", "OS/ARCH"),
        Option(("--quiet", "-q"), "flag", "Say nothing on standard error"),
        Option(
            ("--scanners", "--security-checks"),
            "repeated",
            "What to look for: vuln, secret, misconfig, licence (default the first three)",
            "NAME",
            ("vuln", "secret", "misconfig", "licence"),
        ),
        Option(
            ("--severity", "-s"),
            "repeated",
            "Only these severities: critical, high, medium, low, unknown",
            "LEVEL",
            ("critical", "high", "medium", "low", "unknown"),
        ),
        Option(("--show-suppressed",), "flag", "List what is ignored, and why"),
        Option(("--since",), "text", "Count only what this image does not have", "IMAGE", completes="image"),
        Option(("--template", "-t"), "text", "With --format template: @contrib/junit.tpl and the like", "TEMPLATE"),
        Option(
            ("--skip-dirs", "--skip-files"), "repeated", "Leave out what is in these, by a pattern of paths", "PATTERN"
        ),
        Option(
            ("--strict",), "flag", "Fail if anything that was asked for is not known: no data, old data, unread layers"
        ),
        Option(
            ("--vex",),
            "repeated",
            "Leave out what an OpenVEX document says does no harm; `attached`: what is beside the image",
            "FILE|attached",
            completes="file",
        ),
    ),
    operands="[image|fs|rootfs|sbom] IMAGE|DIR|SBOM",
    most=2,
    description="IMAGE is named as for `kezuri ls`; a DIR is a root file system; an SBOM is a CycloneDX or SPDX file.\n"
    "Faults are those of the database that `kezuri db update` fetches: without one nothing is scanned. What is\n"
    "urgent stands first: what is known to be exploited, what likely will be, what is severe. docs/scan.md has the\n"
    "definitions and the JSON, and says what becomes of a pipeline that used Trivy.",
    completes="image",
    holds=True,
)


def execute(invocation: Invocation) -> int:
    """Print what was found; the exit code as docs/exit-codes.md has it."""
    from kezuri.app.scan import scan_with_bill
    from kezuri.cli import scan_request
    from kezuri.cli.html_page import foresee_page, scan_page
    from kezuri.cli.values import output_file

    scan_request.exit_code(invocation.parsed, "--exit-code")  # Where its value was forgotten, it has the image's name.
    word, subject = scan_request.subject(invocation.parsed)
    if word:
        _as_trivy(invocation)
        word, subject = scan_request.subject(invocation.parsed)
    parsed = invocation.parsed
    code, ended = scan_request.exit_code(parsed, "--exit-code"), scan_request.exit_code(parsed, "--exit-on-eol")
    form = scan_request.form(parsed)
    output_file(parsed)
    foresee_page(invocation, charts=False)
    scanned = scan_with_bill(invocation.settings, scan_request.request(parsed, subject, word))
    if not scan_page(invocation, scanned.report):
        _say(invocation, scanned, word, form)
    report = scanned.report
    if any(
        each.kind == "licence" and each.note.startswith("forbidden") and not each.ignored for each in report.findings
    ):
        return code or 1
    if code and any(not each.ignored and each.kind != "end-of-life" for each in report.findings):
        return code
    if ended and any(
        not each.ignored and each.kind == "end-of-life" and each.note == "ended" for each in report.findings
    ):
        return ended
    return (code or 1) if report.told and parsed.flag("--strict") else 0


def _as_trivy(invocation: Invocation) -> None:
    """Its variables count, and of its file is said that it does not."""
    from kezuri.cli.trivy_words import CONFIG, has_config, with_variables

    invocation.parsed = with_variables(invocation.parsed, COMMAND.options, invocation.console.environ)
    if has_config() and not invocation.parsed.flag("--quiet"):
        invocation.console.warn(f"{CONFIG} is not read: options are given on the command line, or as TRIVY_… variables")


def _say(invocation: Invocation, scanned: "Scanned", word: str, form: str) -> None:
    from kezuri.cli.scan_request import scanners

    parsed, console = invocation.parsed, invocation.console
    output, report = parsed.text("--output"), scanned.report
    if form == "json" and word:
        form = "trivy"
    everything = parsed.flag("--all")
    licences_of = scanned.bill if "licence" in scanners(parsed) else None
    if form == "table" and not output:
        from kezuri.cli.scan_text import ScanText

        text = ScanText(console.phrase, console.words, console.colour(console.out), console.columns(console.out))
        console.say(text.page(report, everything, parsed.flag("--show-suppressed"), licences_of), styled=True)
        return
    if form == "table":
        from kezuri.cli.scan_text import ScanText

        said = ScanText(console.phrase, console.words).page(report, True, parsed.flag("--show-suppressed"), licences_of)
    elif form == "markdown":
        from kezuri.cli.scan_markdown import ScanMarkdown

        said = ScanMarkdown(console.phrase, console.words).page(report, everything)
    else:
        said = _document(form, scanned, console.environ)
    if output:
        from kezuri.export.destination import write_text

        write_text(output, f"{said}\n".encode("utf-8", "backslashreplace"))
    elif form == "markdown":
        console.say(said)
    else:
        console.data(said)
    if form not in ("table", "markdown"):
        _warn(invocation, report)


def _document(form: str, scanned: "Scanned", environ: "Mapping[str, str]") -> str:
    """The scan in a form for other programs."""
    from time import time

    from kezuri.cli.json_text import json_text
    from kezuri.oci.dates import timestamp

    at = timestamp(int(time()))
    if form == "json":
        from kezuri.report.scan_json import document

        return json_text(document(scanned.report, scanned.bill, at), 2)
    if form == "spdx-json":
        from kezuri.report.scan_words import cleaned
        from kezuri.sbom import spdx

        return json_text(cleaned(spdx.document(scanned.bill)), 2)
    from kezuri.report.scan_forms import data, written

    values = data(form, scanned.report, scanned.bill, at, environ)
    return json_text(values, 2) if values is not None else written(form, scanned.report, scanned.bill).rstrip("\n")


def _warn(invocation: Invocation, report: "Report") -> None:
    """What documents for other programs have no place for, where people see it."""
    if not invocation.parsed.flag("--quiet"):
        for told in report.told:
            invocation.console.warn(told)
