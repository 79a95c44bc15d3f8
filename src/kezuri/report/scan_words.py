"""What the forms of a scan have in common: where a finding stands, how heavy it is in others' scales, what is to do."""

import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from kezuri.diagnostics import visible
from kezuri.report.places import shown
from kezuri.sbom.wording import clean
from kezuri.scan.values import Finding, Report

HOME: Final = "https://pypi.org/project/kezuri/"
SCORES: Final = {
    "critical": (9.0, 10.0, 9.5),
    "high": (7.0, 8.9, 8.0),
    "medium": (4.0, 6.9, 5.5),
    "low": (0.1, 3.9, 2.0),
}
"""The scores of CVSS that each severity spans, and what is given where the severity is not by a score."""
_URL: Final = re.compile(r"https?://[!-~]{1,2000}\Z")
_WHERE: Final = re.compile(
    r"(?:docker://|store:|containers-storage:|docker-daemon:|(oci|oci-layout|oci-archive|docker-archive):)"
)
"""How names begin that say where an image is; of the last ones a path comes next."""
_BY_VEX: Final = re.compile(r": (not_affected|fixed)(?:: (.*))?\Z", re.DOTALL)
_PAGES: Final = (
    ("CVE-", "https://nvd.nist.gov/vuln/detail/"),
    ("GHSA-", "https://github.com/advisories/"),
    ("GO-", "https://pkg.go.dev/vuln/"),
    ("RUSTSEC-", "https://rustsec.org/advisories/"),
    ("DSA-", "https://security-tracker.debian.org/tracker/"),
    ("DLA-", "https://security-tracker.debian.org/tracker/"),
    ("USN-", "https://ubuntu.com/security/notices/"),
    ("RHSA-", "https://access.redhat.com/errata/"),
)


def counting(report: Report) -> Iterator[Finding]:
    """The findings that count: nobody has said why they do not."""
    return (finding for finding in report.findings if not finding.ignored)


def faults(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Those that are known faults of packages."""
    return (finding for finding in findings if finding.kind == "vulnerability")


def score(finding: Finding) -> float:
    """A CVSS score that says the severity of the finding: its own where it does, else the middle of that severity's; 0
    where nothing is known. Who keeps the data may call a fault less than its score would."""
    span = SCORES.get(finding.severity)
    if span is None:
        return finding.score
    low, high, middle = span
    return finding.score if low <= finding.score <= high else middle


def place(report: Report, finding: Finding) -> tuple[str, int]:
    """The file and the line that a finding stands at, for readers who know files only: the line of the Dockerfile that
    brought it; a file of a directory; else what the image is called."""
    number = finding.layer
    if number < 0 and finding.kind == "end-of-life":
        number = 0  # a distribution came with the lowest layer
    if report.kind == "image" and 0 <= number < len(report.layers):
        layer = report.layers[number]
        if layer.dockerfile:
            return relative(shown(layer.dockerfile)), max(1, layer.line)
    if report.kind == "image":
        known = next((layer for layer in reversed(report.layers) if layer.dockerfile), None)
        if known is not None:
            return relative(shown(known.dockerfile)), 1
        return relative(repository(report.name)), 1
    root = shown(report.name.removeprefix("dir:")) if report.kind == "directory" else ""
    if finding.path:
        # From where kezuri was called, as for every other tool: a repository has the file there.
        inside = "" if root in (".", "") or root.startswith("/") else f"{root}/"
        return relative(f"{inside}{finding.path}"), max(1, finding.line)
    return relative(root or shown(report.name)), 1


def relative(path: str) -> str:
    """A path as a relative reference (RFC 3986): never absolute, never outside."""
    parts = [part for part in clean(path).replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return quote("/".join(parts) or "image", safe="/-._~@+,")


def repository(name: str) -> str:
    """An image's name without its tag and digest, and without the words for where it is: of one in a layout or an
    archive the name that it has there, else the file's."""
    from kezuri.oci.reference import Reference

    found = _WHERE.match(name)
    if found is not None and found[1]:
        path, _, inner = name[found.end() :].partition(":")
        if not inner:
            return path.rstrip("/").rpartition("/")[2].removesuffix(".tar") or "image"
        name = inner
    elif found is not None:
        name = name[found.end() :]
    reference = Reference.maybe(name)
    return name if reference is None else reference.path


def named(finding: Finding) -> str:
    """The package and its version, or what else is wrong."""
    return visible(f"{finding.name} {finding.installed}".strip())


def brought(report: Report, finding: Finding) -> str:
    """Which layer brought it, in words; empty where that is not known."""
    if not 0 <= finding.layer < len(report.layers):
        return ""
    layer = report.layers[finding.layer]
    said = f"layer {finding.layer + 1}"
    if layer.of_base:
        base = visible(report.base)
        return f"{said}, of the base image {base}" if base else f"{said}, of the base image"
    return f"{said}: {clipped(visible(layer.text), 120)}" if layer.text else said


def solution(finding: Finding) -> str:
    """What mends it, in a sentence; empty where nothing is to be said."""
    fixed = visible(" or ".join(finding.fixed))
    if finding.kind == "vulnerability":
        if fixed:
            return f"Update {visible(finding.name)} to {fixed}."
        if finding.status == "wont-fix":
            return "It will not be mended in this release."
        return "There is no fixed version yet."
    if finding.kind == "end-of-life":
        return f"Change over to {fixed}." if fixed else ""
    return visible(finding.note) if finding.kind in ("secret", "misconfiguration") else ""


def rule(finding: Finding) -> str:
    """The name of what is found out about, that all findings of it share."""
    return clipped(visible(f"licence:{finding.id}" if finding.kind == "licence" else finding.id), 200)


def about(finding: Finding) -> str:
    """What such findings are about, in words that hold for each of them."""
    if finding.kind == "secret":
        return f"The image gives away {visible(finding.name)}"
    if finding.kind == "misconfiguration":
        from kezuri.scan.misconfiguration import summary_of

        return visible(summary_of(finding.id) or finding.title)
    return visible(finding.title) or rule(finding)


def let_pass(finding: Finding) -> tuple[str, str]:
    """Of a finding that does not count, what a VEX document says of it (`not_affected`, `fixed`), and why; the status
    is empty where somebody only bears with it."""
    said = _BY_VEX.search(finding.ignored)
    return ("", visible(finding.ignored)) if said is None else (said[1], visible(said[2] or finding.ignored))


def page(finding: Finding) -> str:
    """The address of a page about it; empty where there is none."""
    for beginning, at in _PAGES:
        if finding.id.startswith(beginning):
            return at + quote(clean(finding.id), safe="-._~")
    return next(iter(links(finding)), "")


def links(finding: Finding, most: int = 50) -> list[str]:
    """The addresses that its data names, those that are addresses, each once."""
    return [each for each in dict.fromkeys(finding.references) if _URL.match(each)][:most]


def clipped(text: str, most: int) -> str:
    """The beginning of a text."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def fingerprint(*parts: str) -> str:
    """A name for a finding that lasts from scan to scan, as hexadecimal digits."""
    return sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def unversioned(purl: str) -> str:
    """A package URL without its version and qualifiers."""
    return re.split(r"[@?#](?![^?#]*/)", purl, maxsplit=1)[0] if purl else ""


def cleaned(made: dict[str, Any]) -> dict[str, Any]:
    """A document whose texts are all text that UTF-8 can write; mostly it is one already."""
    import json

    try:
        json.dumps(made, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        found: dict[str, Any] = _cleaned(made)
        return found
    return made


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _cleaned(each) for key, each in value.items()}
    return [_cleaned(each) for each in value] if isinstance(value, list | tuple) else value
