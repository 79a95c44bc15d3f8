"""`kezuri check`, as it is typed: nothing is built, and no registry is asked."""

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kezuri.app.check_places import is_dockerfile
from kezuri.check import catalogue, sheets
from kezuri.check.names import canonical
from kezuri.check.rule import Example, Finding, Rule
from kezuri.check.subject import Subject
from kezuri.cli.console import Console
from kezuri.cli.main import call
from kezuri.dockerfile.parser import Dockerfile

Kezuri = Callable[..., tuple[int, str, str]]
RELATIVE = "FROM scratch\nWORKDIR a\n"


@pytest.fixture
def kezuri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kezuri:
    """Calls `kezuri check` in a directory with a Dockerfile of this text."""
    directory = tmp_path / "context"
    directory.mkdir()
    monkeypatch.chdir(directory)

    def run(*argv: str, text: str = RELATIVE, **environ: str) -> tuple[int, str, str]:
        (directory / "Dockerfile").write_text(text)
        out, err = io.StringIO(), io.StringIO()
        environ = {"HOME": str(tmp_path), "KEZURI_ROOT": str(tmp_path / "root"), **environ}
        code = call(("check", *argv), Console(out, err, environ))
        return code, out.getvalue(), err.getvalue()

    return run


def rules(out: str) -> list[tuple[int, str]]:
    return [(found["line"], found["rule"]) for found in json.loads(out)]


def test_a_finding_is_shown_at_its_line_and_counted(kezuri: Kezuri) -> None:
    code, out, err = kezuri("--rule", "WorkdirRelativePath")
    assert (code, err) == (1, "")
    assert out.startswith("warning[WorkdirRelativePath]: Relative workdir")
    assert " --> Dockerfile:2:1\n" in out
    assert out.endswith("\n\n1 file checked: 1 warning\n")


def test_nothing_found(kezuri: Kezuri) -> None:
    assert kezuri("--rule", "FromAsCasing") == (0, "1 file checked: nothing found\n", "")


def test_json_has_a_list_of_findings(kezuri: Kezuri) -> None:
    code, out, _ = kezuri("--format", "json", "--rule", "workdirrelativepath", "Dockerfile")
    (found,) = json.loads(out)
    assert code == 1
    assert (found["file"], found["line"], found["column"], found["level"]) == ("Dockerfile", 2, 1, "warning")
    assert found["rule"] == "WorkdirRelativePath"
    assert json.loads(kezuri("-f", "json", "--rule", "FromAsCasing")[1]) == []


def test_no_store_is_made(kezuri: Kezuri, tmp_path: Path) -> None:
    kezuri(text="FROM alpine\nWORKDIR a\n")
    assert not (tmp_path / "root").exists()


def test_what_does_not_parse_is_checked_nevertheless(kezuri: Kezuri) -> None:
    code, out, _ = kezuri("-f", "json", text="FROM scratch\nWORKDIRR a\nWORKDIR b\n")
    assert code == 1
    assert {(2, "Unbuildable"), (3, "WorkdirRelativePath")} <= set(rules(out))


def test_thresholds(kezuri: Kezuri) -> None:
    asked = ("--rule", "WorkdirRelativePath")
    assert kezuri(*asked, "--failure-threshold", "error")[0] == 0
    assert kezuri(*asked, "-t", "info")[0] == 1
    assert kezuri(*asked, "-t", "none")[0] == 0
    assert kezuri(*asked, "--no-fail")[0] == 0


def test_ignored_rules_are_left_out(kezuri: Kezuri) -> None:
    _, out, _ = kezuri("-f", "json", "--ignore", "WorkdirRelativePath")
    assert "WorkdirRelativePath" not in out


def test_an_unknown_rule_is_a_usage_error_that_names_the_near_one(kezuri: Kezuri) -> None:
    code, out, err = kezuri("--rule", "WorkdirRelativPath")
    assert (code, out) == (2, "")
    assert "there is no rule 'WorkdirRelativPath'" in err and "did you mean WorkdirRelativePath?" in err
    assert kezuri("--ignore", "nonsense-xyz")[0] == 2


def test_only_what_somebody_looks_for_can_be_asked_for(kezuri: Kezuri) -> None:
    """A name that another tool may have silences nothing here; asked for alone it would pass every file."""
    code, _, err = kezuri("--rule", "DL9999")
    assert code == 2 and "there is no rule 'DL9999'" in err
    assert kezuri("--ignore", "DL9999")[0] == kezuri()[0]
    assert kezuri("--rule", "SC2086")[0] == 0


def test_a_directory_means_its_dockerfiles(kezuri: Kezuri, tmp_path: Path) -> None:
    for name in ("web.Dockerfile", "Dockerfile.web", "Containerfile", "Dockerfile.md", "notes"):
        Path(name).write_text(RELATIVE)
    _, out, _ = kezuri("-f", "json", "--rule", "WorkdirRelativePath", ".")
    assert {found["file"] for found in json.loads(out)} == {
        "Dockerfile",
        "web.Dockerfile",
        "Dockerfile.web",
        "Containerfile",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, True) for name in ("Dockerfile", "dockerfile", "Containerfile", "Dockerfile.go", "x.y.Dockerfile")),
        *((name, True) for name in ("Dockerfile.alpine3.20", "api.containerfile", "DOCKERFILE", "Dockerfile-web")),
        *((name, False) for name in ("dockerfile.go", "Dockerfile.j2", "Dockerfile.md", "Dockerfile~", "mydockerfile")),
        *((name, False) for name in ("Dockerfile.dockerignore", "Dockerfile.template", "Dockerfile_old", "")),
    ],
)
def test_what_is_taken_for_a_dockerfile_by_its_name(name: str, expected: bool) -> None:
    assert is_dockerfile(name) == expected


def test_several_files_and_one_that_is_not_there(kezuri: Kezuri) -> None:
    Path("other").write_text(RELATIVE)
    code, out, err = kezuri(
        "-f", "json", "--no-fail", "--rule", "WorkdirRelativePath", "Dockerfile", "Dockerfle", "other"
    )
    assert code == 0
    assert [found["file"] for found in json.loads(out)] == ["Dockerfile", "other"]
    assert "there is no file Dockerfle" in err and "did you mean Dockerfile?" in err


class Broken(Rule):
    """A rule that finds something and then raises."""

    name = "Broken"
    summary = "Nothing"
    why = "Nothing."
    bad = good = Example("")

    def look(self, subject: Subject) -> Iterator[Finding]:
        yield Finding(self, "before", None)
        raise LookupError("no such thing\nat all")


def test_a_rule_that_raises_takes_nobody_down(kezuri: Kezuri, monkeypatch: pytest.MonkeyPatch) -> None:
    every = (Broken(), *catalogue.dockerfile_rules())
    monkeypatch.setattr(sheets, "dockerfile_rules", lambda: every)
    code, out, err = kezuri("-f", "json", text="FROM scratch\nWORKDIR a\n")
    assert code == 1
    assert {(1, "Broken"), (2, "WorkdirRelativePath")} <= set(rules(out))
    assert (
        "defect of kezuri: the rule Broken could not be asked about Dockerfile: LookupError: no such thing at all"
        in err
    )
    assert "Traceback" not in err
    assert "Traceback" in kezuri("-f", "json", KEZURI_DEBUG="1")[2]
    assert kezuri("-t", "none")[0] == 125
    assert kezuri("-t", "none", "--no-fail")[0] == 0


def test_a_file_that_cannot_be_looked_at_takes_no_other_down(kezuri: Kezuri, monkeypatch: pytest.MonkeyPatch) -> None:
    look = sheets.look

    def failing(dockerfile: Dockerfile, *more: Any) -> Subject:
        if dockerfile.source.name == "other":
            raise RecursionError("too deep")
        return look(dockerfile, *more)

    monkeypatch.setattr(sheets, "look", failing)
    Path("other").write_text(RELATIVE)
    code, out, err = kezuri("-f", "json", "--rule", "WorkdirRelativePath", "other", "Dockerfile")
    assert code == 1
    assert [found["file"] for found in json.loads(out)] == ["Dockerfile"]
    assert "defect of kezuri: other could not be checked: RecursionError: too deep" in err


def test_surroundings_do_not_lead_out_of_the_context(tmp_path: Path) -> None:
    from kezuri.app.check_places import Beside

    context, outside = tmp_path / "context", tmp_path / "outside"
    (context / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("x")
    (context / "sub" / "a").write_text("inside")
    (context / "link").symlink_to(outside)
    (context / "within").symlink_to("sub/a")
    (context / "file").symlink_to(outside / "secret")
    os.mkfifo(context / "pipe")
    (context / "large").write_bytes(b"a" * ((4 << 20) + 1))
    (context / "binary").write_bytes(b"a\0b")
    beside = Beside(str(context))
    assert list(beside.names()) == ["binary", "file", "large", "link", "pipe", "sub/", "within"]
    assert list(beside.names("sub")) == ["a"]
    assert beside.read("sub/a") == beside.read("within") == "inside"
    for name in ("link/secret", "file", "pipe", "large", "binary", "sub", "../outside/secret", "a\0b"):
        assert beside.read(name) is None, name
    assert list(beside.names("link")) == [] == list(beside.names("..")) == list(beside.names("file"))
    assert beside.exists("link") and beside.exists("sub/a") and not beside.exists("link/secret")
    assert not beside.exists("../outside") and not beside.exists("nothing")


def test_a_directory_means_what_lies_beside_its_dockerfile_too(kezuri: Kezuri) -> None:
    for name in ("compose.yaml", "docker-compose.prod.yml", "values.yaml", ".dockerignore"):
        Path(name).write_text("services:\n  a:\n    image: b\n" if name.startswith(("c", "d")) else "x: y\n")
    Path(".github/workflows").mkdir(parents=True)
    Path(".github/workflows/ci.yml").write_text("on: push\njobs:\n  a:\n    steps:\n      - run: x\n")
    code, out, err = kezuri("--no-fail", ".")
    assert (code, err) == (0, "")
    assert "5 files checked" in out
    Path("build.yml").write_text("on: push\njobs:\n  a:\n    steps:\n      - run: x\n")
    Path("chart.yml").write_text("services: a text\n")
    assert "6 files checked" in kezuri("--no-fail", ".")[1]
    code, _, err = kezuri("values.yaml")
    assert code == 1
    assert "there are no checks for values.yaml" in err


def test_a_document_that_is_no_yaml_is_told_with_its_place(kezuri: Kezuri) -> None:
    Path("compose.yaml").write_text("services: [\n")
    code, _, err = kezuri("compose.yaml")
    assert code == 1
    assert "compose.yaml:" in err


def test_settings_of_a_project_are_found_upwards(kezuri: Kezuri, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "deep" / "er").mkdir(parents=True)
    (repository / ".git").mkdir()
    (tmp_path / "kezuri.toml").write_text("[check]\nignore = ['UndefinedVar']\n")
    (repository / "kezuri.toml").write_text("[check]\nignore = ['WorkdirRelativePath']\nfailure-threshold = 'info'\n")
    file = repository / "deep" / "er" / "Dockerfile"
    file.write_text("FROM scratch\nWORKDIR a\nCOPY $b /c\n")
    _, out, _ = kezuri("-f", "json", str(file))
    found = [rule for _, rule in rules(out)]
    assert "WorkdirRelativePath" not in found and "UndefinedVar" in found
    (repository / "kezuri.toml").write_text("[check]\nignored = []\n")
    code, out, err = kezuri("-f", "json", str(file))
    assert (code, out) == (2, "")
    assert "unknown key 'ignored' of [check]" in err and f"{repository}/kezuri.toml:2:1" in err


def test_who_says_it_first_is_heard(kezuri: Kezuri, tmp_path: Path) -> None:
    asked = ("--rule", "WorkdirRelativePath")
    config = tmp_path / "config.toml"
    config.write_text("[check]\nfailure-threshold = 'none'\n")
    assert kezuri(*asked)[0] == 1
    assert kezuri(*asked, "--config", str(config))[0] == 0
    Path(".hadolint.yaml").write_text("failure-threshold: warning\n")
    assert kezuri(*asked, "--config", str(config))[0] == 1
    Path("kezuri.toml").write_text("[check]\nfailure-threshold = 'error'\n")
    assert kezuri(*asked)[0] == 0
    assert kezuri(*asked, HADOLINT_FAILURE_THRESHOLD="style")[0] == 1
    assert kezuri(*asked, "-t", "none", HADOLINT_FAILURE_THRESHOLD="style")[0] == 0
    assert kezuri(*asked, HADOLINT_NOFAIL="1")[0] == 0
    assert kezuri(*asked, "--no-fail=false", HADOLINT_NOFAIL="1", HADOLINT_FAILURE_THRESHOLD="style")[0] == 1


def test_ignore_files_of_other_tools(kezuri: Kezuri) -> None:
    for name in (".trivyignore", ".dockleignore"):
        Path(name).write_text("WorkdirRelativePath\n")
        assert "WorkdirRelativePath" not in kezuri("-f", "json")[1]
        Path(name).unlink()
    assert "WorkdirRelativePath" not in kezuri("-f", "json", DOCKLE_IGNORES="X,WorkdirRelativePath")[1]
    assert "WorkdirRelativePath" in kezuri("-f", "json")[1]


def test_a_setting_that_leads_elsewhere_is_not_followed(kezuri: Kezuri, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("very secret\n")
    Path("kezuri.toml").symlink_to(tmp_path / "secret")
    code, out, err = kezuri()
    assert (code, out) == (2, "")
    assert "kezuri.toml is a link out of its directory" in err and "very secret" not in err


def test_a_rule_that_a_file_of_settings_misspells_is_a_warning(kezuri: Kezuri) -> None:
    Path("kezuri.toml").write_text("[check]\nignore = ['WorkdirRelativPath']\n")
    code, out, err = kezuri("-f", "json")
    assert code == 1 and "WorkdirRelativePath" in out
    assert "warning: there is no rule 'WorkdirRelativPath'" in err and "did you mean WorkdirRelativePath?" in err


def test_options_of_hadolint(kezuri: Kezuri) -> None:
    (found,) = json.loads(kezuri("-f", "json", "--rule", "WorkdirRelativePath", "--style", "WorkdirRelativePath")[1])
    assert found["level"] == "style"
    silent = "FROM scratch\n# hadolint ignore=WorkdirRelativePath\nWORKDIR a\n"
    asked = ("-f", "json", "--rule", "WorkdirRelativePath")
    assert json.loads(kezuri(*asked, text=silent)[1]) == []
    assert len(json.loads(kezuri(*asked, "--disable-ignore-pragma", text=silent)[1])) == 1
    code, out, err = kezuri("--require-label", "a:number")
    assert (code, out) == (2, "") and "is not of the form NAME:FORM" in err
    (missing,) = json.loads(kezuri("-f", "json", "--rule", "DL3049", "--require-label", "author")[1])
    assert "author" in missing["message"]


def test_findings_are_written_into_a_file(kezuri: Kezuri) -> None:
    asked = ("--rule", "WorkdirRelativePath", "-f", "tty")
    code, out, err = kezuri(*asked, "-o", "found.txt")
    assert (code, out, err) == (1, "", "")
    assert Path("found.txt").read_text() == kezuri(*asked)[1] != ""
    code, _, err = kezuri(*asked, "-o", "Dockerfile/x")
    assert code in (1, 125) and "Dockerfile" in err


def test_standard_input(kezuri: Kezuri, monkeypatch: pytest.MonkeyPatch) -> None:
    def stdin(data: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    asked = ("-f", "tty", "--rule", "WorkdirRelativePath")
    stdin(RELATIVE.encode())
    assert kezuri(*asked, "-")[1].startswith("-:2 ")
    stdin(b"\xef\xbb\xbf" + RELATIVE.encode())
    assert kezuri(*asked, "--file-path-in-report", "sub/Dockerfile", "-")[1].startswith("sub/Dockerfile:2 ")
    assert kezuri("-", "-")[0] == 2


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a\0b", "odd is no text"),
        (b"\x7fELF" + bytes(range(1, 256)) * 9, "odd is no text"),
        (b"#" * ((16 << 20) + 1), "odd is larger than 16 MiB"),
    ],
)
def test_what_is_no_dockerfile_ends_in_one_clear_error(kezuri: Kezuri, data: bytes, said: str) -> None:
    Path("odd").write_bytes(data)
    code, out, err = kezuri("-f", "tty", "odd")
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {said}")


def test_places_that_are_no_files(kezuri: Kezuri, tmp_path: Path) -> None:
    Path("empty").mkdir()
    assert "there is nothing to check in empty" in kezuri("empty")[2]
    Path("none").symlink_to("nowhere")
    assert "there is no file none" in kezuri("none")[2]
    assert "there is no file Dockerfile/x, and the store has no such image" in kezuri("Dockerfile/x")[2]
    assert "/dev/zero is larger than 16 MiB" in kezuri("/dev/zero")[2]
    assert "not a path: ''" in kezuri("")[2]
    os.mkfifo("pipe")
    code, out, err = kezuri("-f", "tty", "pipe")
    assert (code, out) == (1, "")
    assert "nobody writes into the pipe pipe" in err
    if os.geteuid():
        Path("closed").touch(0)
        assert "cannot read" in kezuri("closed")[2]


def test_a_pipe_that_somebody_writes_into_is_read(kezuri: Kezuri) -> None:
    reader, writer = os.pipe()
    os.write(writer, RELATIVE.encode())
    os.close(writer)
    assert f"/dev/fd/{reader}:2 " in kezuri("-f", "tty", "--rule", "WorkdirRelativePath", f"/dev/fd/{reader}")[1]
    os.close(reader)


def test_github_gets_annotations_by_itself(kezuri: Kezuri) -> None:
    asked = ("--rule", "WorkdirRelativePath")
    code, out, err = kezuri(*asked, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY="summary.md")
    assert (code, err) == (1, "")
    assert out.startswith("warning[WorkdirRelativePath]")
    assert "\n::warning file=Dockerfile,line=2," in out
    assert Path("summary.md").read_text().startswith("### kezuri check\n")
    _, out, _ = kezuri(*asked, "-f", "json", GITHUB_ACTIONS="true")
    assert len(json.loads(out)) == 1
    _, out, _ = kezuri(*asked, "-f", "github", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY="summary.md")
    assert out.startswith("::warning ")
    assert Path("summary.md").read_text().count("### kezuri check") == 2
    code, _, err = kezuri(*asked, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY="no/such.md")
    assert code == 1 and "cannot write the summary of the step" in err


def test_the_list_of_rules(kezuri: Kezuri) -> None:
    code, out, _ = kezuri("--list")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["RULE", "LEVEL", "FIX", "ALSO", "CALLED"]
    assert {line.split()[0] for line in lines[1:]} == {rule.name for rule in catalogue.every_rule()}
    listed = json.loads(kezuri("--list", "-f", "json")[1])
    assert {one["rule"] for one in listed} == {rule.name for rule in catalogue.every_rule()}


def test_the_page_of_a_rule(kezuri: Kezuri) -> None:
    code, out, _ = kezuri("--explain", "dl1000")
    assert code == 0
    assert out.startswith("Unbuildable\n\nA Dockerfile can be built.\n\nlevel: error\nalso called: DL1000\n")
    assert "\nbad:\n\n  FROM scratch\n  COPPY a /\n" in out
    japanese = kezuri("--explain", "Unbuildable", LANG="ja_JP.UTF-8")[1]
    assert japanese.startswith("Unbuildable\n\nDockerfile がビルドできること。\n\nレベル: エラー\n別名: DL1000\n")
    code, out, err = kezuri("--explain", "Unbuildabel")
    assert (code, out) == (2, "") and "did you mean Unbuildable?" in err


def test_every_alias_has_a_page(kezuri: Kezuri) -> None:
    for rule in catalogue.every_rule():
        for alias in rule.aliases:
            assert rule in catalogue.named(canonical(alias.lower())), alias
    for alias in ("DL3008", "ds-0012", "CIS-DI-0005"):
        said = f"\n\n{kezuri('--explain', alias)[1]}"
        names = [rule.name for rule in catalogue.every_rule() if alias.upper() in rule.aliases]
        assert names and [name for name in names if f"\n\n{name}\n\n" not in said] == []


def test_exit_codes(kezuri: Kezuri) -> None:
    assert kezuri("--exit-code", "7")[0] == 7
    assert kezuri("--exit-code", "7", "-t", "none")[0] == 0
    assert kezuri("--exit-code", "7", "nothing")[0] == 1
    for wrong in ("x", "-1", "256", "³"):
        assert kezuri("--exit-code", wrong)[0] == 2


def test_registries_are_asked_when_that_is_wanted(kezuri: Kezuri, tmp_path: Path) -> None:
    text = "FROM 127.0.0.1:1/nothing\nWORKDIR a\n"
    asked = ("--rule", "WorkdirRelativePath", "--failure-threshold", "none")
    code, _, err = kezuri(*asked, text=text)
    assert (code, err) == (0, "")
    code, out, err = kezuri(*asked, "--online", text=text)
    assert code == 0 and "warning[WorkdirRelativePath]" in out
    assert "info: not checked: 127.0.0.1:1/nothing" in err
