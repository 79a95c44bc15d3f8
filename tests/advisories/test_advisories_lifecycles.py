"""Ends of lives: the table against Debian's distro-info-data, and the files that can go before it."""

import json
from pathlib import Path
from typing import Any

import pytest

from kezuri.advisories.coordinates import Distribution
from kezuri.advisories.lifecycle import Lifecycle
from kezuri.advisories.lifecycles import Lifecycles, lifecycles
from kezuri.diagnostics import KezuriError

DATA = Path(__file__).parent.parent / "data" / "advisories" / "lives"
HERE = Path("/usr/share/distro-info")
DAY = "2026-11-28"


def same(table: Lifecycles, read: Lifecycles, subject: str) -> int:
    """How many releases both have; they must agree on each."""
    others = {life.cycle: life for life in read.all(subject)}
    common = [life for life in table.all(subject) if life.cycle in others and not life.rolling]
    for life in common:
        other = others[life.cycle]._replace(source=life.source)
        assert life == other
    return len(common)


def test_the_table_says_of_debian_and_ubuntu_what_distro_info_data_says() -> None:
    read = lifecycles(str(DATA / "debian.csv"), str(DATA / "ubuntu.csv"))
    assert (same(lifecycles(), read, "debian"), same(lifecycles(), read, "ubuntu")) == (10, 29)


@pytest.mark.slow
@pytest.mark.skipif(not (HERE / "debian.csv").is_file(), reason="distro-info-data is not installed")
def test_what_is_installed_agrees_about_what_has_ended() -> None:
    """Debian's package follows what is decided later on: about what was over when the table was made, nothing is."""
    table = lifecycles()
    read = lifecycles(str(HERE / "debian.csv"), str(HERE / "ubuntu.csv"))
    over = 0
    for life in (*table.all("debian"), *table.all("ubuntu")):
        other = next((each for each in read.all(life.subject) if each.cycle == life.cycle), None)
        if other is not None and life.standing(table.date) == "ended":
            assert (other.released, other.ends) == (life.released, life.ends)
            over += 1
    assert over >= 12


@pytest.mark.parametrize(
    ("distribution", "title", "standing", "successor"),
    [
        (Distribution("debian", "12", codename="bookworm"), "Debian 12 bookworm", "extended", "Debian 13 trixie"),
        (Distribution("debian", "13.1"), "Debian 13 trixie", "supported", None),
        (Distribution("debian", "10"), "Debian 10 buster", "ended", "Debian 13 trixie"),
        (Distribution("debian", "", codename="forky"), "Debian 14 forky", "unreleased", None),
        (Distribution("debian", "", codename="sid"), "Debian sid", "rolling", None),
        (Distribution("alpine", "3.20.3"), "Alpine 3.20", "ended", "Alpine 3.24"),
        (Distribution("alpine", "3.23.0_alpha20250612"), "Alpine edge", "rolling", None),
        (Distribution("ubuntu", "20.04"), "Ubuntu 20.04 focal", "extended", "Ubuntu 24.04 noble"),
        (Distribution("ubuntu", "25.10"), "Ubuntu 25.10 questing", "ended", "Ubuntu 26.04 resolute"),
        (Distribution("ubuntu", "19.04"), "Ubuntu 19.04 disco", "ended", "Ubuntu 24.04 noble"),
        (Distribution("rhel", "9.4"), "Red Hat Enterprise Linux 9", "supported", "Red Hat Enterprise Linux 10"),
        (Distribution("centos", "7"), "CentOS 7", "ended", "CentOS 10"),
        (Distribution("amzn", "2"), "Amazon Linux 2", "ended", "Amazon Linux 2023"),
        (Distribution("wolfi", "20230201"), "Wolfi", "rolling", None),
        (
            Distribution("sles", "15.5"),
            "SUSE Linux Enterprise Server 15.5",
            "extended",
            "SUSE Linux Enterprise Server 15.7",
        ),
    ],
)
def test_distributions(distribution: Distribution, title: str, standing: str, successor: str | None) -> None:
    table = lifecycles()
    life = table.of_distribution(distribution)
    assert life is not None
    assert (life.title, life.standing(DAY)) == (title, standing)
    following = table.successor(life, DAY)
    assert (following.title if following else None) == successor


@pytest.mark.parametrize(
    ("name", "version", "title", "standing", "successor"),
    [
        ("node", "20.11.1", "Node.js 20", "ended", "Node.js 24"),
        ("node", "25.0.0", "Node.js 25", "ended", "Node.js 26"),
        ("node", "0.12.18", "Node.js 0.12", "ended", "Node.js 24"),
        ("python", "3.9.2", "Python 3.9", "ended", "Python 3.12"),
        ("cpython", "3.13.0rc1", "Python 3.13", "supported", "Python 3.14"),
        ("python", "3.1.4", "Python 3.1", "ended", "Python 3.12"),
        ("go", "go1.21rc2", "Go 1.21", "ended", "Go 1.26"),
        ("go", "1.26.2", "Go 1.26", "supported", "Go 1.27"),
        ("openjdk", "1.8.0_392", "OpenJDK 8", "supported", "OpenJDK 21"),
        ("java", "8u392", "OpenJDK 8", "supported", "OpenJDK 21"),
        ("openjdk", "23.0.1+11", "OpenJDK 23", "ended", "OpenJDK 25"),
        ("Microsoft.NETCore.App", "8.0.1", ".NET 8", "ended", ".NET 10"),
        ("ruby", "3.2.2", "Ruby 3.2", "ended", "Ruby 3.4"),
        ("php", "8.1.2", "PHP 8.1", "ended", "PHP 8.3"),
        ("postgresql", "13.4", "PostgreSQL 13", "ended", "PostgreSQL 16"),
        ("tomcat", "8.5.100", "Tomcat 8.5", "ended", "Tomcat 10.1"),
        ("rust", "1.80.1", "Rust 1.80", "ended", "Rust 1.100"),
    ],
)
def test_runtimes(name: str, version: str, title: str, standing: str, successor: str) -> None:
    table = lifecycles()
    life = table.of_runtime(name, version)
    assert life is not None
    assert (life.title, life.standing(DAY)) == (title, standing)
    following = table.successor(life, DAY)
    assert following is not None and following.title == successor


def test_rust_comes_every_six_weeks() -> None:
    table = lifecycles()
    # https://blog.rust-lang.org: days on which releases came, and so those before them ended.
    for version, released, ends in (("1.40.0", "2019-12-19", "2020-01-30"), ("1.87.0", "2025-05-15", "2025-06-26")):
        life = table.of_runtime("rust", version)
        assert life is not None and (life.released, life.ends) == (released, ends)


def test_the_day_on_which_it_ends_is_the_last() -> None:
    life = Lifecycle("x", "1", "X 1", "2020-01-01", "2024-02-29", "2025-02-28")
    days = ("2019-12-31", "2020-01-01", "2024-02-29", "2024-03-01", "2025-02-28T23:59:59Z", "2025-03-01")
    standings = ["unreleased", "supported", "supported", "extended", "extended", "ended"]
    assert [life.standing(day) for day in days] == standings


def test_what_is_not_in_the_table() -> None:
    table = lifecycles()
    for distribution in (
        Distribution(),
        Distribution("debian", "99"),
        Distribution("nobody", "1"),
        Distribution("ubuntu"),
    ):
        assert table.of_distribution(distribution) is None
    for name, version in (
        ("node", ""),
        ("node", "x"),
        ("node", "99.1"),
        ("nginx", "1"),
        ("rust", "nightly"),
        ("python", "9" * 9999),
    ):
        assert table.of_runtime(name, version) is None


def written(path: Path, value: Any) -> str:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def test_files_of_endoflife_date_go_before_the_table(tmp_path: Path) -> None:
    old = [
        {"cycle": "20", "releaseDate": "2023-04-18", "eol": "2027-01-01", "lts": "2023-10-24", "latest": "20.1.0"},
        {"cycle": "3", "eol": True, "latestReleaseDate": "2015-09-15", "lts": False},
        {"cycle": 7}, 7, {"cycle": "\x1b[2J"}, {},
    ]  # fmt: skip
    release = {"name": "3.20", "codename": None, "releaseDate": "2024-05-22", "isEol": False, "eolFrom": "2030-01-01"}
    new = {"schema_version": "1.2.0", "generated_at": "2027-02-03T00:00:00+00:00"}
    product = {"name": "alpine-linux", "releases": [release, None]}
    table = lifecycles(written(tmp_path / "nodejs.json", old), written(tmp_path / "x.json", {**new, "result": product}))
    node, three = table.of_runtime("node", "20.1.1"), table.of_runtime("node", "3.0.0")
    assert node is not None and (node.title, node.ends, node.source) == (
        "Node.js 20",
        "2027-01-01",
        "https://endoflife.date",
    )
    assert three is not None and (three.ends, three.long_term) == ("2015-09-15", False)
    alpine = table.of_distribution(Distribution("alpine", "3.20.1"))
    assert alpine is not None and alpine.ends == "2030-01-01"
    assert table.date == "2027-02-03"
    assert table.of_runtime("node", "18.0.0") == lifecycles().of_runtime("node", "18.0.0")
    both = lifecycles(written(tmp_path / "full.json", {**new, "result": [product, {"name": 7}, None]}))
    assert both.of_distribution(Distribution("alpine", "3.20.1")) == alpine


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "[[[", "a,b\n1,2\n", '{"result": 7}', "version,series,release,eol\n", "\0"]
)
def test_files_that_tell_of_no_ends(tmp_path: Path, content: str) -> None:
    with pytest.raises(KezuriError, match=r"tells of no ends|no JSON"):
        lifecycles(written(tmp_path / "x.json", content))
