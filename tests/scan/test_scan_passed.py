"""What a project lives with: ignore files of Trivy, documents of OpenVEX, and licences that it forbids."""

import json
from typing import Any

import pytest
from tests.scan.scan_samples import BILL, COMPONENTS, DIGEST, fault

from kezuri.diagnostics import KezuriError, SourceText
from kezuri.oci.dates import seconds
from kezuri.scan import ignore_file, licences, vex
from kezuri.scan.values import Finding

NOW = seconds("2026-11-28T12:00:00Z") or 0.0


def passed(text: str, name: str = ".trivyignore") -> tuple[list[str], list[str]]:
    """Which of some findings a file lets pass, and what is told."""
    file = ignore_file.read(SourceText(name, text))
    findings = [
        fault("CVE-2024-1", aliases=("GHSA-1",)),
        fault("CVE-2024-2", component=1),
        Finding("secret", "aws-access-key", "", "high", path="app/.env"),
        Finding("licence", "GPL-3.0-only", "", "high", path="usr/share/x"),
    ]
    found, expired = ignore_file.apply(findings, file.entries, NOW)
    return [f"{each.id}: {each.ignored}" for each in found if each.ignored], [*file.told, *expired]


def test_lines() -> None:
    text = "# why\n\nCVE-2024-1 # not reachable\naws-access-key exp:2027-01-01\nCVE-9\n"
    assert passed(text) == (
        ["CVE-2024-1: .trivyignore:3: not reachable", "aws-access-key: .trivyignore:4"],
        [],
    )


def test_another_name_of_a_fault() -> None:
    assert passed("GHSA-1") == (["CVE-2024-1: .trivyignore:1"], [])


@pytest.mark.parametrize(
    ("date", "holds"), [("2026-11-29", True), ("2026-11-28", False), ("2026-11-27", False), ("9999-12-31", True)]
)
def test_an_entry_expires_as_its_day_begins(date: str, holds: bool) -> None:
    found, told = passed(f"CVE-2024-1 exp:{date}")
    assert bool(found) is holds
    assert bool(told) is not holds


def test_what_has_expired_hides_no_entry_that_holds() -> None:
    text = "CVE-2024-1 exp:2020-01-01\nGHSA-1 exp:2027-01-01\n"
    assert passed(text) == (
        ["CVE-2024-1: .trivyignore:2"],
        [".trivyignore:1: CVE-2024-1 has expired, and counts again"],
    )


@pytest.mark.parametrize("date", ["tomorrow", "2026-13-01", "", "2026-02-30"])
def test_what_is_no_date_does_not_count(date: str) -> None:
    found, told = passed(f"CVE-2024-1 exp:{date}x")
    assert (found, len(told)) == ([], 1)


def test_yaml() -> None:
    text = """
vulnerabilities:
  - id: CVE-2024-1
    purls: ["pkg:npm/lodash"]
    statement: only in tests
  - id: CVE-2024-2
    purls: ["pkg:npm/lodash"]
  - id: CVE-2024-2
    expired_at: 2020-01-01
misconfigurations:
  - id: CVE-2024-2
secrets:
  - id: aws-access-key
    paths: ["app/**"]
licenses:
  - id: GPL-3.0-only
    paths: ["other/*"]
"""
    found, told = passed(text, ".trivyignore.yaml")
    assert found == [
        "CVE-2024-1: .trivyignore.yaml:3: only in tests",
        "aws-access-key: .trivyignore.yaml:13",
    ]
    assert told == [".trivyignore.yaml:8: CVE-2024-2 has expired, and counts again"]


@pytest.mark.parametrize("text", ["- a\n", "just text", "a: [\n"])
def test_yaml_that_is_no_ignore_file(text: str) -> None:
    with pytest.raises(KezuriError) as caught:
        ignore_file.read(SourceText("x.yaml", text))
    assert caught.value.exit_code == 2


def test_yaml_that_is_wrong_in_parts_is_told() -> None:
    text = "vulnerabilities:\n  - {paths: [a]}\n  - id: CVE-1\n    expired_at: soon\nothers: 1\nsecrets: 1\n"
    file = ignore_file.read(SourceText("x.yaml", text))
    assert file.entries == () and len(file.told) == 4


def document(*statements: Any, **more: Any) -> bytes:
    """An OpenVEX document."""
    return json.dumps(
        {"@context": "https://openvex.dev/ns/v0.2.0", "timestamp": "2024-01-01T00:00:00Z", "statements": statements}
        | more
    ).encode()


def about(*products: Any, status: str = "not_affected", name: str = "CVE-2024-1", **more: Any) -> dict[str, Any]:
    """A statement."""
    return {"vulnerability": {"name": name}, "products": list(products), "status": status} | more


def excused(*statements: dict[str, Any]) -> bool:
    """Whether a fault of lodash is let pass by these statements."""
    read = vex.read(document(*statements), "a.json")
    assert not read.told
    return bool(vex.apply([fault("CVE-2024-1", aliases=("GHSA-1",))], read.statements, BILL)[0].ignored)


LODASH = {"@id": "pkg:npm/lodash@4.17.15"}
OCI = "pkg:oci/app?repository_url=registry.example/team/app&tag=1"


@pytest.mark.parametrize(
    "product",
    [
        LODASH,
        {"@id": "pkg:npm/lodash"},
        {"@id": "x", "identifiers": {"purl": "pkg:npm/lodash"}},
        "pkg:npm/lodash@4.17.15",
        {"@id": OCI},
        {"@id": "pkg:oci/app"},
        {"@id": f"pkg:oci/app@sha256%3A{'ab' * 32}"},
        {"@id": DIGEST},
        {"@id": BILL.name},
        {"@id": OCI, "subcomponents": [LODASH]},
    ],
)
def test_products_that_are_meant(product: Any) -> None:
    assert excused(about(product))


@pytest.mark.parametrize(
    "product",
    [
        {"@id": "pkg:npm/lodash@4.17.16"},
        {"@id": "pkg:npm/lodash?arch=amd64"},
        {"@id": "pkg:npm/underscore"},
        {"@id": "pkg:pypi/lodash"},
        {"@id": "pkg:oci/app?tag=2"},
        {"@id": "pkg:oci/other"},
        {"@id": "pkg:oci/app?repository_url=elsewhere.example/team/app"},
        {"@id": f"pkg:oci/app@sha256%3A{'cd' * 32}"},
        {"@id": OCI, "subcomponents": [{"@id": "pkg:npm/other"}]},
        {"@id": "https://example.com/product"},
    ],
)
def test_products_that_are_not(product: Any) -> None:
    assert not excused(about(product))


def test_releases_of_distributions_are_compared_as_far_as_both_go() -> None:
    purl = "pkg:deb/debian/curl@1?arch=amd64&distro=debian-12"
    assert vex.same_package("pkg:deb/debian/curl?distro=debian-12.5", purl)
    assert not vex.same_package("pkg:deb/debian/curl?distro=debian-11", purl)


def test_statuses_and_names() -> None:
    assert excused(about(LODASH, status="fixed"))
    assert excused(about(LODASH, name="GHSA-1"))
    assert not excused(about(LODASH, status="affected"))
    assert not excused(about(LODASH, status="under_investigation"))
    assert not excused(about(LODASH, name="CVE-2024-2"))


def test_the_last_statement_counts() -> None:
    later = {"timestamp": "2025-01-01T00:00:00Z"}
    assert not excused(about(LODASH), about(LODASH, status="affected", **later))
    assert excused(about(LODASH, **later), about(LODASH, status="affected"))
    assert excused(about(LODASH, status="affected"), about(LODASH))
    assert not excused(about(LODASH), about(LODASH, status="affected"))
    assert excused(about(LODASH), about({"@id": "pkg:npm/other"}, status="affected", **later))


def test_documents_of_before() -> None:
    old = {
        "@context": "https://openvex.dev/ns",
        "statements": [
            {
                "vulnerability": "CVE-2024-1",
                "products": ["pkg:oci/app"],
                "subcomponents": ["pkg:npm/lodash"],
                "status": "not_affected",
                "justification": "vulnerable_code_not_present",
            }
        ],
    }
    statements = vex.read(json.dumps(old).encode(), "old.json").statements
    marked = vex.apply([fault("CVE-2024-1")], statements, BILL)
    assert marked[0].ignored == "old.json: not_affected: vulnerable_code_not_present"
    other = json.loads(json.dumps(old).replace("pkg:npm/lodash", "pkg:npm/underscore"))
    statements_of_other = vex.read(json.dumps(other).encode(), "old.json").statements
    assert not vex.apply([fault("CVE-2024-1")], statements_of_other, BILL)[0].ignored
    inside = json.dumps({"_type": "https://in-toto.io/Statement/v1", "predicate": old}).encode()
    assert vex.read(inside, "old.json").statements == statements


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        document(**{"@context": "https://cyclonedx.org"}),
        document(statements={}),
        b"[" * 100_000,
        document() + b"\xff",
        b"NaN",
    ],
)
def test_what_is_no_openvex(data: bytes) -> None:
    with pytest.raises(KezuriError) as caught:
        vex.read(data, "x")
    assert caught.value.exit_code == 2


def test_more_than_is_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vex, "_MOST_STATEMENTS", 2)
    assert len(vex.read(document(*[about(LODASH)] * 2), "x").statements) == 2
    with pytest.raises(KezuriError, match="3 statements, and at most 2"):
        vex.read(document(*[about(LODASH)] * 3), "x")
    monkeypatch.setattr(vex, "MOST_BYTES", len(document()))
    vex.read(document(), "x")
    with pytest.raises(KezuriError, match="bytes"):
        vex.read(document() + b" ", "x")


def test_a_part_of_a_package_is_meant_where_it_is_named() -> None:
    assert vex.same_package("pkg:golang/a/b", "pkg:golang/a/b@1#sub")
    assert vex.same_package("pkg:golang/a/b#sub", "pkg:golang/a/b@1#sub")
    assert not vex.same_package("pkg:golang/a/b#sub", "pkg:golang/a/b@1#other")
    assert not vex.same_package("pkg:golang/a/b", "no package URL")


def test_statements_that_say_nothing_are_told() -> None:
    read = vex.read(document({}, "x", about(LODASH, status="x"), about({}), about(LODASH)), "x")
    assert len(read.statements) == 1 and len(read.told) == 4


@pytest.mark.parametrize(
    ("licence", "demand"),
    [
        ("MIT", "notice"),
        ("GPL-2.0-only", "strong"),
        ("GPLv3+", "strong"),
        ("LGPL-2.1-or-later", "weak"),
        ("MIT OR GPL-3.0-only", "notice"),
        ("MIT AND GPL-3.0-only", "strong"),
        ("(MIT OR AGPL-3.0-only) AND MPL-2.0", "weak"),
        ("AGPL-3.0-or-later", "network"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "strong"),
        ("Apache License 2.0", "notice"),
        ("", "unknown"),
        ("do what you like", "unknown"),
        ("GPL-2, MIT", "strong"),
        ("((((", "unknown"),
    ],
)
def test_what_licences_ask(licence: str, demand: str) -> None:
    assert licences.demand(licence) == demand


@pytest.mark.parametrize(
    ("rule", "licence", "forbidden"),
    [
        ("GPL-3.0-only", "GPL-3.0-only", True),
        ("GPL-3.0*", "GPLv3+", True),
        ("gpl-3", "GPL-3.0-only", True),
        ("GPL-*", "LGPL-3.0-only", False),
        ("GPL-*", "MIT OR GPL-3.0-only", False),
        ("GPL-*", "MIT AND GPL-3.0-only", True),
        ("GPL-*", "GPL-2.0-only OR GPL-3.0-only", True),
        ("unknown", "", True),
        ("unknown", "MIT", False),
        ("*", "MIT", True),
    ],
)
def test_a_policy(rule: str, licence: str, forbidden: bool) -> None:
    assert licences.forbids(rule, licence) is forbidden


def test_alternatives_of_alternatives_end() -> None:
    licence = " AND ".join(["(MIT OR GPL-3.0-only OR BSD-2-Clause)"] * 90)
    assert licences.demand(licence) == "strong"
    assert licences.forbids("GPL-3.0-only", licence)
    assert licences.demand("(" * 5000) == "unknown"


def test_findings_of_licences() -> None:
    found = list(licences.findings(BILL, ["curl"], all_of_them=False))
    assert [(each.name, each.severity, each.note) for each in found] == [("curl", "critical", "forbidden: curl")]
    assert found[0].title == "the licence curl is forbidden by curl"
    nameless = BILL._replace(components=(COMPONENTS[0]._replace(package=COMPONENTS[0].package._replace(licence="")),))
    (unknown,) = licences.findings(nameless, ["unknown"], all_of_them=False)
    assert (unknown.id, unknown.severity) == ("unknown", "critical") and "forbidden" not in unknown.title
    assert not list(licences.findings(BILL, ["GPL-*"], all_of_them=True))
    assert [row.licence for row in licences.report(BILL)][-1] == ""


@pytest.mark.parametrize("limit", ["paths: {a: b}", "paths: [[a]]", "paths: ['[']", "purls: {a: b}", "purls: [{a: b}]"])
def test_an_entry_whose_limit_cannot_be_read_lets_nothing_pass(limit: str) -> None:
    found, told = passed(f"vulnerabilities:\n  - id: CVE-2024-1\n    {limit}\n", ".trivyignore.yaml")
    assert found == [] and len(told) == 1 and "the entry does not count" in told[0]


def test_only_the_first_document_of_a_file_counts_and_that_is_told() -> None:
    text = "vulnerabilities:\n  - id: CVE-2024-1\n    paths: []\n---\nvulnerabilities:\n  - id: CVE-2024-2\n"
    found, told = passed(text, ".trivyignore.yaml")
    assert (len(found), told) == (1, [".trivyignore.yaml: only the first of its documents counts"])


def test_vex_documents_that_take_more_memory_than_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vex, "MOST_VALUES", 1000)
    with pytest.raises(KezuriError, match="more than 1000 values"):
        vex.read(json.dumps({"@context": vex_context(), "x": [[]] * 1001, "statements": []}).encode(), "a")


def test_what_does_not_count_of_a_vex_document_is_counted() -> None:
    read = vex.read(json.dumps({"@context": vex_context(), "statements": [1] * 50}).encode(), "a")
    assert len(read.told) == 21 and read.told[-1] == "a: 30 more statements do not count"


def vex_context() -> str:
    return "https://openvex.dev/ns/v0.2.0"
