"""Scans that the forms are tried with: one of everything, one of what others may have named so on purpose, and none."""

from kezuri.advisories.coordinates import Distribution
from kezuri.advisories.values import DataSet, Signal
from kezuri.packages.package import Package
from kezuri.sbom.values import Bill, BillLayer, Component
from kezuri.scan.values import Finding, Remedy, Report

AT = "2026-11-28T12:00:00Z"
HOSTILE = "a\x1b[31m|`<b>&\"'%\r\n::error::x]]>\u202e\udcff"
DIGEST = "sha256:" + "ab" * 32

LAYERS = (
    BillLayer("sha256:" + "1" * 64, "ADD rootfs.tar /", of_base=True),
    BillLayer("sha256:" + "2" * 64, "RUN npm ci", "sub/Dockerfile", 7),
    BillLayer("sha256:" + "3" * 64, "COPY . .", "sub/Dockerfile", 9),
)
COMPONENTS = (
    Component(
        Package("deb", "libssl3", "3.0.11-1", architecture="amd64", source="openssl"), 0, ("var/lib/dpkg/status",)
    ),
    Component(Package("npm", "x", "1.0.0", namespace="@scope", licence="MIT"), 1, ("app/node_modules/@scope/x",)),
    Component(Package("npm", "x", "0.9.0", namespace="@scope"), 1, ("app/node_modules/y/node_modules/@scope/x",)),
    Component(Package("golang", "github.com/a/b", "v1.0.0"), 2, ("app/server",)),
)
FINDINGS = (
    Finding(
        "vulnerability",
        "CVE-2024-1",
        "a buffer is read beyond its end",
        "high",
        0,
        "libssl3",
        "3.0.11-1",
        ("3.0.11-1~deb12u3",),
        aliases=("DSA-1-1",),
        layer=0,
        purl="pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12",
        data="debian",
        score=9.8,
        vectors=("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H",),
        signal=Signal("CVE-2024-1", "2024-03-01", True, 0.9321),
        references=("https://example.com/advisory", "javascript:alert(1)", "https://example.com/advisory"),
    ),
    Finding(
        "vulnerability",
        "GHSA-aaaa-bbbb-cccc",
        "prototypes are polluted",
        "critical",
        1,
        "@scope/x",
        "1.0.0",
        ("1.0.1", "2.0.0"),
        aliases=("CVE-2024-2",),
        layer=1,
        purl="pkg:npm/%40scope/x@1.0.0",
        data="osv/npm",
        score=9.1,
    ),
    Finding(
        "vulnerability",
        "GHSA-aaaa-bbbb-cccc",
        "prototypes are polluted",
        "critical",
        2,
        "@scope/x",
        "0.9.0",
        ("1.0.1",),
        aliases=("CVE-2024-2",),
        layer=1,
        purl="pkg:npm/%40scope/x@0.9.0",
        data="osv/npm",
        score=9.1,
    ),
    Finding(
        "vulnerability",
        "GO-2024-3",
        "",
        "unknown",
        3,
        "github.com/a/b",
        "v1.0.0",
        status="wont-fix",
        layer=2,
        purl="pkg:golang/github.com/a/b@v1.0.0",
        data="osv/Go",
    ),
    Finding(
        "vulnerability",
        "CVE-2024-4",
        "somebody bears it",
        "medium",
        0,
        "libssl3",
        "3.0.11-1",
        purl="pkg:deb/debian/libssl3@3.0.11-1",
        layer=0,
        ignored="not reachable, until 2027-01-01",
    ),
    Finding(
        "end-of-life", "debian:10", "Debian 10 gets no more updates since 2024-06-30", "high", note="update the base"
    ),
    Finding(
        "secret",
        "npm-token",
        "/app/.npmrc holds a token for a package registry, which `RUN rm .npmrc` only hides",
        "critical",
        name="a token for a package registry",
        layer=2,
        path="app/.npmrc",
        line=3,
        note="take it back where it was given out",
    ),
    Finding(
        "misconfiguration",
        "MissingUser",
        "the image runs as root",
        "medium",
        aliases=("DS-0002",),
        note="add USER node",
        references=("https://example.com/DS-0002",),
    ),
    Finding(
        "licence",
        "AGPL-3.0-only",
        "the licence AGPL-3.0-only is forbidden by AGPL-*",
        "critical",
        1,
        "@scope/x",
        "1.0.0",
        layer=1,
        note="forbidden: AGPL-*",
    ),
)
BILL = Bill(
    "r.example.com/team/app:1",
    "image",
    DIGEST,
    "linux/amd64",
    "2026-01-02T03:04:05Z",
    Distribution("debian", "12", "Debian GNU/Linux 12 (bookworm)", "bookworm"),
    LAYERS,
    COMPONENTS,
    "node:20",
)
DATA = (DataSet("debian", "https://security-tracker.debian.org/tracker/data/json", "2026-11-27", AT, 40_000),)
REPORT = Report(
    BILL.name,
    "image",
    DIGEST,
    "linux/amd64",
    "Debian GNU/Linux 12 (bookworm)",
    LAYERS,
    len(COMPONENTS),
    FINDINGS,
    (Remedy("none", "", tuple(range(len(FINDINGS)))),),
    DATA,
    "node:20",
    ("one layer could not be read",),
)
NOTHING_BILL = BILL._replace(components=(), distribution=Distribution(), layers=(), digest="", base="")
NOTHING = REPORT._replace(
    components=0, findings=(), remedies=(), layers=(), digest="", base="", distribution="", told=(), data=()
)


def _hostile(finding: Finding) -> Finding:
    return finding._replace(
        id=f"{finding.id}-{HOSTILE}",
        title=HOSTILE,
        name=HOSTILE,
        installed=HOSTILE,
        fixed=(HOSTILE,),
        aliases=(HOSTILE,),
        path=f"../{HOSTILE}" if finding.path else "",
        purl=f"pkg:generic/{HOSTILE}" if finding.purl else "",
        references=(f"https://example.com/{HOSTILE}", HOSTILE),
        note=HOSTILE,
        ignored=HOSTILE if finding.ignored else "",
        vectors=(HOSTILE,),
    )


NASTY_BILL = BILL._replace(
    name=HOSTILE,
    layers=tuple(layer._replace(text=HOSTILE, dockerfile=f"/../{HOSTILE}") for layer in LAYERS),
    components=tuple(
        each._replace(package=each.package._replace(name=HOSTILE, version=HOSTILE), evidence=(HOSTILE,))
        for each in COMPONENTS
    ),
)
NASTY = REPORT._replace(
    name=HOSTILE,
    distribution=HOSTILE,
    layers=NASTY_BILL.layers,
    findings=tuple(map(_hostile, FINDINGS)),
    base=HOSTILE,
    told=(HOSTILE,),
)
DIRECTORY_BILL = BILL._replace(name="project", kind="directory", layers=(), digest="", base="")
DIRECTORY = REPORT._replace(
    name="project",
    kind="directory",
    layers=(),
    digest="",
    base="",
    findings=tuple(finding._replace(layer=-1) for finding in FINDINGS),
)
EVERY = ((REPORT, BILL), (NOTHING, NOTHING_BILL), (NASTY, NASTY_BILL), (DIRECTORY, DIRECTORY_BILL))
