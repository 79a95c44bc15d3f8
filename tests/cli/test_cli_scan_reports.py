"""`kezuri scan` writes the forms of other programs and the page, as they are typed; nobody needs a database."""

import io
import json
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest

from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.report.scan_forms import FORMATS


class Said(NamedTuple):
    code: int
    out: str
    err: str


class Scanner:
    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "root").mkdir()
        (place / "root" / ".env").write_text("PORT=1\nDB_PASSWORD=correcthorse\n")

    def __call__(self, *argv: str, **environ: str) -> Said:
        out, err = io.StringIO(), io.StringIO()
        known = {"HOME": str(self.place), "KEZURI_ROOT": str(self.place / "store"), **environ}
        argv = ("scan", "--scanners", "secret", *argv, str(self.place / "root"))
        return Said(call(argv, Console(out, err, known)), out.getvalue(), err.getvalue())


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scanner:
    monkeypatch.chdir(tmp_path)
    return Scanner(tmp_path)


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_is_printed_and_written(scan: Scanner, form: str) -> None:
    said = scan("--format", form)
    assert said.code == 0 and "correcthorse" not in said.out
    if form == "junit":
        assert ElementTree.fromstring(said.out).get("failures") == "1"
    else:
        assert isinstance(json.loads(said.out), dict)
    written = scan("--format", form, "--output", "out")
    assert (written.code, written.out) == (0, "")
    text = Path("out").read_text("utf-8")
    if form == "junit":
        ElementTree.fromstring(text)
    else:
        assert json.loads(text).keys() == json.loads(said.out).keys()


def test_sarif_of_a_directory_stands_in_its_files(scan: Scanner) -> None:
    (result,) = json.loads(scan("--format", "sarif").out)["runs"][0]["results"]
    physical = result["locations"][0]["physicalLocation"]
    assert (physical["artifactLocation"]["uri"], physical["region"]) == ("root/.env", {"startLine": 2})


def test_a_snapshot_is_of_the_commit_that_the_workflow_names(scan: Scanner) -> None:
    made = json.loads(scan("--format", "github", GITHUB_SHA="c" * 40, GITHUB_REF="refs/heads/main").out)
    assert (made["sha"], made["ref"]) == ("c" * 40, "refs/heads/main")


def test_templates_of_trivys_are_forms_and_others_are_refused(scan: Scanner) -> None:
    same = scan("--format", "template", "--template", "@contrib/junit.tpl")
    assert same == scan("--format", "junit")
    for argv in (
        ("--format", "template"),
        ("--format", "template", "--template", "@contrib/html.tpl"),
        ("--format", "template", "--template", "{{ range . }}{{ end }}"),
        ("--template", "@contrib/junit.tpl"),
    ):
        said = scan(*argv)
        assert said.code == 2 and said.out == ""


def test_the_page_is_written_beside_what_is_printed(scan: Scanner, capfd: pytest.CaptureFixture[str]) -> None:
    said = scan("--html", "report.html")
    assert said.code == 0 and "secret-in-env-file" in said.out and "report.html" in said.err
    page = Path("report.html").read_bytes()
    assert page.startswith(b"<!doctype html>") and b"correcthorse" not in page
    assert scan("--html", "-").out == "", "nothing else goes where the page goes"
    alone = capfd.readouterr().out
    assert alone.startswith("<!doctype html>") and alone.endswith("</html>\n")
    gate = scan("--html", "report.html", "--exit-code", "3")
    assert gate.code == 3
    assert scan("--html", str(scan.place)).code == 125, "a directory is told before anything is read"


def test_findings_stand_at_the_instruction_or_at_the_from_that_brought_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"HOME": str(tmp_path), "KEZURI_ROOT": str(tmp_path / "store")}

    def typed(*argv: str) -> str:
        out, err = io.StringIO(), io.StringIO()
        assert call(argv, Console(out, err, environ)) == 0, err.getvalue()
        return out.getvalue()

    for name, text in {
        "base": "FROM scratch\nCOPY token /base-token\n",
        "app": "# an application\nARG A\n\nFROM base:1\nLABEL a=b\nCOPY token /own-token\n",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(text)
        (tmp_path / name / "token").write_text(f"glpat-aB3dE6gH9jK2mN5pQ8sT {name}")
        typed("build", "-q", "-t", f"{name}:1", name)
    for _ in range(2):  # read, and as it was kept
        results = json.loads(typed("scan", "--scanners", "secret", "--format", "sarif", "app:1"))["runs"][0]["results"]
        assert [
            (each["properties"]["path"], place["artifactLocation"]["uri"], place["region"]["startLine"])
            for each in results
            for place in [each["locations"][0]["physicalLocation"]]
        ] == [("base-token", "app/Dockerfile", 4), ("own-token", "app/Dockerfile", 6)]
        assert "glpat-" not in json.dumps(results)
