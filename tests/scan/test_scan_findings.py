"""What the room `scan` makes of matches: findings, their order, and what there is to do."""

import random
import subprocess

import pytest
from tests.scan.scan_samples import BILL, COMPONENTS, fault, match

from kezuri.advisories.values import Signal
from kezuri.packages.package import Package
from kezuri.scan.findings import asked, named, vulnerabilities
from kezuri.scan.mending import mends, nearest_mending
from kezuri.scan.news import without_known
from kezuri.scan.remedies import remedies
from kezuri.scan.urgency import counts, exploited, ordered
from kezuri.scan.values import Finding
from kezuri.versions.order import Comparison


def numbers(one: str, other: str) -> int:
    """Versions of numbers compared, so that what is tested is not their order."""
    a, b = ([int(part) for part in text.split(".")] for text in (one, other))
    return (a > b) - (a < b)


def test_foreign_packages_are_not_asked_about() -> None:
    assert asked(BILL) == (0, 1, 2, 3)
    assert asked(BILL, ["os"]) == (0, 1)
    assert asked(BILL, ["library"]) == (2, 3)


def test_a_fault_is_called_by_its_only_cve() -> None:
    assert named("GHSA-x", ("CVE-2024-1",)) == ("CVE-2024-1", ("GHSA-x",))
    assert named("CVE-2024-1", ("GHSA-x",)) == ("CVE-2024-1", ("GHSA-x",))
    assert named("DSA-1", ("CVE-2024-1", "CVE-2024-2")) == ("DSA-1", ("CVE-2024-1", "CVE-2024-2"))
    assert named("RUSTSEC-1", ()) == ("RUSTSEC-1", ())


def test_findings_of_matches() -> None:
    found = vulnerabilities(
        BILL,
        (1, 2),
        [
            match(0, "CVE-2024-1", fixed=("7.88-2",)),
            match(1, "MAL-2024-1", "unknown", kind="malicious"),
            match(1, "CVE-2024-3", status="not-affected"),
            match(1, "CVE-2024-4", "unknown"),
        ],
    )
    assert [(each.name, each.component, each.severity, each.layer, each.path) for each in found] == [
        ("curl", 1, "high", 1, ""),
        ("lodash", 2, "critical", 2, "app/node_modules/lodash/package.json"),
        ("lodash", 2, "unknown", 2, "app/node_modules/lodash/package.json"),
    ]
    assert found[0].purl.startswith("pkg:deb/debian/curl@7.88-1?arch=amd64")
    assert found[1].purl == "pkg:npm/lodash@4.17.15"


def test_the_most_urgent_stands_first() -> None:
    wanted = [
        fault("CVE-1", "low", signal=Signal("CVE-1", "2024-01-01", True)),
        fault("CVE-2", "high", signal=Signal("CVE-2", "2024-01-01")),
        fault("CVE-3", "low", signal=Signal("CVE-3", "2024-01-01", chance=0.5)),
        fault("CVE-4", "high", signal=Signal("CVE-4", chance=0.1)),
        fault("CVE-5", "critical", signal=Signal("CVE-5", chance=0.09)),
        fault("CVE-6", "critical"),
        fault("CVE-7", "high", signal=Signal("CVE-7", chance=0.01)),
        fault("CVE-8", "medium", signal=Signal("CVE-8", chance=0.9)),
        fault("CVE-9", "low")._replace(score=3.1),
        fault("CVE-A", "low", fixed=("4.18.0",))._replace(score=3.0),
        fault("CVE-B", "low")._replace(score=3.0),
        fault("CVE-C", "critical")._replace(ignored="why"),
    ]
    for seed in range(5):
        mixed = wanted[:]
        random.Random(seed).shuffle(mixed)
        assert [each.id for each in ordered(mixed)] == [each.id for each in wanted]
    assert counts(wanted) == {"critical": 2, "high": 3, "medium": 1, "low": 5, "unknown": 0}
    assert exploited(wanted) == 3
    assert exploited([wanted[0]._replace(ignored="why")]) == 0


@pytest.mark.parametrize(
    ("version", "fixed", "mended"),
    [
        ("1.21.5", ("1.21.3", "1.22.1"), True),
        ("1.22.0", ("1.21.3", "1.22.1"), False),
        ("1.22.1", ("1.21.3", "1.22.1"), True),
        ("1.21.2", ("1.21.3", "1.22.1"), False),
        ("3.0.1", ("2.1.5", "3.0.2"), False),
        ("2.1.6", ("2.1.5", "3.0.2"), True),
        ("4.0.0", ("2.1.5", "3.0.2"), True),
        ("1.22.5", ("1.20.1", "1.22.3", "1.23.1"), True),
        ("1.22.5", ("1.20.1", "1.21.1", "1.22.7", "2.0.0"), False),
        ("10.5", ("10.4", "10.6"), False),
    ],
)
def test_lines_of_releases(version: str, fixed: tuple[str, ...], mended: bool) -> None:
    assert mends(numbers, version, fixed) is mended


@pytest.mark.parametrize(
    ("installed", "faults", "version"),
    [
        ("1.0.0", [("1.0.1",), ("1.2.0",)], "1.2.0"),
        ("2.1.0", [("2.1.5", "3.0.2"), ("3.0.1",)], "3.0.2"),
        ("2.1.0", [("2.1.5", "3.0.2"), ("2.1.6", "3.0.1")], "2.1.6"),
        ("1.9.0", [("1.8.1", "2.0.0")], "2.0.0"),
        ("1.0.0", [("1.0.1",)], "1.0.1"),
    ],
)
def test_the_nearest_version_that_mends_all(installed: str, faults: list[tuple[str, ...]], version: str) -> None:
    compare: Comparison = numbers
    assert nearest_mending(compare, installed, faults) == version


def test_hundreds_of_faults_that_the_same_releases_mend_cost_no_more_than_one() -> None:
    asked: list[tuple[str, str]] = []

    def compare(one: str, other: str) -> int:
        asked.append((one, other))
        return numbers(one, other)

    releases = [("2.4.4", "2.5.1"), ("2.6.0",), ("2.3.9", "2.7.1")]
    alone = nearest_mending(compare, "2.3.0", releases)
    once = len(asked)
    assert (nearest_mending(compare, "2.3.0", releases * 300), len(asked)) == (alone, 2 * once)


def test_remedies_say_where_each_is_mended() -> None:
    findings = ordered(
        [
            fault("CVE-1", "critical", 0, ("3.0.2-1",)),
            fault("CVE-2", "high", 0),
            fault("CVE-3", "high", 1, ("7.88-2",)),
            fault("CVE-4", "medium", 3, ("20.11.2",)),
            fault("CVE-5", "low", 1)._replace(ignored="why"),
            Finding("secret", "aws-access-key", "a key", "critical", path="app/.env"),
            Finding("end-of-life", "debian:12", "", "high", fixed=("Debian 13 trixie",)),
            Finding("licence", "GPL-3.0-only", "", "medium", 1),
        ]
    )
    found = remedies(BILL, findings)
    told = [(each.kind, each.order, [findings[number].id for number in each.findings]) for each in found]
    assert sorted(told[:-1]) == [
        ("base", "build on a newer build of node:20: kezuri build --pull", ["CVE-1", "CVE-4"]),
        ("base", "move to a base image with Debian 13 trixie", ["debian:12"]),
        ("packages", "apt-get update && apt-get install -y --only-upgrade curl", ["CVE-3"]),
        (
            "secret",
            "take the secrets out of the image, and change them: whoever has the image has them",
            ["aws-access-key"],
        ),
    ]
    assert told[-1] == ("none", "", ["CVE-2"])


@pytest.mark.parametrize(
    ("ecosystem", "name", "installed", "faults", "order"),
    [
        ("npm", "lodash", "4.17.4", [("4.17.5",), ("4.17.21",)], "npm install lodash@4.17.21"),
        ("pypi", "jinja2", "2.10", [("2.10.1", "3.0.0")], "pip install 'jinja2>=2.10.1'"),
        ("cargo", "time", "0.1.43", [("0.2.23",)], "cargo update -p time --precise 0.2.23"),
        ("golang", "golang.org/x/text", "v0.3.2", [("0.3.3",), ("0.3.8",)], "go get golang.org/x/text@v0.3.8"),
        ("golang", "golang.org/x/text", "v0.3.2", [("v0.3.3",)], "go get golang.org/x/text@v0.3.3"),
        ("golang", "stdlib", "go1.21.1", [("1.21.5",), ("go1.21.3",)], "build with Go 1.21.5"),
        ("generic", "go", "1.21.1", [("go1.21.5",)], "build with Go 1.21.5"),
        ("composer", "a/b", "1.0", [("1.1",)], "composer require 'a/b:^1.1'"),
        ("nuget", "A.B", "1.0", [("1.1",)], "dotnet add package A.B --version 1.1"),
        ("generic", "node", "20.11.1", [("20.11.2", "22.1.0")], "bring node to 20.11.2"),
        ("conan", "zlib", "1.0", [("1.1",)], "bring zlib to 1.1"),
        ("npm", "-g", "1.0.0", [("1.1.0",)], "bring -g to 1.1.0"),
        ("npm", "lodash", "4.17.4", [("4.17.5 ; x",)], "bring lodash to 4.17.5 ; x"),
        ("npm", "lodash", "none", [("4.17.5",), ("4.17.21",)], "npm install lodash@4.17.21"),
        ("npm", "lodash", "1.0.0", [("next",), ("then",)], "npm install lodash@then"),
    ],
)
def test_one_command_mends_all_faults_of_a_package(
    ecosystem: str, name: str, installed: str, faults: list[tuple[str, ...]], order: str
) -> None:
    package = COMPONENTS[2].package._replace(ecosystem=ecosystem, name=name, version=installed)
    bill = BILL._replace(components=(*COMPONENTS[:2], COMPONENTS[2]._replace(package=package)))
    findings = [
        fault(f"CVE-{number}", fixed=fixed)._replace(name=name, installed=installed)
        for number, fixed in enumerate(faults)
    ]
    assert [(each.order, each.findings) for each in remedies(bill, findings)] == [(order, tuple(range(len(faults))))]


def test_the_most_urgent_remedy_stands_first() -> None:
    """What mends something known to be exploited, then what mends the worst, then what mends more."""
    nothing = fault("CVE-1", "critical", 2, signal=Signal("CVE-1", "2024-01-01"))
    known = fault("CVE-2", "low", 3, ("20.11.2",), Signal("CVE-2", "2024-01-01"))
    bad = fault("CVE-3", "critical", 1, ("7.88-2",))
    one, two, three = (fault(f"CVE-{n}", "high", 2, ("4.17.21",)) for n in (4, 5, 6))
    two, three = (each._replace(installed="4.0.0") for each in (two, three))
    findings = [nothing, known, bad, one, two, three]
    told = [[findings[number].id for number in each.findings] for each in remedies(BILL, findings)]
    assert told == [["CVE-2"], ["CVE-3"], ["CVE-5", "CVE-6"], ["CVE-4"], ["CVE-1"]]
    (unnamed,) = remedies(BILL._replace(base=""), [known])
    assert unnamed.order == "build on a newer build of its base image: kezuri build --pull"


def test_orders_are_what_a_shell_takes() -> None:
    orders = {}
    for kind, name, fixed in (
        ("npm", "@a/b", "4.17.21"), ("pypi", "a", "2.0"), ("cargo", "a", "2.0.0"), ("golang", "example.org/a", "1.2.0"),
        ("gem", "rails", "7.0.8.1"), ("composer", "a/b", "2.1"), ("nuget", "A.B", "2.0"), ("maven", "org.a:b", "1.10"),
        ("golang", "stdlib", "1.22.1"), ("generic", "ruby", "3.3.1"), ("hex", "a", "1.0"),
    ):  # fmt: skip
        bill = BILL._replace(components=(COMPONENTS[2]._replace(package=Package(kind, name, "0.1")),))
        finding = fault("CVE-1", "high", 0, (fixed,))._replace(name=name, installed="0.1", layer=2)
        orders[kind, name] = remedies(bill, [finding])[0].order
    assert orders["gem", "rails"] == "bundle update rails --conservative  # to 7.0.8.1"
    assert orders["maven", "org.a:b"] == "bring org.a:b to 1.10"
    assert orders["golang", "stdlib"] == "build with Go 1.22.1"
    subprocess.run(("sh", "-n"), input="\n".join(orders.values()).encode(), check=True)


def test_names_of_packages_are_no_commands() -> None:
    name = "curl; rm -rf /"
    bill = BILL._replace(
        components=tuple(each._replace(package=each.package._replace(name=name)) for each in COMPONENTS)
    )
    finding = vulnerabilities(bill, range(5), [match(1, "CVE-3", fixed=("7.88-2",))])
    assert remedies(bill, finding)[0].order == "apt-get update && apt-get upgrade -y"
    other = vulnerabilities(bill, range(5), [match(2, "CVE-3", fixed=("4.17.21",))])[0]._replace(installed="x")
    assert not remedies(bill, [other])[0].order.startswith("npm")


def test_what_another_image_has_is_no_news() -> None:
    older = fault("GHSA-1", aliases=("CVE-2024-1",))._replace(purl="pkg:npm/lodash@4.0.0")
    same = fault("CVE-2024-1", aliases=("PYSEC-1",))
    new = fault("CVE-2024-2")
    elsewhere = fault("CVE-2024-1", component=1)
    other = same._replace(purl="pkg:pypi/lodash@4.17.15?x=y")
    secret = Finding("secret", "key", "", "high", path="a")
    rule = Finding("misconfiguration", "MissingUser", "", "high", name="USER")
    found = without_known(
        [same, new, elsewhere, other, secret, secret._replace(path="b"), rule, rule._replace(id="EmptyPassword")],
        [older, secret, rule],
        "app:0",
    )
    assert [bool(each.ignored) for each in found] == [True, False, False, False, True, False, True, False]
    excused = without_known([same._replace(ignored="why")], [older], "app:0")
    assert excused[0].ignored == "why"
    arm = same._replace(purl="pkg:npm/lodash?arch=arm64")
    assert without_known([arm], [older], "app:0")[0].ignored
    assert found[0].ignored == "not new: app:0 has it"
