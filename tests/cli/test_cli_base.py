"""`kezuri base`: the table as text, as Markdown and as JSON, its exit codes, and what argv is refused."""

import io
import json
from pathlib import Path

import pytest
from tests.app.base_layouts import Layout, apk, database, dpkg, fault

from kezuri.advisories.coordinates import Distribution
from kezuri.advisories.values import DataSet
from kezuri.alternatives.values import Advice, Base, Contents, Counts, End, Row
from kezuri.cli.base_text import markdown, text
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.cli.phrase import plainly
from kezuri.oci.dates import seconds
from kezuri.packages.package import Package
from kezuri.report.base_json import document

NOW = seconds("2026-08-25T00:00:00Z") or 0.0
DEBIAN = Distribution("debian", "12", "Debian GNU/Linux 12 (bookworm)")


def contents(created: str, size: int, libc: str = "libc6") -> Contents:
    return Contents(
        "sha256:" + "a" * 64, created, size, DEBIAN, (Package("deb", libc, "1"), Package("deb", "dash", "1"))
    )


OWN = Row(
    "node:17",
    "same",
    contents("2022-02-17T00:00:00Z", 376_000_000),
    Counts(8, 16, 4, 195, exploited=1),
    (End("Node.js 17", "2022-06-01", True, "", True), End("Debian 12 bookworm", "2026-06-10", True, "2028-06-30")),
    "glibc",
)
ADVICE = Advice(
    "Dockerfile",
    "linux/amd64",
    Base("node:17", "named", OWN, refresh="gone", made=False, dockerfile="Dockerfile", line=3),
    (
        Row("node:26-trixie-slim", "newer", contents("2026-08-20T00:00:00Z", 80_000_000), Counts(0, 0, 0, 44)),
        Row(
            "node:26-alpine3.24",
            "newer",
            contents("2026-08-20T00:00:00Z", 50_000_000),
            Counts(0, 1, 0, 0, 2, partial=True),
            libc="musl",
            also=("node:26-alpine",),
        ),
        Row("gcr.io/distroless/nodejs26", "distroless", contents("1970-01-01T00:00:00Z", 40_000_000), shell=False),
        Row("node:26-bookworm", "newer", absent="it is \x1b[31mnot|there"),
    ),
    (DataSet("debian", "https://example.org", "2026-08-24T10:00:00Z", "2026-08-24T11:00:00Z", 9),),
    "2026-08",
    told=("counted in part: node:26-alpine3.24: the database has no data about Alpine v3.24",),
    left_out=2,
)  # fmt: skip


def test_the_table_as_text() -> None:
    said = text(ADVICE, plainly, str, NOW)
    lines = said.splitlines()
    assert "Base:                node:17 (Dockerfile:3)" in lines
    assert "Made:                2022-02-17T00:00:00Z (4 years ago)" in lines
    assert "Node.js 17:          ended 2022-06-01" in lines
    assert "Debian 12 bookworm:  ended 2026-06-10; extended support until 2028-06-30" in lines
    assert "Newer build:         the registry has no such tag any more" in lines
    rows = {line.split("  ")[0]: line for line in lines}
    assert " ".join(rows["node:17"].split()) == (
        "node:17 223 8 critical, 16 high, 4 medium, 195 low 376MB 4 years ago "
        "Node.js 17 ended 2022-06-01; 1 known to be exploited"
    )
    assert "44  0 critical, 0 high, 0 medium, 44 low" in rows["node:26-trixie-slim"]
    assert "3+  0 critical, 1 high, 0 medium, 0 low, 2 unknown" in rows["node:26-alpine3.24"]
    assert rows["node:26-alpine3.24"].endswith("musl instead of glibc; also node:26-alpine")
    assert rows["gcr.io/distroless/nodejs26"].split()[1:] == ["-", "-", "40MB", "-", "no", "shell"]
    assert lines.index("Newer lines") < lines.index("Without a distribution's programs")
    assert "Best: FROM node:26-trixie-slim has 44 known faults, and node:17 has 223." in lines
    assert "Data: debian 2026-08-24" in lines
    assert "\x1b" not in said and "Could not be looked at: node:26-bookworm (" in said


def test_the_table_as_markdown_and_json() -> None:
    said = markdown(ADVICE, plainly, str, NOW)
    table = [line for line in said.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 4 and all(line.count("|") == 7 for line in table)
    found = json.loads(json.dumps(document(ADVICE)))
    assert found["best"] == "node:26-trixie-slim" and found["base"]["line"] == 3
    assert found["base"]["vulnerabilities"]["total"] == 223 and found["alternatives"][2]["vulnerabilities"] is None
    assert found["alternatives"][1]["vulnerabilities"]["partial"] is True
    assert found["base"]["ends"][0] == {
        "title": "Node.js 17", "day": "2022-06-01", "past": True, "extended": None, "over": True,
    }  # fmt: skip


@pytest.mark.slow
def test_json_is_as_its_schema_says() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((Path(__file__).parents[2] / "docs" / "base.schema.json").read_text())
    check = jsonschema.Draft202012Validator(schema)
    newer = ADVICE._replace(base=ADVICE.base._replace(newest=ADVICE.rows[0], name="", layers=3), data=(), no_data="x")
    for advice in (ADVICE, newer):
        check.validate(document(advice))
    wrong = document(ADVICE)
    wrong["base"]["more"] = 1
    assert not check.is_valid(wrong)


def kezuri(root: Path, *argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    environ = {"HOME": str(root), "KEZURI_ROOT": str(root / "store"), "KEZURI_DB": str(root / "advisories.db")}
    code = call(argv, Console(out, err, environ))
    return code, out.getvalue(), err.getvalue()


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path / "images")
    env = ("NODE_VERSION=18.20.8",)
    layout.add("docker.io/library/node:18-alpine", apk("3.19", zlib="1.0-r0"), env=env)
    layout.add("docker.io/library/node:18-slim", dpkg("12", zlib="1.0"), env=env)
    database(
        tmp_path / "advisories.db",
        fault("CVE-2026-1", "Debian", "12", "zlib", "1.1"),
        fault("CVE-2026-2", "Alpine", "v3.19", "zlib", "1.0-r1", "low"),
    )
    (tmp_path / "Dockerfile").write_text("ARG V\nFROM node:${V}\n")
    monkeypatch.chdir(tmp_path)
    words = ("base", "--from", f"oci:{layout.path}", "--platform", "linux/amd64", "--build-arg", "V=18-slim", ".")
    code, out, err = kezuri(tmp_path, *words)
    assert code == 0 and err == "" and "node:18-slim (./Dockerfile:2)" in out
    assert "Best: FROM node:18-alpine has 1 known faults, and node:18-slim has 1." in out
    code, out, _ = kezuri(tmp_path, *words, "--exit-code", "7", "--format", "json")
    found = json.loads(out)
    assert code == 7 and [row["name"] for row in found["alternatives"]] == ["node:18-alpine"]
    assert found["alternatives"][0]["libc"] == "musl"
    layout.add("docker.io/library/node:18-bookworm", {"etc/os-release": "ID=nothing\n"})
    assert kezuri(tmp_path, *(word.replace("18-slim", "18-bookworm") for word in words), "--exit-code", "7")[0] == 0
    code, out, _ = kezuri(tmp_path, *words, "--format", "markdown")
    assert code == 0 and "| node:18-alpine " in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--limit", "1000", "x"), "--limit is a number from 0 to 100"),
        (("--exit-code", "-1", "x"), "--exit-code is a number from 0 to 255"),
        (("--catalogue", "nowhere", "Dockerfile"), "the catalogue nowhere cannot be read"),
        (("--from", "nowhere:x", "Dockerfile"), "nowhere:x"),
        ((), "IMAGE"),
    ],
)
def test_what_is_refused(words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Dockerfile").write_text("FROM node:24\n")
    monkeypatch.chdir(tmp_path)
    code, out, err = kezuri(tmp_path, "base", *words)
    assert code == 2 and out == "" and said in err


def test_a_path_without_a_dockerfile_is_called_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for subject, message in (
        ("./nope", "error: there is no file or directory ./nope\n"),
        (f"{tmp_path}/nope", f"error: there is no file or directory {tmp_path}/nope\n"),
        ("./empty", "error: there is no Dockerfile in ./empty\n"),
        (".", "error: there is no Dockerfile in .\n"),
    ):
        console = Console(io.StringIO(), (err := io.StringIO()), {"HOME": str(tmp_path)})
        assert call(("base", subject), console) == 1
        assert err.getvalue() == message


def test_a_stage_that_is_not_there_is_no_other_one(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch AS build\nFROM debian:12\n")
    console = Console(io.StringIO(), (err := io.StringIO()), {"HOME": str(tmp_path)})
    assert call(("base", "--target", "biuld", f"{tmp_path}/Dockerfile"), console) == 1
    assert "target stage 'biuld' could not be found" in err.getvalue() and "did you mean `build`?" in err.getvalue()
