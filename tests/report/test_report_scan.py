"""A scan in the forms of other programs: what each demands, at the places that people look, whatever others wrote."""

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.report.scan_samples import AT, DIRECTORY, DIRECTORY_BILL, EVERY, HOSTILE, NASTY, NOTHING, NOTHING_BILL
from tests.report.scan_samples import BILL as SAMPLE_BILL
from tests.report.scan_samples import REPORT as SAMPLE

from kezuri.cli.json_text import json_text
from kezuri.report import scan_sarif
from kezuri.report.sarif import MOST_RESULTS
from kezuri.report.scan_forms import FORMATS, TEMPLATES, data, written
from kezuri.report.scan_words import place, relative, repository, score, unversioned
from kezuri.sbom.values import Bill
from kezuri.scan.values import Finding, Report

WORKFLOW = {"GITHUB_SHA": "c" * 40, "GITHUB_REF": "refs/heads/main", "GITHUB_RUN_ID": "7", "GITHUB_JOB": "scan"}


def said(form: str, report: Report = SAMPLE, bill: Bill = SAMPLE_BILL) -> Any:
    found = data(form, report, bill, AT, WORKFLOW)
    assert found is not None
    return json.loads(json_text(found))


def run(report: Report = SAMPLE) -> Any:
    (only,) = said("sarif", report)["runs"]
    return only


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("number", range(len(EVERY)))
def test_every_form_of_every_scan_is_text_that_anybody_can_read(form: str, number: int) -> None:
    report, bill = EVERY[number]
    found = data(form, report, bill, AT)
    text = written(form, report, bill) if found is None else json_text(found)
    text.encode()
    assert all(line.isprintable() for line in text.split("\n"))
    assert found == data(form, report, bill, AT), "the same scan gives the same document"
    if found is None:
        ElementTree.fromstring(text)
    assert set(TEMPLATES.values()) <= set(FORMATS)


# SARIF


def test_sarif_stands_at_the_lines_of_the_dockerfile_and_names_each_rule_once() -> None:
    made = run()
    rules = made["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [
        "CVE-2024-1", "GHSA-aaaa-bbbb-cccc", "GO-2024-3", "debian:10", "npm-token", "MissingUser",
        "licence:AGPL-3.0-only",
    ]  # fmt: skip
    assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in made["results"])
    places = [
        (each["ruleId"], physical["artifactLocation"]["uri"], physical["region"]["startLine"], each["level"])
        for each in made["results"]
        for physical in [each["locations"][0]["physicalLocation"]]
    ]
    assert places == [
        ("CVE-2024-1", "sub/Dockerfile", 1, "error"),
        ("GHSA-aaaa-bbbb-cccc", "sub/Dockerfile", 7, "error"),
        ("GHSA-aaaa-bbbb-cccc", "sub/Dockerfile", 7, "error"),
        ("GO-2024-3", "sub/Dockerfile", 9, "note"),
        ("debian:10", "sub/Dockerfile", 1, "error"),
        ("npm-token", "sub/Dockerfile", 9, "error"),
        ("MissingUser", "sub/Dockerfile", 1, "warning"),
        ("licence:AGPL-3.0-only", "sub/Dockerfile", 7, "error"),
    ]
    assert "CVE-2024-4" not in json.dumps(made), "what does not count is no alert"
    assert made["automationDetails"]["id"] == "kezuri/scan/team/app/"
    assert made["properties"]["data"] == [{"name": "debian", "date": "2026-11-27", "fetched": AT}]
    notes = made["invocations"][0]["toolExecutionNotifications"]
    assert [note["message"]["text"] for note in notes] == ["one layer could not be read"]


def test_sarif_has_what_code_scanning_demands() -> None:
    for report in (SAMPLE, NASTY, DIRECTORY, NOTHING):
        made = run(report)
        for rule in made["tool"]["driver"]["rules"]:
            assert rule["shortDescription"]["text"] and len(rule["shortDescription"]["text"]) <= 1024
            assert rule["fullDescription"]["text"] and len(rule["fullDescription"]["text"]) <= 1024
            assert rule["help"]["text"] and re.match(r"https?://\S+\Z", rule["helpUri"])
            assert "security" in rule["properties"]["tags"] and len(rule["properties"]["tags"]) <= 20
            given = rule["properties"].get("security-severity")
            assert given is None or 0 < float(given) <= 10
        prints = [each["partialFingerprints"]["primaryLocationLineHash"] for each in made["results"]]
        assert len(set(prints)) == len(prints)
        for each in made["results"]:
            physical = each["locations"][0]["physicalLocation"]
            assert physical["region"]["startLine"] >= 1
            uri = physical["artifactLocation"]["uri"]
            assert (
                re.fullmatch(r"[A-Za-z0-9/._~@+,%-]+", uri) and not uri.startswith("/") and ".." not in uri.split("/")
            )
            assert each["message"]["text"].strip()


def test_fingerprints_outlive_versions_lines_and_other_findings() -> None:
    before = run()["results"][1]["partialFingerprints"]
    moved = tuple(layer._replace(line=layer.line + 5) for layer in SAMPLE.layers)
    newer = SAMPLE.findings[1]._replace(installed="1.0.0-2", purl="pkg:npm/%40scope/x@1.0.0-2")
    after = run(SAMPLE._replace(layers=moved, findings=(newer,)))["results"][0]["partialFingerprints"]
    assert after == before
    assert run()["results"][2]["partialFingerprints"] != before


def test_no_more_results_than_code_scanning_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_RESULTS == 25_000
    monkeypatch.setattr(scan_sarif, "MOST_RESULTS", 100)
    many = SAMPLE._replace(findings=tuple(SAMPLE.findings[0]._replace(id=f"CVE-{n}") for n in range(110)))
    made = run(many)
    assert len(made["results"]) == len(made["tool"]["driver"]["rules"]) == 100
    assert made["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"] == "10 results are left out"


@pytest.mark.parametrize(
    ("severity", "own", "wanted"),
    [("high", 9.8, 8.0), ("high", 7.2, 7.2), ("critical", 9.8, 9.8), ("low", 0.0, 2.0), ("unknown", 5.0, 5.0)],
)
def test_a_score_says_the_severity_that_the_keeper_of_the_data_gives(severity: Any, own: float, wanted: float) -> None:
    assert score(Finding("vulnerability", "CVE-1", "", severity, score=own)) == wanted


def test_places() -> None:
    elsewhere = SAMPLE._replace(layers=tuple(layer._replace(dockerfile="") for layer in SAMPLE.layers))
    assert place(elsewhere, SAMPLE.findings[0]) == ("team/app", 1)
    assert place(DIRECTORY, DIRECTORY.findings[6]) == ("project/app/.npmrc", 3)
    for name in (".", "/somewhere/else", "dir:."):
        assert place(DIRECTORY._replace(name=name), DIRECTORY.findings[6]) == ("app/.npmrc", 3)
    assert place(DIRECTORY, DIRECTORY.findings[0]) == ("project", 1)
    assert relative("/a/../../b c\\d") == "a/b%20c/d" and relative("..") == "image"
    assert repository("docker://alpine:3.20") == "library/alpine" and repository("not an image!") == "not an image!"
    for name, wanted in {
        "oci:/somewhere/bases:docker.io/library/alpine:3.20": "library/alpine",
        "oci:/somewhere/bases": "bases",
        "docker-archive:app.tar": "app",
        "oci-archive:a/b.tar:team/app:1": "team/app",
        "store:r.example.com/team/app@" + SAMPLE.digest: "team/app",
    }.items():
        assert repository(name) == wanted, name
    assert unversioned("pkg:npm/%40scope/x@1.0.0?a=b") == "pkg:npm/%40scope/x"
    assert unversioned("pkg:npm/@scope/x@1.0.0") == "pkg:npm/@scope/x"


# CycloneDX


def test_cyclonedx_has_the_bill_and_what_is_known_of_its_components() -> None:
    made = said("cyclonedx")
    faults = made["vulnerabilities"]
    assert [each["id"] for each in faults] == ["CVE-2024-1", "GHSA-aaaa-bbbb-cccc", "GO-2024-3", "CVE-2024-4"]
    assert [each["ref"] for each in faults[1]["affects"]] == ["component-1", "component-2"]
    known = {each["bom-ref"] for each in made["components"]}
    assert all(each["ref"] in known for fault in faults for each in fault["affects"])
    assert faults[0]["ratings"] == [
        {"severity": "high", "score": 9.8},
        {"method": "CVSSv31", "vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
    ]
    assert faults[0]["advisories"] == [{"url": "https://example.com/advisory"}]
    assert {"name": "kezuri:exploitedSince", "value": "2024-03-01"} in faults[0]["properties"]
    assert faults[3]["analysis"] == {"detail": "not reachable, until 2027-01-01"}
    assert said("cyclonedx")["serialNumber"] != said("cyclonedx", NOTHING)["serialNumber"]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(EVERY)))
def test_cyclonedx_is_valid(number: int) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    report, bill = EVERY[number]
    text = json_text(data("cyclonedx", report, bill, AT))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


# GitHub, GitLab


def test_a_snapshot_names_its_commit_and_every_package() -> None:
    made = said("github")
    assert (made["version"], made["sha"], made["ref"]) == (0, "c" * 40, "refs/heads/main")
    assert made["job"] == {"id": "7", "correlator": "_scan"} and made["scanned"] == AT
    manifests = made["manifests"]
    assert {key: sorted(each["resolved"]) for key, each in manifests.items()} == {
        "r.example.com/team/app:1 (debian)": ["libssl3"],
        "r.example.com/team/app:1 (node-pkg)": ["@scope/x", "@scope/x@0.9.0"],
        "r.example.com/team/app:1 (gobinary)": ["github.com/a/b"],
    }
    for manifest in manifests.values():
        assert manifest["file"] == {"source_location": "sub/Dockerfile"}
        for each in manifest["resolved"].values():
            assert each["package_url"].startswith("pkg:") and each["relationship"] == "direct"
    assert len(made["metadata"]) <= 8 and all(isinstance(value, str) for value in made["metadata"].values())
    assert said("github", NOTHING, NOTHING_BILL)["manifests"] == {}


def test_gitlab_gets_what_its_schema_asks_for() -> None:
    for report, bill in EVERY:
        made = said("gitlab", report, bill)
        assert made.keys() >= {"version", "scan", "vulnerabilities"}
        scan = made["scan"]
        assert scan["type"] == "container_scanning" and scan["status"] == "success"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", scan["start_time"]) and scan["end_time"]
        for tool in (scan["scanner"], scan["analyzer"]):
            assert tool["id"] and tool["name"] and tool["version"] and tool["vendor"]["name"]
        for each in made["vulnerabilities"]:
            assert each["id"] and each["severity"] in ("Critical", "High", "Medium", "Low", "Info", "Unknown")
            assert len(each["name"]) <= 255 and len(each["solution"]) <= 7000
            location = each["location"]
            assert location["operating_system"] and location["image"] and location["dependency"]["package"]["name"]
            assert 1 <= len(each["identifiers"]) <= 20
            assert all(re.match(r"(https?|ftp)://.+", link["url"]) for link in each.get("links", []))
    ids = [each["name"] for each in said("gitlab")["vulnerabilities"]]
    assert ids == ["CVE-2024-1 in libssl3", "GHSA-aaaa-bbbb-cccc in @scope/x", "GO-2024-3 in github.com/a/b"]
    for version, wanted in (("12", "debian:12"), ("3.20.3", "debian:3.20"), ("", "debian")):
        bill = SAMPLE_BILL._replace(distribution=SAMPLE_BILL.distribution._replace(version=version))
        assert said("gitlab", SAMPLE, bill)["vulnerabilities"][0]["location"]["operating_system"] == wanted


# JUnit, OpenVEX, Trivy


def test_junit_has_a_failed_case_for_each_finding() -> None:
    root = ElementTree.fromstring(written("junit", SAMPLE, SAMPLE_BILL))
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("9", "8", "1")
    cases = list(root.iter("testcase"))
    assert len(cases) == 9 and len(list(root.iter("failure"))) == 8
    assert cases[0].get("name") == "CVE-2024-1" and cases[0].get("classname") == "libssl3-3.0.11-1"
    for suite in root.iter("testsuite"):
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
    clean = ElementTree.fromstring(written("junit", NOTHING, NOTHING_BILL))
    assert clean.get("failures") == "0" and len(list(clean.iter("testcase"))) == 1


def test_openvex_makes_a_statement_for_each_fault() -> None:
    made = said("openvex")
    assert made["@context"] == "https://openvex.dev/ns/v0.2.0" and made["timestamp"] == AT and made["version"] == 1
    by_id = {each["vulnerability"]["name"]: each for each in made["statements"]}
    assert [*by_id] == ["CVE-2024-1", "GHSA-aaaa-bbbb-cccc", "GO-2024-3", "CVE-2024-4"]
    (product,) = by_id["CVE-2024-1"]["products"]
    assert product["@id"].startswith("pkg:oci/app@sha256%3Aabab".replace("%3A", ":")) or "sha256" in product["@id"]
    assert [part["@id"] for part in product["subcomponents"]] == [SAMPLE.findings[0].purl]
    for each in made["statements"]:
        assert each["status"] != "affected" or each["action_statement"]
        assert each["status"] != "not_affected" or each["impact_statement"]
    assert by_id["CVE-2024-4"]["status"] == "affected", "to bear a fault is not to have none"
    by_vex = [
        SAMPLE.findings[4]._replace(id=f"CVE-2024-{number}", ignored=text)
        for number, text in enumerate(("a.vex: not_affected: it is not called", "a.vex: not_affected", "b: fixed"))
    ]
    coded = by_vex[0]._replace(ignored="a.vex: not_affected: vulnerable_code_not_present")
    (statement,) = said("openvex", SAMPLE._replace(findings=(coded,)))["statements"]
    assert statement["justification"] == "vulnerable_code_not_present" and "impact_statement" not in statement
    vexed = SAMPLE._replace(findings=tuple(by_vex))
    first, second, third = said("openvex", vexed)["statements"]
    assert (first["status"], first["impact_statement"]) == ("not_affected", "it is not called")
    assert (second["status"], second["impact_statement"]) == ("not_affected", "a.vex: not_affected")
    assert (third["status"], third["status_notes"]) == ("fixed", "b: fixed")
    open_ones = [each._replace(status="undetermined") for each in (*by_vex, by_vex[0]._replace(ignored=""))]
    statements = said("openvex", SAMPLE._replace(findings=tuple(open_ones)))["statements"]
    assert [each["status"] for each in statements] == ["not_affected", "not_affected", "fixed", "under_investigation"]
    states = [fault["analysis"].get("state") for fault in said("cyclonedx", vexed)["vulnerabilities"]]
    assert states == ["not_affected", "not_affected", "resolved"]
    assert said("openvex", NOTHING)["statements"] == []


def test_readers_of_trivys_json_find_what_they_look_for() -> None:
    made = said("trivy")
    assert (made["SchemaVersion"], made["ArtifactType"]) == (2, "container_image")
    found = [
        (result["Class"], each["VulnerabilityID"], each["Severity"], each.get("FixedVersion", ""), each["Status"])
        for result in made["Results"]
        for each in result.get("Vulnerabilities", [])
    ]
    assert sorted(found) == [
        ("lang-pkgs", "GHSA-aaaa-bbbb-cccc", "CRITICAL", "1.0.1", "fixed"),
        ("lang-pkgs", "GHSA-aaaa-bbbb-cccc", "CRITICAL", "1.0.1, 2.0.0", "fixed"),
        ("lang-pkgs", "GO-2024-3", "UNKNOWN", "", "will_not_fix"),
        ("os-pkgs", "CVE-2024-1", "HIGH", "3.0.11-1~deb12u3", "fixed"),
    ]
    worst, mild = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"
    newer = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N"
    both = SAMPLE.findings[0]._replace(
        vectors=(newer, worst, mild), score=9.8, data="x", status="wont-fix", fixed=("2",)
    )
    results = said("trivy", SAMPLE._replace(findings=(both,)))["Results"]
    (fault,) = [each for result in results for each in result.get("Vulnerabilities", [])]
    assert fault["CVSS"] == {"x": {"V40Vector": newer, "V40Score": 8.7, "V3Vector": worst, "V3Score": 9.8}}
    assert fault["Status"] == "fixed"  # As --ignore-status has it.
    (secret,) = [each for result in made["Results"] for each in result.get("Secrets", [])]
    assert (secret["RuleID"], secret["StartLine"]) == ("npm-token", 3)
    (broken,) = [each for result in made["Results"] for each in result.get("Misconfigurations", [])]
    assert (broken["ID"], broken["Status"]) == ("DS-0002", "FAIL")
    assert made["Results"][0]["Target"] == "r.example.com/team/app:1 (debian 12)"
    assert said("trivy", DIRECTORY, DIRECTORY_BILL)["ArtifactType"] == "filesystem"


def test_what_others_wrote_is_no_order_to_anybody() -> None:
    for form in FORMATS:
        found = data(form, NASTY, EVERY[2][1], AT)
        text = written(form, NASTY, EVERY[2][1]) if found is None else json_text(found)
        assert "\x1b" not in text and "\n::error::" not in text
        assert HOSTILE not in text
