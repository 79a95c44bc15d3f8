"""Completion: what may come next, and the scripts in a real shell."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from kezuri.app.answers import ImageSummary
from kezuri.app.request import Settings
from kezuri.cli.completion import SCRIPTS, answer, candidates
from kezuri.cli.console import Console
from kezuri.cli.main import call

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def images(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("kezuri.app.images")

    def listed(settings: Settings, filters: tuple[str, ...]) -> tuple[ImageSummary, ...]:
        names = ("docker.io/library/node:20", "docker.io/library/nginx:1", "ghcr.io/a/b:2", "")
        return tuple(ImageSummary(name, "", "", "", 0, "") for name in names)

    module.__dict__["images"] = listed
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(sys.modules["kezuri.app"], "images", module, raising=False)


def after(line: str) -> list[str]:
    *before, word = line.split(" ")
    console = Console(io.StringIO(), io.StringIO(), {"HOME": "/nowhere"})
    return [name for name, _ in candidates(before, word, console)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("bu", ["build", "buildx", "bud", "builder"]),
        ("image r", ["rm", "remove"]),
        ("store ", ["check"]),
        ("--root /x vers", ["version"]),
        ("--ro", ["--root"]),
        ("build --no-", ["--no-cache", "--no-cache-filter"]),
        ("buildx build --no-cache-", ["--no-cache-filter"]),
        ("build --net", ["--network"]),
        ("build --network ", ["default", "host", "none"]),
        ("build --network=h", ["--network=host"]),
        ("build --progress ra", ["rawjson"]),
        ("build --pus", ["--push"]),
        ("run n", ["node:20", "nginx:1"]),
        ("run node:20 ", []),
        ("run node:20 --e", []),
        ("run --pull ", ["missing", "always", "never"]),
        ("rmi node:20 g", ["ghcr.io/a/b:2"]),
        ("image inspect no", ["node:20"]),
        ("completion ", ["bash", "zsh", "fish"]),
        ("build --file ", []),
        ("build --on-error s", ["shell"]),
        ("build --on-error ", ["shell", "export,path="]),
        ("build -- ", []),
        ("scan --severity h", ["high"]),
        ("scan --scanners ", ["vuln", "secret", "misconfig", "licence"]),
        ("db update osv/P", ["osv/PyPI", "osv/Packagist", "osv/Pub"]),
        ("xyzzy ", []),
    ],
)
def test_candidates(line: str, expected: list[str]) -> None:
    assert after(line) == expected


def test_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM a AS base\nRUN x\nfrom --platform=x b as Build\nFROM c\n")
    (tmp_path / "other").write_text("FROM a AS prod\n")
    assert after("build --target ") == ["base", "Build"]
    assert after("build --target=b") == ["--target=base"]
    assert after("build -f other --target ") == ["prod"]
    assert after("build --no-cache-filter B") == ["Build"]
    assert after("build . --file=nothing --target ") == []


def test_bash_is_given_what_follows_its_word_breaks() -> None:
    console = Console(io.StringIO(), io.StringIO(), {"HOME": "/nowhere"})
    assert answer("bash", ["kezuri run node:"], console) == ["20"]
    assert answer("bash", ["kezuri build --network=n"], console) == ["none"]
    assert answer("bash", ["kezuri build 'a b' --net"], console) == ["--network"]
    assert answer("bash", ["kezuri build 'unclosed --net"], console) == []
    assert answer("bash", ["kezuri "], console)[0] == "build"
    assert answer("zsh", ["run", "node:"], console) == ["node:20"]
    assert answer("fish", ["version", "--form"], console) == ["--format\tjson, or a Go template: {{.Version}}"]


def test_it_never_fails() -> None:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err, {"HOME": "/nowhere", "KEZURI_CONFIG": "/no/such", "KEZURI_MAX_PARALLELISM": "x"})
    assert call(["__complete", "bash", "kezuri run "], console) == 0
    assert call(["__complete", "zsh"], console) == 0
    assert err.getvalue() == ""


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_scripts_are_printed_and_parse(shell: str) -> None:
    out = io.StringIO()
    assert call(["completion", shell], Console(out, io.StringIO(), {})) == 0
    assert "kezuri __complete " + shell in out.getvalue()
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([program, "-n"], input=out.getvalue(), text=True, check=True)


def test_bash_completes_for_real(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    program = tmp_path / "kezuri"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kezuri "$@"\n')
    program.chmod(0o755)
    script = (
        SCRIPTS["bash"]
        + '\nCOMP_LINE="kezuri build --network=h"\nCOMP_POINT=24\n_kezuri\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
        + 'COMP_LINE="kezuri version --fo tail"\nCOMP_POINT=19\n_kezuri\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([bash, "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["host", "--format"]
