"""Each form in which findings are written has what its readers want, whatever others wrote into the text."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from kezuri.check.catalogue import by_name
from kezuri.check.rule import Edit, Fix, Level, NewFile
from kezuri.check.told import Defect, Sheet, Told, reaches
from kezuri.cli.json_text import json_text
from kezuri.diagnostics import SourceText, Span
from kezuri.report import sarif
from kezuri.report.forms import FORMATS, data, written
from kezuri.report.places import fingerprinted, path, region
from kezuri.report.text import text

TEXT = "FROM scratch\nWORKDIR a\nRUN x \\\n  y\nWORKDIR a\n"
RELATIVE = by_name()["workdirrelativepath"]
CASING = by_name()["fromascasing"]
HOSTILE = "a\x1b[31m|`<b>&\"'%\r\n::error::x]]>\u202e\udcff"


def told(
    span: tuple[int, int] | None = (13, 22), level: Level = "warning", message: str = "it is relative", **more: Any
) -> Told:
    source = more.pop("source", SourceText("Dockerfile", TEXT))
    where = None if span is None else Span(*span)
    whole = more.pop("whole", where)
    return Told(RELATIVE, level, message, source, where, whole, more.pop("hint", "write /a"), **more)


FIX = Fix("write /a", (Edit(Span(21, 22), "/a"),), "A", files=(NewFile(".dockerignore", "x\n"),))
ONE = Sheet(SourceText("Dockerfile", TEXT), (told(aliases=("DL3000", "DS-0009"), fix=FIX, url="https://e.example/x"),))
CLEAN = Sheet(SourceText("sub/Dockerfile", "FROM scratch\n"), ())
SPREAD: tuple[tuple[tuple[int, int] | None, Level], ...] = (
    ((13, 22), "error"),
    (None, "warning"),
    ((22, 22), "info"),
    ((29, 34), "style"),
)
NASTY = Sheet(
    SourceText(f"odd,{HOSTILE}", TEXT),
    tuple(
        told(span, level, HOSTILE, hint=HOSTILE, source=SourceText(f"odd,{HOSTILE}", TEXT)) for span, level in SPREAD
    ),
)
EVERY = [ONE, CLEAN, NASTY]


def said(form: str, sheets: list[Sheet]) -> str:
    value = data(form, sheets)
    return written(form, sheets) if value is None else json_text(value)


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "text"])
def test_nothing_in_a_form_controls_a_terminal(form: str) -> None:
    assert all(line.isprintable() for line in said(form, EVERY).split("\n"))


def test_json() -> None:
    (found,) = data("json", [ONE, CLEAN])
    assert found == {
        "file": "Dockerfile",
        "line": 2,
        "column": 1,
        "endLine": 2,
        "endColumn": 10,
        "level": "warning",
        "code": "DL3000",
        "rule": "WorkdirRelativePath",
        "aliases": ["DL3000", "DS-0009"],
        "message": "it is relative",
        "hint": "write /a",
        "url": "https://e.example/x",
        "span": {"line": 2, "column": 1, "endLine": 2, "endColumn": 10},
        "fix": {
            "title": "write /a",
            "class": "A",
            "edits": [
                {"file": "Dockerfile", "line": 2, "column": 9, "endLine": 2, "endColumn": 10, "text": "/a"},
            ],
            "files": [{"path": ".dockerignore", "text": "x\n"}],
        },
    }
    assert data("json", []) == []
    assert json.loads(said("json", EVERY))[1]["message"] == HOSTILE


def test_a_part_of_an_instruction_is_apart_from_it() -> None:
    sheet = Sheet(SourceText("Dockerfile", TEXT), (told((33, 34), whole=Span(23, 34)),))
    (found,) = data("json", [sheet])
    assert (found["line"], found["endLine"], found["span"]["line"], found["span"]["column"]) == (3, 4, 4, 3)
    assert written("tty", [sheet]).startswith("Dockerfile:3 ")
    assert written("gnu", [sheet]).startswith("Dockerfile:4:3: ")


def test_lines() -> None:
    assert written("tty", [ONE, CLEAN]) == "Dockerfile:2 DL3000 warning: it is relative"
    assert written("gnu", [ONE]) == ("Dockerfile:2:1: warning: it is relative [WorkdirRelativePath (DL3000, DS-0009)]")
    assert [written(form, [CLEAN]) for form in ("tty", "gnu", "github")] == ["", "", ""]


def test_github() -> None:
    assert written("github", [ONE]) == (
        "::warning file=Dockerfile,line=2,endLine=2,col=1,endColumn=10,"
        "title=WorkdirRelativePath (DL3000%2C DS-0009)::it is relative%0Awrite /a"
    )
    lines = written("github", EVERY).split("\n")
    assert [line.split(" ")[0] for line in lines] == ["::error", "::warning", "::warning", "::notice", "::notice"]
    for line in lines:
        assert re.fullmatch(r"::\w+ (?:\w+=[^,:]*,)+title=[^,:]*::.*", line)
        assert "\r" not in line
    several = Sheet(SourceText("Dockerfile", TEXT), (told((23, 34)),))
    assert "line=3,endLine=4,title" in written("github", [several])


def test_junit() -> None:
    root = ElementTree.fromstring(written("junit", EVERY))
    assert (root.tag, root.attrib["tests"], root.attrib["failures"], root.attrib["errors"]) == (
        "testsuites",
        "6",
        "5",
        "0",
    )
    suites = root.findall("testsuite")
    assert [(s.attrib["tests"], s.attrib["failures"]) for s in suites] == [("1", "1"), ("1", "0"), ("4", "4")]
    (case,) = suites[0].findall("testcase")
    failure = case.find("failure")
    assert failure is not None and failure.attrib == {"type": "warning", "message": "it is relative"}
    assert failure.text is not None and "Dockerfile:2:1: warning: it is relative\nwrite /a" in failure.text
    assert suites[1].find("testcase/failure") is None


def test_checkstyle() -> None:
    root = ElementTree.fromstring(written("checkstyle", EVERY))
    assert root.tag == "checkstyle" and root.attrib["version"]
    first, second, third = root.findall("file")
    assert [e.attrib for e in first] == [
        {"line": "2", "column": "1", "severity": "warning", "message": "it is relative", "source": "DL3000"}
    ]
    assert len(second) == 0
    assert [e.attrib["severity"] for e in third] == ["error", "warning", "info", "info"]


def test_gitlab() -> None:
    found = data("gitlab", EVERY)
    assert [one["severity"] for one in found] == ["major", "critical", "major", "minor", "info"]
    assert len({one["fingerprint"] for one in found}) == len(found)
    assert found[0]["location"] == {"path": "Dockerfile", "lines": {"begin": 2, "end": 2}}
    for one in found:
        assert one["description"] and one["check_name"] and one["location"]["lines"]["begin"] >= 1
        assert one["severity"] in ("info", "minor", "major", "critical", "blocker")


def test_markdown() -> None:
    lines = written("markdown", EVERY).split("\n")
    assert lines[:3] == ["### kezuri check", "", "3 files checked: 1 error, 2 warnings, 1 info, 1 style"]
    rows = [line for line in lines if line.startswith("| ") and "`" in line]
    assert len(rows) == 5
    assert rows[0].startswith("| error ")
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 5 for row in rows)
    assert not any("<b>" in re.sub(r"`[^`]*`", "", row) for row in rows)
    assert written("markdown", [CLEAN]).endswith("1 file checked: nothing found")
    many = Sheet(CLEAN.source, tuple(told() for _ in range(600)))
    assert "(and 100 more)" in written("markdown", [many])


def test_text() -> None:
    sheets = [ONE, Sheet(CLEAN.source, (told(None, "style", "odd style", source=CLEAN.source),))]
    shown = text(sheets, "info")
    assert shown.startswith("warning[WorkdirRelativePath]: it is relative\n --> Dockerfile:2:1\n")
    assert shown.endswith("\n\n2 files checked: 1 warning, 1 style (1 not shown: --level style shows them)")
    assert "style[WorkdirRelativePath]: odd style" in text(sheets, "style")
    assert text([CLEAN], "info") == "1 file checked: nothing found"


def test_sarif_has_what_code_scanning_wants() -> None:
    log = data("sarif", [ONE, CLEAN, NASTY])
    assert (log["version"], log["$schema"].endswith("sarif-2.1.0.json")) == ("2.1.0", True)
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "kezuri" and driver["version"]
    for rule in driver["rules"]:
        assert rule["id"] and rule["shortDescription"]["text"] and rule["fullDescription"]["text"]
        assert rule["help"]["text"] and rule["help"]["markdown"] and rule["helpUri"].startswith("https://")
        assert rule["defaultConfiguration"]["level"] in ("error", "warning", "note", "none")
        assert rule["properties"]["precision"] and rule["properties"]["problem.severity"]
        assert rule["properties"]["tags"]
    assert [result["level"] for result in run["results"]] == ["warning", "error", "warning", "note", "note"]
    for result in run["results"]:
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["message"]["text"]
        assert result["partialFingerprints"]["primaryLocationLineHash"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert re.fullmatch(r"[\w.,%~/-]+", place["artifactLocation"]["uri"])
        region = place["region"]
        assert region["startLine"] >= 1 and region["startColumn"] >= 1
        assert (region["endLine"], region["endColumn"]) > (region["startLine"], region["startColumn"])
    assert len({r["partialFingerprints"]["primaryLocationLineHash"] for r in run["results"]}) == 5
    assert run["results"][0]["fixes"] == [
        {
            "description": {"text": "write /a"},
            "artifactChanges": [
                {
                    "artifactLocation": {"uri": "Dockerfile", "uriBaseId": "%SRCROOT%"},
                    "replacements": [
                        {
                            "deletedRegion": {"startLine": 2, "startColumn": 9, "endLine": 2, "endColumn": 10},
                            "insertedContent": {"text": "/a"},
                        }
                    ],
                }
            ],
        }
    ]
    assert run["automationDetails"]["id"]
    assert run["invocations"][0]["executionSuccessful"] is True


def test_sarif_tells_of_defects_and_keeps_the_heaviest_results(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sarif.MOST_RESULTS == 25_000, "GitHub takes no more"
    monkeypatch.setattr(sarif, "MOST_RESULTS", 25)
    sheet = Sheet(CLEAN.source, (*(told() for _ in range(26)), told(level="error")), (Defect("R", "f", "e", ""),))
    (run,) = data("sarif", [sheet])["runs"]
    assert len(run["results"]) == 25 and run["results"][0]["level"] == "error"
    notes = run["invocations"][0]["toolExecutionNotifications"]
    assert [note["message"]["text"] for note in notes] == [
        "defect of kezuri: the rule R could not be asked about f: e",
        "2 results are left out",
    ]
    assert run["invocations"][0]["executionSuccessful"] is False


def test_fingerprints_stay_when_lines_are_added() -> None:
    after = "# new\n\n" + TEXT
    sheet = Sheet(SourceText("Dockerfile", after), (told((20, 29), source=SourceText("Dockerfile", after)),))
    assert fingerprinted([ONE])[0][1] == fingerprinted([sheet])[0][1]
    twice = Sheet(ONE.source, (told((13, 22)), told((35, 44))))
    one, two = (print for _, print in fingerprinted([twice]))
    assert one.rpartition(":")[0] == two.rpartition(":")[0] and one != two


def test_paths_are_from_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert path(SourceText("./a/../Dockerfile", "")) == "Dockerfile"
    assert path(SourceText(f"{tmp_path}/sub/Dockerfile", "")) == "sub/Dockerfile"
    assert path(SourceText("/elsewhere/Dockerfile", "")) == "/elsewhere/Dockerfile"
    assert path(SourceText("-", "")) == "-"


def test_a_region_is_never_empty() -> None:
    source = SourceText("x", "ab\n\ncd")
    assert region(source, Span(0, 0)) == (1, 1, 1, 2)
    assert region(source, Span(3, 3)) == (2, 1, 2, 2)
    assert region(source, Span(4, 6)) == (3, 1, 3, 3)
    assert region(source, None) == (1, 1, 1, 2)


def test_levels_are_ordered() -> None:
    assert [reaches("info", threshold) for threshold in ("error", "warning", "info", "style", "ignore", "none")] == [
        *(False, False, True, True, True),
        False,
    ]
