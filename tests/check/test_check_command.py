"""`kezuri build --check` and `--call`, as they are typed: nothing runs, and no registry is there."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kezuri.cli.console import Console
from kezuri.cli.main import call

TEXT = """\
ARG VERSION=1
# web the web server
FROM scratch AS web
# PORT where it listens
ARG PORT=80
RUN --mount=type=secret,id=key,required=true --mount=type=cache,target=/c,id=c --mount=type=ssh x
COPY notes.txt /
FROM web as Final
CMD run
"""
Kezuri = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kezuri(tmp_path: Path) -> Kezuri:
    context = tmp_path / "context"
    context.mkdir()
    (context / "notes.txt").write_text("x")
    environ = {"HOME": str(tmp_path), "KEZURI_ROOT": str(tmp_path / "root")}

    def run(*argv: str, text: str = TEXT, ignore: str = "") -> tuple[int, str, str]:
        (context / "Dockerfile").write_text(text)
        (context / ".dockerignore").write_text(ignore)
        out, err = io.StringIO(), io.StringIO()
        code = call(("build", *argv, str(context)), Console(out, err, environ))
        return code, out.getvalue(), err.getvalue().replace(str(context), "context")

    return run


def test_clean_file(kezuri: Kezuri) -> None:
    said = (0, "Check complete, no warnings found.\n", "")
    assert kezuri("--check", text="FROM scratch\nCOPY notes.txt /\n") == said
    assert kezuri("--call=check", text="FROM scratch\n") == said
    assert kezuri("--call", "lint", text="FROM scratch\n") == said


def test_warnings(kezuri: Kezuri) -> None:
    code, out, err = kezuri("--check", ignore="*.txt\n")
    assert (code, err) == (1, "")
    assert out.startswith("Check complete, 4 warnings have been found!\n\nwarning[CopyIgnoredFile]: ")
    assert "help: write `AS`\n  see: https://docs.docker.com/go/dockerfile/rule/from-as-casing/\n" in out
    assert kezuri("--call=check,ignorestatus=true")[0] == 0
    one = "FROM scratch\nWORKDIR a\n"
    assert kezuri("--check", text=one)[1].startswith("Check complete, 1 warning has been found!\n")


def test_target_limits_what_is_looked_at(kezuri: Kezuri) -> None:
    text = "FROM scratch AS a\nWORKDIR a\nFROM scratch AS b\nWORKDIR b\n"
    assert kezuri("--check", text=text)[1].count("warning[") == 2
    assert kezuri("--check", "--target", "b", text=text)[1].count("warning[") == 1


def test_errors_are_reported_beside_warnings(kezuri: Kezuri) -> None:
    code, out, err = kezuri("--check", text="FROM scratch as a\nSTOPSIGNAL nonsense\nCOPY --from=b/C x y\n")
    assert code == 1
    assert out.startswith("Check complete, 1 warning has been found!\n")
    assert "error: " in err
    assert "Check complete" not in kezuri("--check", text="FRM scratch\n")[1]


def test_json(kezuri: Kezuri) -> None:
    code, out, _ = kezuri("--call=check,format=json", text="FROM scratch\nWORKDIR \\\n  a\n")
    assert code == 1
    answer = json.loads(out)
    assert answer["sources"][0]["data"] == "RlJPTSBzY3JhdGNoCldPUktESVIgXAogIGEK"
    (warning,) = answer["warnings"]
    assert warning["ruleName"] == "WorkdirRelativePath"
    assert warning["url"] == "https://docs.docker.com/go/dockerfile/rule/workdir-relative-path/"
    assert warning["detail"].startswith('Relative workdir "a" can have')
    assert [r["start"]["line"] for r in warning["location"]["ranges"]] == [2, 3]
    failed = json.loads(kezuri("--call=check,format=json", text="FROM scratch\nRUNN\n")[1])
    assert failed["buildError"]["message"].startswith("unknown instruction: RUNN")
    assert failed["buildError"]["location"]["ranges"][0]["start"]["line"] == 2
    assert json.loads(kezuri("--call=check,format=json", text="FROM scratch\n")[1])["warnings"] == []


def test_error_option_fails_check_and_build(kezuri: Kezuri) -> None:
    text = "# check=error=true\nFROM scratch\nWORKDIR a\n"
    for argv in (("--check",), ("--progress=plain",)):
        code, _, err = kezuri(*argv, text=text)
        assert code == 1
        assert "error: lint violation found for rules: WorkdirRelativePath" in err
    argument = "BUILDKIT_DOCKERFILE_CHECK=error=true;skip=all"
    assert kezuri("--check", "--build-arg", argument, text=text)[0] == 0


def test_build_prints_a_line_for_each_finding_in_what_it_builds(kezuri: Kezuri) -> None:
    text = "FROM scratch AS never\nWORKDIR a\nFROM scratch\nCOPY notes.txt /\nENV A b\n"
    code, _, err = kezuri("--progress=plain", text=text)
    assert code == 0
    message = '"ENV key=value" should be used instead of legacy "ENV key value" format (line 5)'
    assert f"\n 1 warning found (use --check to expand):\n - LegacyKeyValueFormat: {message}\n" in err


def test_outline(kezuri: Kezuri) -> None:
    assert kezuri("--call=outline", "--target=web") == (
        0,
        "TARGET:      web\n"
        "DESCRIPTION: the web server\n"
        "\n"
        "BUILD ARG   VALUE   DESCRIPTION\n"
        "PORT        80      where it listens\n"
        "\n"
        "SECRET   REQUIRED\n"
        "key      true\n"
        "\n"
        "SSH       REQUIRED\n"
        "default\n"
        "\n"
        "CACHE MOUNT\n"
        "c\n",
        "",
    )
    answer = json.loads(kezuri("--call=outline,format=json", "--build-arg", "PORT=81")[1])
    assert answer["name"] == "final"
    place = {"ranges": [{"start": {"line": 5}, "end": {"line": 5}}]}
    assert answer["args"] == [
        {"name": "PORT", "description": "where it listens", "value": "81", "location": place},
    ]
    assert kezuri("--call=outline", text="FROM scratch\nSTOPSIGNAL x\n")[0] == 1


def test_targets(kezuri: Kezuri) -> None:
    assert kezuri("--call=targets") == (
        0,
        "TARGET          DESCRIPTION\nweb             the web server\nfinal (default)\n",
        "",
    )
    answer = json.loads(kezuri("--call=targets,format=json")[1])
    assert [(t.get("name"), t.get("default", False), t["base"]) for t in answer["targets"]] == [
        ("web", False, "scratch"),
        ("final", True, "web"),
    ]
    assert kezuri("--call=targets", text="FROM scratch\nRUNN\n")[0] == 1


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("chek", "did you mean check?"),
        ("check,format=yaml", "unknown format 'yaml'"),
        ("check,colour=no", "unknown key 'colour'"),
    ],
)
def test_wrong_calls(kezuri: Kezuri, said: str, message: str) -> None:
    code, _, err = kezuri(f"--call={said}")
    assert code == 2
    assert message in err


def test_call_build_builds(kezuri: Kezuri) -> None:
    code, _, err = kezuri("--call=build", "--progress=plain", text="FROM scratch\nCOPY notes.txt /\n")
    assert code == 0
    assert "Successfully built" in err


def test_registry_that_is_not_there_is_no_error(kezuri: Kezuri) -> None:
    text = "FROM registry.invalid/base AS one\nCOPY $x /\nWORKDIR /a\n"
    code, out, err = kezuri("--check", text=text)
    assert (code, err) == (0, "")
    assert out.startswith("Check complete, no warnings found.\n\ninfo: not checked: registry.invalid/base:latest: ")
    code, out, err = kezuri("--call=check,format=json", text=text)
    assert code == 0
    assert json.loads(out)["warnings"] == []
    assert "not checked" in err
