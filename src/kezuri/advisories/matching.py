"""Packages held against a database: which are affected by what, and which version mends it."""

from collections.abc import Sequence
from typing import NamedTuple

from kezuri.advisories.coordinates import Coordinates, Distribution
from kezuri.advisories.database import Database
from kezuri.advisories.values import Advisory, Severity, Signal, Status
from kezuri.packages.package import Package


class Match(NamedTuple):
    """A package that an advisory is about. `fixed` are the versions that mend it, those first that are nearest to the
    one that is there; `severity` is the vendor's, else by the CVSS score; `package` counts in what was given."""

    package: int
    at: Coordinates
    advisory: Advisory
    status: Status
    severity: Severity
    fixed: tuple[str, ...]
    signal: Signal | None = None


class Matched(NamedTuple):
    """The matches, and what could not be asked: `uncovered` are ecosystems and releases of which the database has no
    data, with how many packages; `unordered` packages whose version cannot be compared."""

    matches: tuple[Match, ...]
    uncovered: tuple[tuple[str, str, int], ...]
    unordered: tuple[int, ...]


def match(database: Database, packages: Sequence[Package], distribution: Distribution) -> Matched:
    """What is known about the packages. Of several advisories about one fault (aliases of each other) one is told, by
    whoever keeps the data of the package's own ecosystem."""
    raise NotImplementedError((database, packages, distribution))
