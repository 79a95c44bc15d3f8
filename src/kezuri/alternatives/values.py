"""What is told of a base image and of those that could replace it, as values."""

from typing import Literal, NamedTuple

from kezuri.advisories.coordinates import Distribution
from kezuri.advisories.values import DataSet, Severity
from kezuri.packages.package import SYSTEM, Package

Way = Literal["same", "newer", "distroless"]
"""How a tag would replace the base: with the `same` line of versions, a `newer` one, or without a distribution's
programs."""
Libc = Literal["glibc", "musl", "none", ""]
Refresh = Literal["current", "newer", "gone", "unknown"]
"""Whether the registry has another image by the base's tag than the one that is used: `gone` where it has none."""
Source = Literal["layers", "sbom", "kept"]
"""Where the packages of an image were read: in its layers, in an attached bill, or when it was looked at before."""


class Contents(NamedTuple):
    """What is in an image, as far as its distribution's records and the variables of its config tell. `read` is how
    many bytes came over the network for it, of `size` that its layers have. `digest` is empty where it is a part of an
    image that has none of its own here."""

    digest: str
    created: str
    size: int
    distribution: Distribution
    packages: tuple[Package, ...]
    source: Source = "layers"
    read: int = 0
    told: tuple[str, ...] = ()

    @property
    def libc(self) -> Libc:
        """Which C library it has, by its packages and its distribution."""
        names = {package.name for package in self.packages if package.ecosystem in SYSTEM}
        if "musl" in names or self.distribution.id == "alpine":
            return "musl"
        if names & {"libc6", "glibc", "libc6-amd64"}:
            return "glibc"
        return "none" if self.distribution.id and not names & {"libc-bin"} else ""

    @property
    def shell(self) -> bool:
        """Whether one of its packages is a shell."""
        return any(package.name in _SHELLS for package in self.packages)

    @property
    def runtimes(self) -> tuple[Package, ...]:
        """What no package manager put there."""
        return tuple(package for package in self.packages if package.ecosystem == "generic")

    def lacks_runtime(self, name: str) -> bool:
        """Whether the image of this name has a runtime that neither records nor variables tell of, as distroless ones
        do."""
        runtime = next((word for word in _UNTOLD if f"/distroless/{word}" in name), "")
        return (
            bool(runtime) and not self.runtimes and not any(p.name.startswith(_UNTOLD[runtime]) for p in self.packages)
        )


_UNTOLD = {"nodejs": ("nodejs",), "java": ("openjdk", "temurin")}
"""Runtimes of distroless images, and how packages begin that hold them."""
_SHELLS = frozenset(("bash", "dash", "busybox", "busybox-binsh", "zsh", "ksh", "mksh"))


class Counts(NamedTuple):
    """How many faults are known, each once however many packages have it, by severity; `fixable` of them by newer
    packages of the same release, `exploited` of them known to be. `partial`: of some packages there is no data, or they
    cannot be compared, so that there may be more."""

    critical: int
    high: int
    medium: int
    low: int
    unknown: int = 0
    fixable: int = 0
    exploited: int = 0
    partial: bool = False

    @property
    def total(self) -> int:
        """All of them."""
        return self.critical + self.high + self.medium + self.low + self.unknown

    @property
    def badness(self) -> tuple[int, int, int, int, int]:
        """What is compared: the worst first."""
        return self.critical, self.high, self.medium, self.low, self.unknown

    def of(self, severity: Severity) -> int:
        """How many of one severity."""
        return {
            "critical": self.critical,
            "high": self.high,
            "medium": self.medium,
            "low": self.low,
            "unknown": self.unknown,
        }[severity]


class End(NamedTuple):
    """When the life of a part of an image ends: what it is (`Debian 12 bookworm`, `Node.js 20`), the day when its
    makers stop mending it (RFC 3339), and whether that is `past`. `extended` is the day when those stop who go on after
    them, empty for none; `over`: nobody goes on."""

    title: str
    day: str
    past: bool
    extended: str = ""
    over: bool = False


class Row(NamedTuple):
    """An image of the table: its name, how it would replace the base, and what it is. `also` are other names of the
    same image. `counts` is None where nothing could be counted; `absent` says why there is nothing of it at all."""

    name: str
    way: Way = "same"
    contents: Contents | None = None
    counts: Counts | None = None
    ends: tuple[End, ...] = ()
    libc: Libc = ""
    shell: bool = True
    also: tuple[str, ...] = ()
    absent: str = ""


class Base(NamedTuple):
    """The base that an image stands on or a Dockerfile names. `how` says how that is known; `layers` is how many of the
    image's layers are the base's, -1 for a Dockerfile's; `refresh` whether there is a newer build by its tag, and
    `newest` that one. `made` is false where the catalogue of official images does not have its tag any more."""

    name: str
    how: str
    row: Row
    layers: int = -1
    refresh: Refresh = "unknown"
    newest: Row | None = None
    made: bool | None = None
    why: str = ""
    dockerfile: str = ""
    line: int = 0


class Advice(NamedTuple):
    """All that is told: the base, the rows of what could replace it, the best first, which data was asked (none where
    there is no database, of which `no_data` tells), and what could not be found out."""

    subject: str
    platform: str
    base: Base
    rows: tuple[Row, ...]
    data: tuple[DataSet, ...]
    catalogue: str
    no_data: str = ""
    told: tuple[str, ...] = ()
    left_out: int = 0

    @property
    def best(self) -> Row | None:
        """The first of the rows that is better than the base: fewer faults of the worst severity at which they differ;
        None where there is none, or nothing could be counted in full."""
        own = self.base.row.counts
        if own is None or own.partial:
            return None
        whole = ((row, row.counts) for row in self.rows if row.counts is not None and not row.counts.partial)
        return next((row for row, counts in whole if counts.badness < own.badness), None)
