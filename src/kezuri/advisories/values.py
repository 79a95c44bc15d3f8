"""An advisory as a value: what it says, of which packages, and how urgent it is."""

from typing import Literal, NamedTuple

from kezuri.versions.ranges import Event

Severity = Literal["critical", "high", "medium", "low", "unknown"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "unknown")
"""The worst first."""

Status = Literal["affected", "wont-fix", "not-affected", "undetermined"]
"""What the keeper of the data says of a package: `affected` by the versions in its ranges; `wont-fix`: it is, and will
not be mended in this release; `not-affected`: whatever its version; `undetermined`: nobody has looked yet."""


class Advisory(NamedTuple):
    """What one advisory says. `id` is its own (CVE-…, GHSA-…, PYSEC-…), `data` the name of the data set that it is of
    (see `DataSet`), `aliases` what others call the same fault. `severity` is in the words of who keeps the data, and
    `unknown` where these say nothing; `vectors` are CVSS vectors as they are written, `score` the highest base score of
    them, 0 where there is none. Times are RFC 3339, empty where they are not known. `kind` is empty, or what RustSec
    and others tell of that is no fault: `unmaintained`, `unsound`, `notice`, `malicious`."""

    id: str
    data: str
    aliases: tuple[str, ...] = ()
    summary: str = ""
    severity: Severity = "unknown"
    vectors: tuple[str, ...] = ()
    score: float = 0.0
    published: str = ""
    modified: str = ""
    withdrawn: str = ""
    references: tuple[str, ...] = ()
    kind: str = ""


class Affected(NamedTuple):
    """A package that an advisory is about. `ecosystem` is OSV's word without a release (`PyPI`, `npm`, `Go`,
    `crates.io`, `Maven`, `RubyGems`, `Packagist`, `NuGet`, `Debian`, `Ubuntu`, `Alpine`, `Wolfi`, `Chainguard`, `Rocky
    Linux`, `AlmaLinux`, `Red Hat`, …) or `runtime` for interpreters and toolchains; `release` that of a distribution as
    OSV has it (`12`, `v3.20`), empty elsewhere. `name` is as `coordinates` gives it: a distribution's source package, a
    name normalised as its ecosystem does. A version is affected that one of `ranges` holds, or that `versions` lists.
    `severity` is what the data says of this package, `unknown` where it says nothing apart from its advisory."""

    ecosystem: str
    release: str
    name: str
    ranges: tuple[tuple[Event, ...], ...] = ()
    versions: tuple[str, ...] = ()
    status: Status = "affected"
    severity: Severity = "unknown"


class Entry(NamedTuple):
    """An advisory with all the packages that it is about: what a reader of a format gives."""

    advisory: Advisory
    affected: tuple[Affected, ...]


class Signal(NamedTuple):
    """How urgent a fault is, by its CVE: since when it is known to be exploited (a date, empty where it is not),
    whether by ransomware, and the chance that it will be within 30 days (EPSS, 0 to 1; -1 where it is not known)."""

    cve: str
    exploited: str = ""
    ransomware: bool = False
    chance: float = -1.0


class DataSet(NamedTuple):
    """Data of one origin in a database. `name` is unique in it (`osv/PyPI`, `debian`, `alpine/v3.20`, `rustsec`,
    `node`, `kev`, `epss`); `address` is where it came from, a URL or a path; `date` that of the data itself, `fetched`
    when it was put here (RFC 3339); `entries` its advisories or signals; `licence` that of the data, as far as it is
    known."""

    name: str
    address: str
    date: str
    fetched: str
    entries: int
    licence: str = ""
    ecosystems: tuple[tuple[str, str], ...] = ()
    """What it tells of, as pairs of ecosystem and release: where a pair is missing, no answer is not 'nothing
    known'."""
    checked: str = ""
    """When its server last said that this is what it still has (RFC 3339); empty where it was only brought along."""
