"""Documents of OSV become entries: real excerpts, what the sources add to the schema, and what is no advisory."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kezuri.advisories.fields import MOST_VERSIONS, Unusable
from kezuri.advisories.osv import OsvReading, entries_of
from kezuri.advisories.values import Affected
from kezuri.versions.ranges import Event

DATA = Path(__file__).parent.parent / "data" / "advisories"
ALL = (Event("introduced", "0"),)


def document(**fields: Any) -> dict[str, Any]:
    return {"id": "X-1", "modified": "2024-01-02T03:04:05Z", "affected": [package()], **fields}


def package(ecosystem: str = "npm", name: str = "left-pad", **fields: Any) -> dict[str, Any]:
    ranges = [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.3"}]}]
    return {"package": {"ecosystem": ecosystem, "name": name}, "ranges": ranges, **fields}


def only(given: Mapping[str, Any]) -> Any:
    (entry,) = entries_of(given, "osv/x")
    return entry


def test_a_directory_of_json() -> None:
    reading = OsvReading(str(DATA / "go"), "osv/Go")
    first, second = sorted(reading, key=lambda entry: entry.advisory.id)
    assert (first.advisory.id, second.advisory.id) == ("GO-2024-2598", "GO-2024-3228")
    assert first.advisory.aliases == ("CVE-2024-24783",)
    assert first.affected == (
        Affected(
            "Go",
            "",
            "stdlib",
            (
                (
                    Event("introduced", "0"),
                    Event("fixed", "1.21.8"),
                    Event("introduced", "1.22.0-0"),
                    Event("fixed", "1.22.1"),
                ),
            ),
        ),
    )
    assert [each.name for each in second.affected] == ["github.com/coder/coder", "github.com/coder/coder/v2"]
    assert reading.ecosystems == {("Go", "")}
    assert reading.date == ""  # The year 1 is what Go writes where it does not know.
    assert not reading.losses.count


def test_a_directory_of_yaml() -> None:
    reading = OsvReading(str(DATA / "pypa"), "pypa")
    jinja, zstd = sorted(reading, key=lambda entry: entry.advisory.id)
    assert jinja.affected[0].ranges == ((Event("introduced", "0"), Event("fixed", "2.11.3")),)
    assert "2.0" in jinja.affected[0].versions and "1.10" not in zstd.affected[0].versions
    assert zstd.affected[0].ranges == (ALL,)
    assert zstd.advisory.summary.startswith("A vulnerability was found in zstd v1.4.10")
    assert reading.date == max(jinja.advisory.modified, zstd.advisory.modified)


def test_names_are_those_of_the_ecosystem() -> None:
    named = {
        ("PyPI", "Flask_SQLAlchemy.x"): "flask-sqlalchemy-x",
        ("NuGet", "Newtonsoft.Json"): "newtonsoft.json",
        ("Packagist", "Symfony/HTTP"): "symfony/http",
        ("npm", "@Scope/Name"): "@Scope/Name",
        ("Maven", "org.Apache:Log4j"): "org.Apache:Log4j",
    }
    for (ecosystem, given), wanted in named.items():
        assert only(document(affected=[package(ecosystem, given)])).affected[0].name == wanted


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("Debian:12", ("Debian", "12")),
        ("Ubuntu:22.04:LTS", ("Ubuntu", "22.04")),
        ("Alpine:v3.20", ("Alpine", "v3.20")),
        ("Red Hat:enterprise_linux:8::appstream", ("Red Hat", "8")),
        ("Wolfi", ("Wolfi", "")),
        ("crates.io", ("crates.io", "")),
        ("Packagist:https://packages.drupal.org/8", ("Packagist", "")),
        ("Maven:https://repo.example", ("Maven", "")),
    ],
)
def test_ecosystems_and_their_releases(said: str, wanted: tuple[str, str]) -> None:
    affected = only(document(id="CVE-2024-1000", affected=[package(said)])).affected[0]
    assert (affected.ecosystem, affected.release) == wanted


def test_severity_is_the_vendors_wherever_they_write_it() -> None:
    cvss = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
    assert only(document(severity=cvss)).advisory.score == 9.8
    assert only(document(severity=cvss)).advisory.severity == "unknown"
    assert only(document(database_specific={"severity": "MODERATE"})).advisory.severity == "medium"
    assert only(document(severity=[{"type": "Ubuntu", "score": "negligible"}])).advisory.severity == "low"
    urgent = package("Debian:12", ecosystem_specific={"urgency": "not yet assigned"})
    assert only(document(id="CVE-2024-1000", affected=[urgent])).affected[0].severity == "unknown"
    of_package = package(ecosystem_specific={"severity": "Important"})
    assert only(document(affected=[of_package])).affected[0].severity == "high"
    two = [
        {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:L/A:N"},
        cvss[0],
        {"type": "CVSS_V2"},
        7,
    ]
    assert only(document(severity=two)).advisory.score == 9.8


def test_severity_of_one_package_is_none_of_the_others() -> None:
    copied = package("Debian:12", "copied", ecosystem_specific={"urgency": "unimportant"})
    library = package("Debian:12", "library", ecosystem_specific={"urgency": "not yet assigned"})
    entry = only(document(id="DEBIAN-CVE-2024-1000", upstream=["CVE-2024-1000"], affected=[copied, library]))
    assert [each.severity for each in entry.affected] == ["low", "unknown"]
    assert entry.advisory.severity == "unknown"
    # Two notices about one fault: what one says of its packages is not said of the other's.
    packages = [package("AlmaLinux:9", "x", ecosystem_specific={"severity": "Low"}), package("AlmaLinux:9", "y")]
    faults = ["CVE-2024-1111", "CVE-2024-2222"]
    notice = document(id="ALSA-1", upstream=faults, affected=packages, database_specific={"severity": "HIGH"})
    (_, second) = entries_of(notice, "osv/AlmaLinux")
    assert [each.severity for each in second.affected] == ["low", "high"]


def test_the_last_known_version_of_github_ends_a_range() -> None:
    open_range = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]
    wanted = {"<= 2.0.1": Event("last_affected", "2.0.1"), "< 3": Event("limit", "3")}
    for said, event in wanted.items():
        given = package(ranges=open_range, database_specific={"last_known_affected_version_range": said})
        assert only(document(affected=[given])).affected[0].ranges == ((*ALL, event),)
    given = package(database_specific={"last_known_affected_version_range": "<= 9"})
    assert only(document(affected=[given])).affected[0].ranges[0][-1] == Event("fixed", "1.2.3")


def test_notices_of_distributions_are_told_by_fault() -> None:
    notice = document(
        id="RLSA-2024:1",
        upstream=["CVE-2024-1111", "CVE-2024-2222"],
        severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        affected=[package("Rocky Linux:9", "openssl")],
    )
    entries = entries_of(notice, "osv/Rocky Linux")
    assert [entry.advisory.id for entry in entries] == ["CVE-2024-1111", "CVE-2024-2222"]
    assert {entry.advisory.aliases for entry in entries} == {()}  # Two faults of one notice are not one fault.
    assert {entry.advisory.severity for entry in entries} == {"critical"}
    assert entries[0].affected == entries[1].affected

    single = document(id="DEBIAN-CVE-2024-3333", upstream=["CVE-2024-3333"], affected=[package("Debian:12", "zlib")])
    assert only(single).advisory.id == "CVE-2024-3333"
    assert only(single).advisory.aliases == ("DEBIAN-CVE-2024-3333",)
    older = document(id="ALSA-2021:4", related=["CVE-2021-1000"], affected=[package("AlmaLinux:8", "tar")])
    assert only(older).advisory.id == "CVE-2021-1000"
    language = document(id="GHSA-1", aliases=["CVE-2021-1000", "CVE-2021-1001"])
    assert only(language).advisory.id == "GHSA-1"


def test_kinds_and_other_systems() -> None:
    assert only(document(id="MAL-2024-1")).advisory.kind == "malicious"
    unkept = package("crates.io", database_specific={"informational": "unmaintained"})
    assert only(document(affected=[unkept])).advisory.kind == "unmaintained"
    windows = package("crates.io", ecosystem_specific={"affects": {"os": ["windows"]}})
    assert only(document(affected=[windows])).affected[0].status == "not-affected"
    on_windows, on_both = ({"path": "os", "goos": each} for each in (["windows"], ["linux", "windows"]))
    for imports, status in (
        ([on_windows, on_windows], "not-affected"),
        ([on_windows, on_both], "affected"),
        ([on_windows, {"path": "net"}], "affected"),
        ([{"path": "misc/wasm", "goos": ["js"]}], "affected"),
        ([], "affected"),
    ):
        of_go = package("Go", "stdlib", ecosystem_specific={"imports": imports})
        assert only(document(affected=[of_go])).affected[0].status == status, imports
    ended = package("Debian:12", ecosystem_specific={"urgency": "end-of-life"})
    assert only(document(id="CVE-2024-1000", affected=[ended])).affected[0].status == "wont-fix"


def test_bitnamis_programs_are_runtimes() -> None:
    for given, wanted in (("python", ("runtime", "python")), ("apache", ("runtime", "httpd")), ("x", ("Bitnami", "x"))):
        affected = only(document(id="BIT-x-2024-1", affected=[package("Bitnami", given)])).affected[0]
        assert (affected.ecosystem, affected.name) == wanted


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "no advisory"),
        ("x", "no advisory"),
        ({}, "its id is missing"),
        (document(id=7), "its id is missing"),
        (document(id="a\x1b[2Jb"), "cannot be printed"),
        (document(id="x" * 2000), "2000 characters"),
        (document(affected=[]), "names no package"),
        (document(affected=None), "names no package"),
        (document(affected=[{"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}]), "names commits"),
        (
            document(affected=[package(ranges=[{"type": "GIT", "events": [{"introduced": "0"}]}])]),
            "no versions of left-pad",
        ),
        (
            document(affected=[package(ranges=[{"type": "SEMVER", "events": [{"fixed": "1"}]}])]),
            "no versions of left-pad",
        ),
        (document(affected=[package(name="")]), "name of a package is missing"),
        (document(affected=[package(versions=[1.5])]), "versions of a package is missing"),
        (document(affected=[package(versions=["1"] * (MOST_VERSIONS + 1))]), "more than"),
        (document(affected=[package(name="\ud800")]), "cannot be printed"),
    ],
)
def test_what_cannot_be_used_says_why(given: Any, said: str) -> None:
    with pytest.raises(Unusable, match=said):
        entries_of(given, "osv/x")


def test_many_events_have_an_end() -> None:
    events = [{"introduced": "0"}, *({"fixed": "1"} for _ in range(MOST_VERSIONS))]
    with pytest.raises(Unusable, match="more than"):
        entries_of(document(affected=[package(ranges=[{"type": "SEMVER", "events": events}])]), "x")


def test_what_was_withdrawn_needs_no_package() -> None:
    entry = only(document(withdrawn="2024-05-06T00:00:00Z", affected=[]))
    assert entry.advisory.withdrawn == "2024-05-06T00:00:00Z" and entry.affected == ()


def test_texts_of_others_are_bounded() -> None:
    given = document(
        summary="a\nb \x1b" + "x" * 10_000,
        references=[{"url": "https://a"}, {"url": "javascript:x"}, {"url": "https://a b"}, {"url": 7}]
        + [{"url": f"https://{n}"} for n in range(100)],
        aliases=["CVE-2024-1", None, "\x07", "CVE-2024-1"],
        published="0001-01-01T00:00:00Z",
        modified="x" * 100,
    )
    told = only(given).advisory
    assert len(told.summary) == 400 and told.summary.startswith("a b ") and told.summary.endswith("…")
    assert told.references[:2] == ("https://a", "https://0") and len(told.references) == 30
    assert told.aliases == ("CVE-2024-1",)
    assert told.published == told.modified == ""


def test_losses_are_told_by_name_and_counted(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"b{number}.json").write_text("{")
    (tmp_path / "a.json").write_text(json.dumps(document()))
    (tmp_path / "c.json").write_text(json.dumps(document(id="X-2", affected=[])))
    (tmp_path / "d.json").write_bytes(b"\xff")
    (tmp_path / "e.json").write_text("[" * 100_000)
    (tmp_path / "f.json").write_text('{"id": NaN}')
    (tmp_path / "g.txt").write_text("not looked at")
    os.mkfifo(tmp_path / "h.json")
    os.symlink("/etc/passwd", tmp_path / "i.json")
    reading = OsvReading(str(tmp_path), "osv/npm")
    assert [entry.advisory.id for entry in reading] == ["X-1"]
    assert reading.losses.count == 65 and len(reading.losses.told) == 50
    assert ("b0.json", "b0.json is no JSON") in [(each.name, each.why[:18]) for each in reading.losses.told]


def test_an_ecosystem_alone_is_covered_by_its_archive(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(document(affected=[package(), package("Maven", "a:b")])))
    for name, wanted in (("osv/npm", {("npm", "")}), ("ghsa", {("npm", ""), ("Maven", "")})):
        reading = OsvReading(str(tmp_path), name)
        assert len(next(iter(reading)).affected) == 2
        assert reading.ecosystems == wanted
