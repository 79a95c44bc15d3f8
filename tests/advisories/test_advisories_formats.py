"""The other formats of advisories: Debian's tracker, secdb, RustSec, the Node group's, KEV and EPSS."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from kezuri.advisories.debian_tracker import DebianReading
from kezuri.advisories.epss import EpssReading
from kezuri.advisories.fields import Unusable
from kezuri.advisories.kev import KevReading
from kezuri.advisories.node_group import NodeReading, entries_of
from kezuri.advisories.rustsec import RustsecReading, entry_of
from kezuri.advisories.secdb import SecdbReading
from kezuri.advisories.values import Affected, Entry, Signal
from kezuri.diagnostics import KezuriError
from kezuri.versions.ranges import Event, holds

DATA = Path(__file__).parent.parent / "data" / "advisories"
START = Event("introduced", "0")


def written(path: Path, value: Any) -> str:
    path.write_text(json.dumps(value))
    return str(path)


def by_id(entries: Iterable[Any]) -> dict[str, Entry]:
    return {entry.advisory.id: entry for entry in entries}


def test_debians_tracker(tmp_path: Path) -> None:
    def state(status: str, **fields: Any) -> dict[str, Any]:
        return {"status": status, "repositories": {"bookworm": "1"}, "urgency": "not yet assigned", **fields}

    releases = {
        "bookworm": state("resolved", fixed_version="1.2-3+deb12u1", urgency="medium**"),
        "bullseye": state("open", nodsa="Minor issue", nodsa_reason="postponed"),
        "buster": state("open", urgency="end-of-life"),
        "stretch-lts": state("open", nodsa_reason="ignored"),
        "trixie": state("resolved", fixed_version="0"),
        "forky": state("undetermined"),
        "sid": state("resolved", fixed_version="1.3-1", urgency="unimportant"),
        "wheezy": state("resolved"),
        "jessie-security": state("resolved", fixed_version=""),
    }
    told = {
        "zlib": {
            "CVE-2024-1000": {"description": "a\nfault", "releases": releases},
            "TEMP-0000000-ABCDEF": {"releases": {"sid": state("open")}},
            "CVE-2024-1001": {"releases": {"sid": state("what")}},
            "no id": {"releases": {"sid": state("open")}},
            "CVE-2024-1003": {"releases": {}},
            "CVE-2024-1002": 7,
        },
        "pigz": {"CVE-2024-1000": {"releases": {"sid": state("open")}}},
        "odd": [],
    }
    reading = DebianReading(written(tmp_path / "json", told), "debian")
    entries = list(reading)
    assert [entry.advisory.id for entry in entries] == ["CVE-2024-1000", "TEMP-0000000-ABCDEF", "CVE-2024-1000"]
    advisory, affected = entries[0]
    assert advisory.summary == "a fault"
    assert advisory.references == ("https://security-tracker.debian.org/tracker/CVE-2024-1000",)
    assert advisory.severity == "unknown"  # That of the package is told of another package, or release, by nobody.
    assert affected == (
        Affected("Debian", "12", "zlib", ((START, Event("fixed", "1.2-3+deb12u1")),), (), "affected", "medium"),
        Affected("Debian", "11", "zlib", ((START,),)),
        Affected("Debian", "10", "zlib", ((START,),), (), "wont-fix"),
        Affected("Debian", "9", "zlib", ((START,),), (), "wont-fix"),
        Affected("Debian", "13", "zlib", (), (), "not-affected"),
        Affected("Debian", "14", "zlib", ((START,),), (), "undetermined"),
        Affected("Debian", "sid", "zlib", ((START, Event("fixed", "1.3-1")),), (), "affected", "low"),
        Affected("Debian", "7", "zlib", ((START,),), (), "undetermined"),
        Affected("Debian", "8", "zlib", ((START,),), (), "undetermined"),
    )
    assert reading.losses.count == 5
    assert ("Debian", "12") in reading.ecosystems and ("Debian", "sid") in reading.ecosystems


@pytest.mark.parametrize("text", ["", "{", '{"a": {"CVE-2024-1', "[]", '{"a" 1}', '{"a": {}} x', "nonsense"])
def test_a_tracker_that_breaks_off_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "json").write_text(text)
    with pytest.raises(KezuriError, match="is no JSON"):
        list(DebianReading(str(tmp_path / "json"), "debian"))


def test_alpines_database() -> None:
    reading = SecdbReading(str(DATA / "alpine" / "main.yaml"), "")
    entries = by_id(reading)
    assert reading.name == "alpine/v3.11/main"
    assert reading.ecosystems == {("Alpine", "v3.11")}
    # CVE-2019-5747 was mended twice: in 1.29.3-r10 and, wholly, in 1.30.1-r2.
    assert entries["CVE-2019-5747"].affected == (
        Affected("Alpine", "v3.11", "busybox", ((START, Event("fixed", "1.30.1-r2")),)),
    )
    assert entries["CVE-2017-12122"].advisory.aliases == ("TALOS-2017-0488",)
    assert "CVE-2017-16808" in entries  # It stands there as `CVE-2017-16808 (AoE)`.
    assert entries["CVE-2019-5747"].advisory.references == ("https://security.alpinelinux.org/vuln/CVE-2019-5747",)
    assert not reading.losses.count


def test_databases_of_wolfi_and_chainguard(tmp_path: Path) -> None:
    packages = [
        {"pkg": {"name": "curl", "secfixes": {"8.1.0-r0": ["CVE-2023-1 CVE-2023-2 GHSA-x"], "0": ["CVE-2023-3333"]}}},
        {"pkg": {"name": "odd", "secfixes": {"1-r0": ["what", 7, "CVE-2023-4444-2"]}}},
        {"pkg": {"secfixes": {}}},
        {"pkg": {"name": "both", "secfixes": {"0": ["CVE-2023-5555"], "2-r0": ["CVE-2023-5555"]}}},
    ]
    for prefix, name, ecosystem in (
        ("https://packages.wolfi.dev", "wolfi", "Wolfi"),
        ("https://packages.cgr.dev/chainguard", "chainguard/x", "Chainguard"),
    ):
        given = {"urlprefix": prefix, "reponame": "x", "apkurl": "", "packages": packages}
        reading = SecdbReading(written(tmp_path / "security.json", given), "")
        entries = by_id(reading)
        assert reading.name == name
        assert set(entries) == {"CVE-2023-3333", "CVE-2023-4444", "CVE-2023-5555"} | {"CVE-2023-1", "CVE-2023-2"}
        assert entries["CVE-2023-1"].advisory.aliases == ()  # Which of two faults GHSA-x is, nobody says.
        assert entries["CVE-2023-3333"].affected == (Affected(ecosystem, "", "curl", status="not-affected"),)
        assert entries["CVE-2023-5555"].affected[0].ranges == ((START, Event("fixed", "2-r0")),)
        assert reading.losses.count == 3


def test_a_database_of_nobody(tmp_path: Path) -> None:
    givens: tuple[Any, ...] = (
        {},
        {"packages": []},
        {"packages": [], "urlprefix": "https://alpinelinux.org", "distroversion": "x"},
        [],
    )
    for given in givens:
        with pytest.raises(KezuriError):
            SecdbReading(written(tmp_path / "x.json", given), "")


def test_rustsec() -> None:
    reading = RustsecReading(str(DATA / "rustsec"), "rustsec")
    entries = by_id(reading)
    lz4 = entries["RUSTSEC-2026-0041"]
    assert lz4.advisory.summary.startswith("Decompressing invalid data can leak")
    assert lz4.advisory.aliases == ("CVE-2026-32829", "GHSA-vvp9-7p8x-rfvv")
    assert lz4.advisory.score == 8.2
    (affected,) = lz4.affected
    held = {
        version: any(holds("semver", events, version) for events in affected.ranges)
        for version in ("0.1.0", "0.11.5", "0.11.6", "0.11.99", "0.12.0-rc.1", "0.12.0", "0.12.1", "1.0.0")
    }
    assert [version for version, bad in held.items() if bad] == ["0.1.0", "0.11.5", "0.12.0"]
    assert entries["RUSTSEC-2022-0057"].advisory.kind == "unmaintained"
    assert entries["RUSTSEC-2021-0145"].affected[0].status == "not-affected"  # Windows alone.
    assert reading.date == "2026-03-17" and not reading.losses.count


def test_rustsecs_toolchain_and_what_is_wrong() -> None:
    head = '```toml\n[advisory]\nid = "RUSTSEC-1"\npackage = "std"\ndate = "2024-01-02"\n{}[versions]\n{}\n```\n# T\n'
    entry = entry_of(head.format('collection = "rust"\n', 'patched = [">= 1.77.2"]').encode(), "x.md", "rustsec")
    assert entry.affected == (Affected("runtime", "", "rust", ((START, Event("fixed", "1.77.2")),)),)
    nothing_patched = entry_of(head.format("", "patched = []").encode(), "x.md", "rustsec")
    assert nothing_patched.affected[0].ranges == ((START,),)
    for text in (
        "",
        "# no front",
        "```toml\n[advisory\n```\n",
        head.format("", 'patched = ["%%"]'),
        head.format("", "patched = [7]"),
        # Reading it takes the time of the one times the other.
        head.format("", "[" + "a." * 20_000 + "a]\n" + "".join(f"k{n} = 1\n" for n in range(10_000))),
    ):
        with pytest.raises(Unusable, match=r"TOML|more than 100 deep|versions cannot be read|patched version"):
            entry_of(text.encode(), "x.md", "rustsec")


def test_the_node_group() -> None:
    reading = NodeReading(str(DATA / "node"), "everything")
    entries = by_id(reading)
    node = entries["CVE-2017-1000381"]
    assert (node.affected[0].ecosystem, node.affected[0].name) == ("runtime", "node")
    assert node.advisory.severity == "high" and node.advisory.aliases == ("NSWG-COR-1",)

    def mended(entry: Entry, version: str) -> bool:
        return not any(holds("semver", events, version) for events in entry.affected[0].ranges)

    wanted = {
        "4.8.3": False,
        "4.8.4": True,
        "5.12.0": False,
        "6.11.1": True,
        "8.1.3": False,
        "8.1.4": True,
        "9.0.0": True,
    }
    assert {version: mended(node, version) for version in wanted} == wanted
    # Nothing mends 5.x: the end of its range is no version that does.
    fixes = {event.version for events in node.affected[0].ranges for event in events if event.kind == "fixed"}
    assert fixes == {"4.8.4", "6.11.1", "7.10.1", "8.1.4"}
    windows = next(entry for entry in entries.values() if entry.affected[0].status == "not-affected")
    assert windows.affected[0].ranges == ()

    merge = entries["NSWG-ECO-410"]
    assert merge.affected == (Affected("npm", "", "merge-options", ((START, Event("last_affected", "1.0.0")),)),)
    sanitize = entries["CVE-2016-1000237"].affected[0].ranges
    assert sanitize == ((START, Event("last_affected", "1.4.2"), Event("fixed", "1.4.3")),)
    assert not holds("semver", sanitize[0], "1.4.3-beta") and holds("semver", sanitize[0], "1.4.2")
    assert not reading.losses.count
    assert reading.date == ""  # Advisories about Node itself have no dates, and those of packages are older.


def test_parts_and_the_index_of_the_node_group(tmp_path: Path) -> None:
    assert {e.affected[0].ecosystem for e in by_id(NodeReading(str(DATA / "node"), "node")).values()} == {"runtime"}
    packages = NodeReading(str(DATA / "node"), "node/npm")
    assert {entry.affected[0].ecosystem for entry in by_id(packages).values()} == {"npm"}
    assert packages.date == "2018-04-09"
    one = json.loads((DATA / "node" / "core" / "1.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps({"1": one, "2": {**one, "cve": []}, "3": {"vulnerable": "%"}}))
    index = NodeReading(str(tmp_path / "index.json"), "node")
    assert set(by_id(index)) == {"CVE-2017-1000381", "NSWG-COR-2"}
    assert index.losses.count == 1
    several = entries_of({**one, "cve": ["CVE-2017-1000381", "CVE-2017-1000382"]}, "1", "node")
    assert [entry.advisory.aliases for entry in several] == [(), ()]


def test_kev(tmp_path: Path) -> None:
    faults = [
        {"cveID": "CVE-2021-44228", "dateAdded": "2021-12-10", "knownRansomwareCampaignUse": "Known"},
        {"cveID": "CVE-2022-0001", "dateAdded": "2022-01-02", "knownRansomwareCampaignUse": "Unknown"},
        {"cveID": "CVE-2022-0002"},
        {},
    ]
    given = {"dateReleased": "2026-11-01T12:00:00.0000Z", "count": 4, "vulnerabilities": faults}
    reading = KevReading(written(tmp_path / "kev.json", given), "kev")
    assert list(reading) == [Signal("CVE-2021-44228", "2021-12-10", True), Signal("CVE-2022-0001", "2022-01-02")]
    assert reading.date == "2026-11-01T12:00:00.0000Z" and reading.losses.count == 2
    wrongs: tuple[Any, ...] = ({}, {"vulnerabilities": 7}, {**given, "count": 5}, [])
    for wrong in wrongs:
        with pytest.raises(KezuriError):
            list(KevReading(written(tmp_path / "kev.json", wrong), "kev"))


def test_epss(tmp_path: Path) -> None:
    lines = [
        "#model_version:v2025.03.14,score_date:2026-11-20T12:55:00Z",
        "cve,epss,percentile",
        "CVE-2021-44228,0.94358,0.99957",
        "CVE-2022-0001,0.00001,0.1",
        "CVE-2022-0002,nan,0.1",
        "CVE-2022-0003,1e9,0.1",
        "CVE-2022-0004,0.5",
        "\x1b[2J,0.5,0.5",
        "x" * 5000,
        "CVE-2022-0005,0.5,0.5",
        "CVE-2022-0006,0.",
    ]
    path = tmp_path / "epss_scores-current.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    reading = EpssReading(str(path), "epss")
    assert list(reading) == [
        Signal("CVE-2021-44228", chance=0.94358),
        Signal("CVE-2022-0001", chance=0.00001),
        Signal("CVE-2022-0005", chance=0.5),
    ]
    assert reading.date == "2026-11-20T12:55:00Z"
    assert reading.losses.count >= 6
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(KezuriError, match=r"cut short|truncated|ends|damaged"):
        list(EpssReading(str(path), "epss"))
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(KezuriError, match="columns"):
        list(EpssReading(str(tmp_path / "other.csv"), "epss"))
