"""What the options of `kezuri scan` ask for, as values."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kezuri.cli.options import Parsed, UsageError
from kezuri.cli.trivy_words import OTHER_WORDS, WORDS

if TYPE_CHECKING:
    from kezuri.advisories.values import Severity
    from kezuri.app.sbom import BillRequest
    from kezuri.app.scan import ScanRequest

IGNORE_FILES = (".trivyignore", ".trivyignore.yaml", ".trivyignore.yml")
"""Files that are looked for in the current directory where none is named."""
BILLS = ("cyclonedx", "spdx-json", "github")
"""Forms that are bills first: for Trivy nothing is looked for where nobody says what."""
_SCANNERS = {"license": "licence", "config": "misconfig"}


def subject(parsed: Parsed) -> "tuple[str, BillRequest]":
    """Trivy's word, empty where there is none, and what is to be scanned."""
    from kezuri.app.sbom import BillRequest
    from kezuri.app.scan_subject import of_archive

    words, archive = list(parsed.operands), parsed.text("--input")
    word = ""
    if words and (len(words) == 2 or archive):
        if words[0] in OTHER_WORDS:
            raise UsageError.because(f"kezuri scan has no {words[0]}", OTHER_WORDS[words[0]])
        if words[0] not in WORDS:
            raise UsageError.because(
                f"kezuri scan takes one image, directory or document: {words[-1]!r} is one too many"
                if len(words) == 2
                else f"--input names what is scanned: {words[0]!r} is one too many"
            )
        word = words.pop(0)
    if words and words[0] in WORDS and not word and not os.path.exists(words[0]):
        name = words[0]
        raise UsageError.because(
            f"kezuri scan {name} needs what is to be scanned", f"an image of that name: store:{name}"
        )
    if archive and words:
        raise UsageError.because(f"--input names what is scanned: {words[0]!r} is one too many")
    if not archive and not words:
        raise UsageError.because("kezuri scan needs an image, a directory or an SBOM")
    name = of_archive(archive) if archive else words[0]
    if word in ("fs", "filesystem", "rootfs") and not name.startswith("dir:"):
        name = f"dir:{name}"
    if word == "sbom" and not name.startswith("sbom:"):
        name = f"sbom:{name}"
    return word, BillRequest(name, parsed.text("--platform"), parsed.text("--base"), word == "image")


def request(parsed: Parsed, subject: "BillRequest", word: str) -> "ScanRequest":
    """What is asked of the scan. UsageError for a value that an option does not have."""
    from kezuri.app.scan import SCANNERS, STATUSES, ScanRequest

    default: tuple[str, ...] = ("vuln", "secret", "misconfig")
    if word:
        default = ("vuln",) if word == "sbom" else ("vuln", "secret")
        if parsed.text("--format") in BILLS:
            default = ()
    vex = parsed.all("--vex")
    for each in vex:
        if each == "repo":
            raise UsageError.because("kezuri knows no repositories of VEX documents", "name the file: --vex FILE")
    return ScanRequest(
        subject,
        _known("--scanners", scanners(parsed), SCANNERS) or default,
        _severities(parsed),
        parsed.flag("--ignore-unfixed"),
        parsed.flag("--only-kev"),
        parsed.all("--ignorefile") or tuple(path for path in IGNORE_FILES if os.path.isfile(path)),
        tuple(each for each in vex if each not in ("attached", "oci")),
        parsed.text("--since"),
        listed(parsed, "--forbid-licence"),
        _known("--pkg-types", listed(parsed, "--pkg-types"), ("os", "library")) or ("os", "library"),
        _known("--ignore-status", listed(parsed, "--ignore-status"), (*STATUSES, *_NEVER)),
        any(each in ("attached", "oci") for each in vex),
        tuple(each.removeprefix("./").lstrip("/") for each in listed(parsed, "--skip-dirs")),
    )


def scanners(parsed: Parsed) -> tuple[str, ...]:
    """What is looked for, as far as it was said, in our words."""
    return tuple(_SCANNERS.get(each, each) for each in listed(parsed, "--scanners"))


_NEVER = ("unknown", "not_affected", "fix_deferred", "end_of_life")
"""Trivy's words for what no fault has here: an advisory that is not affected is no finding at all."""


def _severities(parsed: Parsed) -> "tuple[Severity, ...]":
    from kezuri.advisories.values import SEVERITIES

    wanted = _known("--severity", [each.lower() for each in listed(parsed, "--severity")], SEVERITIES)
    return tuple(each for each in SEVERITIES if each in wanted) if wanted else SEVERITIES


def listed(parsed: Parsed, option: str) -> tuple[str, ...]:
    """The values of an option, which may be given several times and with commas."""
    return tuple(part for value in parsed.all(option) for each in value.split(",") if (part := each.strip()))


def _known(option: str, values: Sequence[str], known: tuple[str, ...]) -> tuple[str, ...]:
    from kezuri.diagnostics import nearest

    for value in values:
        if value not in known:
            near = nearest(value, known)
            hint = f"did you mean {near}?" if near else f"one of: {', '.join(known)}"
            raise UsageError.because(f"{option} cannot be {value!r}", hint)
    return tuple(dict.fromkeys(values))


def exit_code(parsed: Parsed, option: str) -> int:
    """The exit code that an option gives. UsageError for what is none."""
    text = parsed.text(option, "0")
    if text.isascii() and text.isdecimal() and int(text[:9]) < 256 and len(text) < 9:
        return int(text)
    raise UsageError.because(f"{option} is a number from 0 to 255, not {text!r}")


def form(parsed: Parsed) -> str:
    """How to print: in the place of a template of Trivy's the form that has the same."""
    named, template = parsed.text("--format", "table"), parsed.text("--template")
    if named != "template":
        if template:
            raise UsageError.because("--template goes with --format template")
        return named
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
