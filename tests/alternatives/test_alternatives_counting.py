"""What is counted of an image: each fault once by its worst severity, and no number where nobody looked."""

from pathlib import Path

import pytest
from tests.app.base_layouts import database, fault

from kezuri.advisories.coordinates import Distribution
from kezuri.advisories.database import Database
from kezuri.advisories.lifecycles import lifecycles
from kezuri.advisories.values import Signal
from kezuri.alternatives.counting import Counted, counted, ends
from kezuri.alternatives.values import Advice, Base, Contents, Counts, Row
from kezuri.packages.package import Package
from kezuri.sbom.foreign import Origins

DEBIAN = Distribution("debian", "12", "Debian GNU/Linux 12 (bookworm)", "bookworm")
LIBRARIES = (
    Package("deb", "libssl3", "3.0-1", source="openssl"),
    Package("deb", "openssl", "3.0-1"),
    Package("deb", "zlib1g", "1.2", source="zlib"),
)
PYTHON = Package("generic", "python", "3.12.1")
NODE = Package("generic", "node", "20.1.0")


def contents(*packages: Package, distribution: Distribution = DEBIAN) -> Contents:
    return Contents("sha256:" + "0" * 64, "2026-01-01T00:00:00Z", 1000, distribution, packages)


@pytest.fixture
def path(tmp_path: Path) -> str:
    unmended = fault("CVE-2026-3", "Debian", "12", "zlib", "", "low")
    nobody_knows = fault("CVE-2026-6", "Debian", "12", "openssl", "", "critical")
    notice = fault("CVE-2026-7", "Debian", "12", "openssl", "", "critical")
    return database(
        tmp_path / "advisories.db",
        fault("CVE-2026-1", "Debian", "12", "openssl", "3.0-2", "high"),
        fault("CVE-2026-2", "Debian", "12", "openssl", "3.0-1", "critical"),
        unmended._replace(affected=(unmended.affected[0]._replace(status="wont-fix"),)),
        fault("CVE-2026-4", "runtime", "", "node", "20.2.0", "critical"),
        fault("CVE-2026-5", "Debian", "12", "unknown-to-it", "", "unknown"),
        nobody_knows._replace(affected=(nobody_knows.affected[0]._replace(status="undetermined"),)),
        notice._replace(advisory=notice.advisory._replace(kind="unmaintained")),
        Signal("CVE-2026-1", "2026-08-02"),
        Signal("CVE-2026-3", chance=0.5),
    )


def count(path: str, image: Contents) -> Counted:
    with Database.open(path) as found:
        return counted(found, image)


def test_each_fault_counts_once_and_those_that_nobody_mends_count(path: str) -> None:
    found = count(path, contents(*LIBRARIES, NODE))
    assert found.counts is not None and found.counts.total == 3
    assert found == (Counts(1, 1, 0, 1, fixable=2, exploited=1), "")


def test_packages_from_elsewhere_are_none_of_the_distributions(path: str) -> None:
    elsewhere = Package("deb", "openssl", "2.0-1~bookworm")
    with Database.open(path) as database:
        found = counted(database, contents(*LIBRARIES[2:], elsewhere), Origins(DEBIAN).foreign)
        assert found.counts == Counts(0, 0, 0, 1)
        assert found.why == "1 of its packages are from elsewhere than the distribution"
        assert counted(database, contents(elsewhere), Origins(DEBIAN).foreign).counts is None


def test_no_number_where_nobody_looked(path: str) -> None:
    assert count(path, contents()) == (None, "no record of packages was found in it")
    other = Distribution("debian", "11", "Debian GNU/Linux 11 (bullseye)")
    assert count(path, contents(*LIBRARIES, distribution=other)) == (None, "the database has no data about Debian 11")
    nobody = Distribution()
    assert count(path, contents(*LIBRARIES, distribution=nobody)) == (None, "its distribution is not known")
    unknown = Distribution("plan9", "4")
    assert count(path, contents(*LIBRARIES, distribution=unknown)) == (None, "the database has no data about plan9 4")
    in_part = count(path, contents(*LIBRARIES, NODE, distribution=nobody))
    assert in_part == (Counts(1, 0, 0, 0, fixable=1, partial=True), "its distribution is not known")
    assert count(path, contents(PYTHON)) == (None, "the database has no data about python itself")


def test_what_was_asked_in_part_is_marked(path: str) -> None:
    other = Distribution("debian", "11", "Debian GNU/Linux 11 (bullseye)")
    found = count(path, contents(*LIBRARIES, NODE, distribution=other))
    assert found == (Counts(1, 0, 0, 0, fixable=1, partial=True), "the database has no data about Debian 11")
    told = count(path, contents(*LIBRARIES, PYTHON))
    assert told == (Counts(0, 1, 0, 1, fixable=1, exploited=1), "the database has no data about python itself")
    odd = count(path, contents(*LIBRARIES, Package("deb", "zlib", "")))
    assert odd.counts is not None and odd.counts.partial and "cannot be compared" in odd.why


def test_a_row_counted_in_part_is_never_the_best() -> None:
    own = Row("a", counts=Counts(1, 0, 0, 0))
    rows = (Row("b", counts=Counts(0, 0, 0, 0, partial=True)), Row("c"), Row("d", counts=Counts(0, 9, 0, 0)))
    advice = Advice("a", "linux/amd64", Base("a", "named", own), rows, (), "")
    assert advice.best == rows[2]
    doubted = own._replace(counts=Counts(1, 0, 0, 0, partial=True))
    assert advice._replace(base=Base("a", "named", doubted)).best is None
    assert advice._replace(rows=rows[:2]).best is None


def test_ends_of_distribution_and_runtimes() -> None:
    found = ends(contents(*LIBRARIES, NODE), lifecycles(), "2026-11-28")
    assert [(end.day, end.past, end.over) for end in found] == [
        ("2026-07-11", True, False),
        ("2026-04-30", True, True),
    ]
    for nothing in (Distribution("plan9", "4"), Distribution("wolfi", "20230201")):
        assert not ends(contents(distribution=nothing), lifecycles(), "2026-11-28")
