"""Packages held against advisories: what is told of them, once, and what could not be asked."""

from pathlib import Path
from typing import Any

from tests.advisories.advisories_memory import Memory

from kezuri.advisories.coordinates import Distribution
from kezuri.advisories.database import Database
from kezuri.advisories.matching import Match, match
from kezuri.advisories.values import Advisory, Affected, Entry, Severity, Signal, Status
from kezuri.advisories.writing import write
from kezuri.packages.package import Package
from kezuri.versions.ranges import Event

BOOKWORM = Distribution("debian", "12", "Debian GNU/Linux 12 (bookworm)", "bookworm")


def range_of(introduced: str, fixed: str = "", last: str = "") -> tuple[Event, ...]:
    ends = (Event("fixed", fixed),) if fixed else (Event("last_affected", last),) if last else ()
    return (Event("introduced", introduced), *ends)


def entry(
    name: str,
    place: tuple[str, str, str],
    *ranges: tuple[Event, ...],
    aliases: tuple[str, ...] = (),
    severity: Severity = "unknown",
    status: Status = "affected",
    versions: tuple[str, ...] = (),
    score: float = 0.0,
) -> Entry:
    affected = Affected(*place, ranges=ranges, versions=versions, status=status, severity=severity)
    return Entry(Advisory(name, "test", aliases, score=score), (affected,))


def told(matches: tuple[Match, ...]) -> list[tuple[int, str, tuple[str, ...]]]:
    return [(each.package, each.advisory.id, each.fixed) for each in matches]


def test_a_package_of_a_distribution_is_judged_by_its_source() -> None:
    packages = [
        Package("deb", "libssl3", "3.0.11-1~deb12u1", source="openssl", source_version=""),
        Package("deb", "libc-bin", "2.36-9+deb12u1+b1", source="glibc", source_version="2.36-9+deb12u1"),
    ]
    data = Memory(
        [
            entry("CVE-1", ("Debian", "12", "openssl"), range_of("0", "3.0.11-1~deb12u2"), severity="high"),
            entry("CVE-2", ("Debian", "12", "openssl"), range_of("0", "3.0.11-1~deb12u1")),
            entry("CVE-3", ("Debian", "12", "glibc"), range_of("0", "2.36-9+deb12u1")),
            entry("CVE-4", ("Debian", "11", "openssl"), range_of("0")),
            entry("CVE-5", ("Debian", "12", "libssl3"), range_of("0")),
        ]
    )
    found = match(data, packages, BOOKWORM)
    assert told(found.matches) == [(0, "CVE-1", ("3.0.11-1~deb12u2",))]
    assert found.matches[0].severity == "high"
    assert found.matches[0].at.name == "openssl"
    assert (found.uncovered, found.unordered) == ((), ())


def test_data_of_another_distribution_or_release_says_nothing_and_that_is_told() -> None:
    packages = [Package("deb", "openssl", "1"), Package("deb", "curl", "1"), Package("npm", "x", "1.0.0")]
    data = Memory([entry("CVE-4", ("Debian", "12", "openssl"), range_of("0"))])
    found = match(data, packages, Distribution("raspbian", "12"))
    assert found.matches == ()
    assert found.uncovered == (("npm", "", 1), ("raspbian", "12", 2))
    found = match(data, packages, Distribution())
    assert found.uncovered == (("deb", "", 2), ("npm", "", 1))


def test_a_runtime_that_no_advisory_names_is_told() -> None:
    data = Memory([entry("CVE-1", ("runtime", "", "node"), range_of("18.0.0", "18.2.0"))])
    packages = [Package("generic", "node", "18.1.0"), Package("generic", "openjdk", "17.0.1")]
    found = match(data, packages, BOOKWORM)
    assert told(found.matches) == [(0, "CVE-1", ("18.2.0",))]
    assert found.uncovered == (("runtime", "openjdk", 1),)


def test_one_fault_is_told_once_by_the_keeper_of_the_ecosystem() -> None:
    place = ("PyPI", "", "jinja2")
    data = Memory(
        [
            entry("GHSA-a", place, range_of("0", "2.11.3"), aliases=("CVE-1",), severity="high", score=7.5),
            entry("PYSEC-1", place, range_of("0", "2.11.3"), aliases=("CVE-1", "GHSA-a")),
            entry("PYSEC-2", place, range_of("0", "2.10.1")),
        ],
        [Signal("CVE-1", "2024-01-02", False, 0.5)],
    )
    found = match(data, [Package("pypi", "Jinja2", "2.10")], Distribution())
    assert told(found.matches) == [(0, "PYSEC-1", ("2.11.3",)), (0, "PYSEC-2", ("2.10.1",))]
    first = found.matches[0]
    assert first.advisory.aliases == ("CVE-1", "GHSA-a")
    assert (first.severity, first.advisory.score) == ("high", 7.5)
    assert first.signal == Signal("CVE-1", "2024-01-02", False, 0.5)


def test_what_mends_it_is_said_by_the_keeper_else_by_others_and_in_order() -> None:
    place, packages = ("PyPI", "", "jinja2"), [Package("pypi", "jinja2", "1.0")]
    keeper = entry("PYSEC-1", place, range_of("1.0", "1.10"), range_of("0", "1.9"), aliases=("CVE-1",), score=9.8)
    other = entry("GHSA-a", place, range_of("0", "1.11"), aliases=("CVE-1",), severity="medium")
    (found,) = match(Memory([other, keeper]), packages, Distribution()).matches
    assert (found.advisory.id, found.fixed, found.severity) == ("PYSEC-1", ("1.9", "1.10"), "medium")
    silent = entry("PYSEC-1", place, range_of("0"), aliases=("CVE-1",), score=9.8)
    (found,) = match(Memory([other, silent]), packages, Distribution()).matches
    assert (found.advisory.id, found.fixed) == ("PYSEC-1", ("1.11",))


def test_an_update_for_several_faults_does_not_make_them_one() -> None:
    place = ("Debian", "12", "openssl")
    faults = [entry(f"CVE-{n}", place, range_of("0", "2")) for n in (1, 2)]
    update = entry("DSA-1", place, range_of("0", "2"), aliases=("CVE-1", "CVE-2"))
    more = entry("DSA-2", place, range_of("0", "2"), aliases=("CVE-2", "CVE-3"))
    packages = [Package("deb", "openssl", "1")]
    found = match(Memory([update, *faults]), packages, BOOKWORM)
    assert [each.advisory.id for each in found.matches] == ["CVE-1", "CVE-2"]
    found = match(Memory([more, *faults]), packages, BOOKWORM)
    assert [each.advisory.id for each in found.matches] == ["CVE-1", "CVE-2", "DSA-2"]
    found = match(Memory([update]), packages, BOOKWORM)
    assert [each.advisory.id for each in found.matches] == ["DSA-1"]


def test_two_cves_are_two_faults_whatever_name_they_share() -> None:
    place = ("PyPI", "", "parlai")
    data = Memory(
        [
            entry("PYSEC-1", place, range_of("0"), aliases=("CVE-1", "GHSA-a", "GHSA-b")),
            entry("PYSEC-2", place, range_of("0"), aliases=("CVE-2", "GHSA-a")),
            entry("GHSA-b", place, range_of("0"), aliases=("CVE-1",)),
            entry("GHSA-a", place, range_of("0"), aliases=("CVE-2",)),
            entry("GHSA-c", place, range_of("0"), aliases=("PYSEC-3",)),
            entry("PYSEC-3", place, range_of("0")),
            entry("PYSEC-4", place, range_of("0"), aliases=("GHSA-d",)),
            entry("PYSEC-5", place, range_of("0"), aliases=("GHSA-d",)),
            entry("GHSA-d", place, range_of("0")),
            entry("PYSEC-6", place, range_of("0"), aliases=("PYSEC-7",)),
            entry("PYSEC-7", place, range_of("0")),
            entry("PYSEC-8", place, range_of("0"), aliases=("CVE-8", "CVE-9", "GHSA-e")),
            entry("PYSEC-9", place, range_of("0"), aliases=("CVE-8", "CVE-9", "GHSA-e")),
        ]
    )
    found = match(data, [Package("pypi", "parlai", "1")], Distribution())
    assert [each.advisory.id for each in found.matches] == [f"PYSEC-{number}" for number in (1, 2, 3, 4, 5, 6, 8)]


def test_what_the_keeper_says_apart_from_versions() -> None:
    place = ("Debian", "12", "openssl")
    data = Memory(
        [
            entry("CVE-1", place, range_of("0"), status="not-affected"),
            entry("CVE-2", place, range_of("0"), status="wont-fix", severity="low"),
            entry("CVE-3", place, status="undetermined"),
            entry("CVE-4", place),
        ]
    )
    found = match(data, [Package("deb", "openssl", "1")], BOOKWORM)
    assert [(each.advisory.id, each.status) for each in found.matches] == [
        ("CVE-2", "wont-fix"),
        ("CVE-3", "undetermined"),
    ]


def test_versions_that_cannot_be_compared_are_told_and_hide_nothing() -> None:
    place = ("npm", "", "x")
    data = Memory([entry("GHSA-1", place, range_of("0", "2.0.0")), entry("GHSA-2", place, range_of("0", "not one"))])
    packages = [Package("npm", "x", "latest"), Package("npm", "x", "1.0.0"), Package("npm", "y", "latest")]
    found = match(data, packages, Distribution())
    assert told(found.matches) == [(1, "GHSA-1", ("2.0.0",))]
    assert found.unordered == (0, 1)
    assert match(data, [Package("npm", "x", "")], Distribution()).unordered == (0,)


def test_a_version_of_a_megabyte_is_told_and_not_held_against_each_of_many() -> None:
    """Each comparison takes a second: an hour in all; there is no clock here, only patience."""
    data = Memory([entry(f"CVE-1-{n}", ("Debian", "12", "linux"), range_of("0", str(n))) for n in range(1, 3000)])
    assert match(data, [Package("deb", "linux", "1." * 500_000)], BOOKWORM).unordered == (0,)


def test_packages_of_a_kind_that_no_data_tells_of_are_told() -> None:
    data = Memory([entry("GHSA-1", ("npm", "", "x"), range_of("0"))])
    packages = [Package("swift", "x", "1"), Package("swift", "y", ""), Package("npm", "z", "", built_here=True)]
    found = match(data, packages, Distribution())
    assert (found.matches, found.uncovered, found.unordered) == ((), (("swift", "", 2),), ())


def test_packages_without_a_version_are_told_where_an_advisory_names_them() -> None:
    data = Memory(
        [
            entry("GO-1", ("Go", "", "example.com/known"), range_of("0")),
            entry("GO-2", ("Go", "", "example.com/sound"), status="not-affected"),
        ]
    )
    packages = [Package("golang", name, "", namespace="example.com") for name in ("known", "sound", "own")]
    packages.append(Package("golang", "", "", built_here=True))
    found = match(data, packages, Distribution())
    assert (found.matches, found.uncovered, found.unordered) == ((), (), (0,))


def test_listed_versions_are_found_however_they_are_written() -> None:
    data = Memory([entry("PYSEC-1", ("PyPI", "", "x"), versions=("1.0", "1.1"))])
    versions = ["1.0", "1.0.0", "1.1rc1", "1.1"]
    found = match(data, [Package("pypi", "x", version) for version in versions], Distribution())
    assert [versions[each.package] for each in found.matches] == ["1.0", "1.0.0", "1.1"]


def test_builds_of_rpm_that_are_numbered_apart_say_nothing_of_each_other() -> None:
    place = ("Rocky Linux", "8", "nodejs")
    data = Memory(
        [
            entry("RLSA-1", place, range_of("0", "1:16.20.2-3.module+el8.9.0+1654+1d9cb3e2")),
            entry("RLSA-2", place, range_of("0", "1:20.0.0-1.el8")),
            entry("RXSA-3", place, range_of("0", "1:20.0.0-1.el8.cloud.0.1")),
            entry("RLSA-4", place, range_of("0")),
        ]
    )
    rocky = Distribution("rocky", "8.9")
    for version, wanted in (
        ("1:10.0.0-1.el8", ["RLSA-2", "RLSA-4"]),
        ("1:10.0.0-1.module+el8.2.0+1+a", ["RLSA-1", "RLSA-4"]),
        ("1:10.0.0-1.el8.cloud.0.1", ["RLSA-4", "RXSA-3"]),
    ):
        found = match(data, [Package("rpm", "nodejs", version)], rocky)
        assert [each.advisory.id for each in found.matches] == wanted, version


def test_severity_without_a_vendor_is_that_of_the_score() -> None:
    place = ("npm", "", "x")
    data = Memory([entry(f"GHSA-{score}", place, range_of("0"), score=score) for score in (0.0, 3.9, 4.0, 8.9, 9.0)])
    found = match(data, [Package("npm", "x", "1.0.0")], Distribution())
    assert [(each.advisory.score, each.severity) for each in found.matches] == [
        (9.0, "critical"),
        (8.9, "high"),
        (4.0, "medium"),
        (3.9, "low"),
        (0.0, "unknown"),
    ]


def test_what_osv_repeats_of_a_distribution_says_how_severe_a_fault_is_and_no_more(tmp_path: Path) -> None:
    def told_by(data: str, name: str, fixed: str, *aliases: str, **said: Any) -> Entry:
        affected = Affected("Debian", "12", "openssl", (range_of("0", fixed),))
        return Entry(Advisory(name, data, aliases, **said), (affected,))

    repeated = [
        # Of DSA-1, which comes first and has no score, and of DEBIAN-CVE-2024-1000.
        told_by("osv/Debian", "CVE-2024-1000", "2"),
        told_by("osv/Debian", "CVE-2024-1000", "2", "DEBIAN-CVE-2024-1000", score=9.8),
        # The tracker says meanwhile that this is mended, and knows nothing of that.
        told_by("osv/Debian", "CVE-2024-2000", "", score=9.8),
        told_by("osv/Debian", "CVE-2024-3000", "2", score=9.8),
    ]
    own = [told_by("debian", "CVE-2024-1000", "3"), told_by("debian", "CVE-2024-2000", "0.9")]
    packages = [Package("deb", "openssl", "1")]
    for number, (entries, wanted) in enumerate(
        (
            ((*repeated, *own), [("CVE-2024-1000", "critical", ("3",))]),
            ((*own, *repeated), [("CVE-2024-1000", "critical", ("3",))]),
            (own, [("CVE-2024-1000", "unknown", ("3",))]),
            (
                repeated,
                [(f"CVE-2024-{each}000", "critical", ("2",) if each != 2 else ()) for each in (1, 2, 3)],
            ),
        )
    ):
        write(f"{tmp_path}/{number}.db", *entries)
        with Database.open(f"{tmp_path}/{number}.db") as database:
            found = match(database, packages, BOOKWORM).matches
        assert [(each.advisory.id, each.severity, each.fixed) for each in found] == wanted, number
