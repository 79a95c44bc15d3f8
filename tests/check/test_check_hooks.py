"""The hooks for pre-commit: what they run is there, and they are for the files that kezuri checks."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from kezuri.app.check_places import is_dockerfile, is_document
from kezuri.cli.commands import load

ROOT = Path(__file__).parents[2]
HOOKS: list[dict[str, Any]] = YAML(typ="safe").load((ROOT / ".pre-commit-hooks.yaml").read_text())
CHECKED = (
    *(
        "Dockerfile",
        "sub/dockerfile",
        "Containerfile",
        "Dockerfile.web",
        "api.Dockerfile",
        "a/b.dockerfile",
        "Dockerfile-web",
    ),
    *(".dockerignore", "Dockerfile.dockerignore", "sub/.containerignore"),
    *(
        "compose.yaml",
        "docker-compose.yml",
        "docker-compose.prod.yml",
        "compose-test.yaml",
        "sub/compose.override.yaml",
    ),
    *(".github/workflows/ci.yml", ".gitea/workflows/x.yaml"),
)
OTHERS = (
    "README.md",
    "values.yaml",
    "Dockerfile_notes",
    "Dockerfile.md",
    "Dockerfile.j2",
    ".github/dependabot.yml",
    "composer.json",
)


@pytest.mark.parametrize("hook", HOOKS, ids=[hook["id"] for hook in HOOKS])
def test_a_hook_runs_a_command_that_is_there(hook: dict[str, Any]) -> None:
    program, name, *options = hook["entry"].split()
    assert (program, name) == ("kezuri", "check")
    known = {known for option in load(name)[0].options for known in option.names}
    assert set(options) <= known
    assert hook["language"] == "python" and hook["require_serial"] and hook["name"] and hook["description"]


@pytest.mark.parametrize("hook", HOOKS, ids=[hook["id"] for hook in HOOKS])
def test_a_hook_is_for_the_files_that_are_checked(hook: dict[str, Any]) -> None:
    wanted, unwanted = re.compile(hook["files"]), re.compile(hook["exclude"])
    taken = {name for name in (*CHECKED, *OTHERS) if wanted.search(name) and not unwanted.search(name)}
    assert taken == set(CHECKED)
    for path in CHECKED:
        name = path.rpartition("/")[2]
        assert is_dockerfile(name) != is_document(name)


@pytest.mark.slow
def test_pre_commit_runs_them(tmp_path: Path) -> None:
    if shutil.which("pre-commit") is None:
        pytest.skip("needs pre-commit, and a registry of packages")
    (tmp_path / "Dockerfile").write_text("from scratch as a\nWORKDIR a\n")
    for words in (("init", "-q"), ("add", ".")):
        subprocess.run(("git", *words), cwd=tmp_path, check=True)
    tried = ("pre-commit", "try-repo", str(ROOT), "kezuri-check", "--all-files", "--verbose")
    done = subprocess.run(tried, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 1
    assert "warning[WorkdirRelativePath]" in done.stdout
