"""`kezuri scan`: what is known to be broken in an image, what is left lying in it, and what to do about it."""

import os
from typing import TYPE_CHECKING

from kezuri.cli.html_page import HTML
from kezuri.cli.invocation import Invocation
from kezuri.cli.options import Command, Option, Parsed, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kezuri.advisories.values import Severity
    from kezuri.app.sbom import BillRequest
    from kezuri.app.scan import Scanned, ScanRequest
    from kezuri.scan.values import Report

FORMS = ("table", "json", "markdown", "sarif", "cyclonedx", "github", "gitlab", "junit", "openvex", "trivy", "template")
IGNORE_FILES = (".trivyignore", ".trivyignore.yaml", ".trivyignore.yml")
"""Files that are looked for in the current directory where none is named."""
WORDS = ("image", "fs", "filesystem", "rootfs", "sbom")
"""Trivy's commands: with one of them before what is scanned, defaults and JSON are Trivy's."""
_OTHER_WORDS = {
    "repo": "clone it, and name the directory",
    "repository": "clone it, and name the directory",
    "config": "`kezuri check DIR` checks Dockerfiles, Compose files and workflows",
    "conf": "`kezuri check DIR` checks Dockerfiles, Compose files and workflows",
    "k8s": "name the images of the cluster one by one",
    "kubernetes": "name the images of the cluster one by one",
    "vm": "name the root directory of its file system",
    "server": "kezuri is one program without a daemon: there is nothing to connect to",
}
_SCANNERS = {"license": "licence", "config": "misconfig", "security": "vuln"}
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
        ),
        Option(("--platform",), "text", "Which platform's image", "OS/ARCH"),
        Option(("--quiet", "-q"), "flag", "Say nothing on standard error"),
        Option(
            ("--scanners", "--security-checks"),
            "repeated",
            "What to look for: vuln, secret, misconfig, licence (default the first three)",
            "NAME",
        ),
        Option(
            ("--severity", "-s"), "repeated", "Only these severities: critical, high, medium, low, unknown", "LEVEL"
        ),
        Option(("--show-suppressed",), "flag", "List what is ignored, and why"),
        Option(("--since",), "text", "Count only what this image does not have", "IMAGE", completes="image"),
        Option(("--template", "-t"), "text", "With --format template: @contrib/junit.tpl and the like", "TEMPLATE"),
        Option(
            ("--skip-dirs", "--skip-files"), "repeated", "Leave out what is in these, by a pattern of paths", "PATTERN"
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
    from kezuri.cli.html_page import foresee_page, scan_page

    parsed = invocation.parsed
    word, subject = _subject(parsed)
    code, ended = _code(parsed, "--exit-code"), _code(parsed, "--exit-on-eol")
    form = _form(parsed)
    foresee_page(invocation, charts=False)
    scanned = scan_with_bill(invocation.settings, _request(parsed, subject, word))
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
    return 0


def _subject(parsed: Parsed) -> "tuple[str, BillRequest]":
    """Trivy's word, empty where there is none, and what is to be scanned."""
    from kezuri.app.sbom import BillRequest
    from kezuri.app.scan_subject import of_archive

    words, archive = list(parsed.operands), parsed.text("--input")
    word = ""
    if words and (len(words) == 2 or archive):
        if words[0] in _OTHER_WORDS:
            raise UsageError.because(f"kezuri scan has no {words[0]}", _OTHER_WORDS[words[0]])
        if words[0] not in WORDS:
            raise UsageError.because(
                f"kezuri scan takes one image, directory or document: {words[-1]!r} is one too many"
                if len(words) == 2
                else f"--input names what is scanned: {words[0]!r} is one too many"
            )
        word = words.pop(0)
    if archive and words:
        raise UsageError.because(f"--input names what is scanned: {words[0]!r} is one too many")
    if not archive and not words:
        raise UsageError.because("kezuri scan needs an image, a directory or an SBOM")
    name = of_archive(archive) if archive else words[0]
    if word in ("fs", "filesystem", "rootfs") and not name.startswith("dir:"):
        name = f"dir:{name}"
    if word == "sbom" and not name.startswith("sbom:"):
        name = f"sbom:{name}"
    return word, BillRequest(name, parsed.text("--platform"), parsed.text("--base"))


def _request(parsed: Parsed, subject: "BillRequest", word: str) -> "ScanRequest":
    from kezuri.app.scan import SCANNERS, STATUSES, ScanRequest

    default: tuple[str, ...] = ("vuln", "secret", "misconfig")
    if word:
        default = ("vuln",) if word == "sbom" else ("vuln", "secret")
    scanners = [_SCANNERS.get(each, each) for each in _listed(parsed, "--scanners")]
    vex = parsed.all("--vex")
    for each in vex:
        if each == "repo":
            raise UsageError.because("kezuri knows no repositories of VEX documents", "name the file: --vex FILE")
    return ScanRequest(
        subject,
        _known("--scanners", scanners, SCANNERS) or default,
        _severities(parsed),
        parsed.flag("--ignore-unfixed"),
        parsed.flag("--only-kev"),
        parsed.all("--ignorefile") or tuple(path for path in IGNORE_FILES if os.path.isfile(path)),
        tuple(each for each in vex if each not in ("attached", "oci")),
        parsed.text("--since"),
        _listed(parsed, "--forbid-licence"),
        _known("--pkg-types", _listed(parsed, "--pkg-types"), ("os", "library")) or ("os", "library"),
        _known("--ignore-status", _listed(parsed, "--ignore-status"), (*STATUSES, *_NEVER)),
        any(each in ("attached", "oci") for each in vex),
        tuple(each.removeprefix("./").lstrip("/") for each in _listed(parsed, "--skip-dirs")),
    )


_NEVER = ("unknown", "not_affected", "fix_deferred", "end_of_life")
"""Trivy's words for what no fault has here: an advisory that is not affected is no finding at all."""


def _severities(parsed: Parsed) -> "tuple[Severity, ...]":
    from kezuri.advisories.values import SEVERITIES

    wanted = _known("--severity", [each.lower() for each in _listed(parsed, "--severity")], SEVERITIES)
    return tuple(each for each in SEVERITIES if each in wanted) if wanted else SEVERITIES


def _listed(parsed: Parsed, option: str) -> tuple[str, ...]:
    """The values of an option, which may be given several times and with commas."""
    return tuple(part for value in parsed.all(option) for each in value.split(",") if (part := each.strip()))


def _known(option: str, values: "list[str] | tuple[str, ...]", known: tuple[str, ...]) -> tuple[str, ...]:
    from kezuri.diagnostics import nearest

    for value in values:
        if value not in known:
            near = nearest(value, known)
            hint = f"did you mean {near}?" if near else f"one of: {', '.join(known)}"
            raise UsageError.because(f"{option} cannot be {value!r}", hint)
    return tuple(dict.fromkeys(values))


def _code(parsed: Parsed, option: str) -> int:
    text = parsed.text(option, "0")
    if text.isascii() and text.isdecimal() and int(text[:9]) < 256 and len(text) < 9:
        return int(text)
    raise UsageError.because(f"{option} is a number from 0 to 255, not {text!r}")


def _form(parsed: Parsed) -> str:
    """How to print: in the place of a template of Trivy's the form that has the same."""
    form, template = parsed.text("--format", "table"), parsed.text("--template")
    if form != "template":
        if template:
            raise UsageError.because("--template goes with --format template")
        return form
    from kezuri.report.scan_forms import TEMPLATES

    name = template.rpartition("/")[2].removeprefix("@")
    if name == "html.tpl":
        raise UsageError.because("kezuri fills in no templates", "--html FILE writes the page")
    if name not in TEMPLATES:
        raise UsageError.because(
            "kezuri fills in no templates",
            f"it has the same as {', '.join(TEMPLATES)}; the others can be made of --format trivy or json",
        )
    return TEMPLATES[name]


def _say(invocation: Invocation, scanned: "Scanned", word: str, form: str) -> None:
    parsed, console = invocation.parsed, invocation.console
    output, report = parsed.text("--output"), scanned.report
    if form == "json" and word:
        form = "trivy"
    everything = parsed.flag("--all")
    asked = {_SCANNERS.get(each, each) for each in _listed(parsed, "--scanners")}
    licences_of = scanned.bill if "licence" in asked else None
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
    from kezuri.report.scan_forms import data, written

    values = data(form, scanned.report, scanned.bill, at, environ)
    return json_text(values, 2) if values is not None else written(form, scanned.report, scanned.bill).rstrip("\n")


def _warn(invocation: Invocation, report: "Report") -> None:
    """What documents for other programs have no place for, where people see it."""
    if not invocation.parsed.flag("--quiet"):
        for told in report.told:
            invocation.console.warn(told)
