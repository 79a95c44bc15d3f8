"""Which commit and branch a directory is at, by CI's variables and by git's files, without git."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.suites.suites_folded import folded

from kezuri.app.growth import plain_name
from kezuri.app.revisions import Revision, revision

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def repository(place: Path, head: str, **files: str) -> Path:
    (place / ".git" / "refs" / "heads").mkdir(parents=True)
    (place / ".git" / "HEAD").write_text(head)
    for name, text in files.items():
        path = place / ".git" / name.replace("__", "/").replace("_", "-")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return place


@folded(
    [
        ("ref: refs/heads/main\n", {"refs__heads__main": COMMIT + "\n"}, Revision(COMMIT, "main")),
        ("ref: refs/heads/a/b\n", {"packed_refs": f"# pack\n{COMMIT} refs/heads/a/b\n"}, Revision(COMMIT, "a/b")),
        (COMMIT, {}, Revision(COMMIT)),
        ("ref: refs/heads/new\n", {}, Revision("", "new")),
        ("ref: refs/heads/../../../etc/passwd\n", {}, Revision()),
        ("ref: /etc/passwd\n", {}, Revision()),
        ("nonsense", {}, Revision()),
        ("ref: refs/heads/main\n", {"refs__heads__main": "x" * 100}, Revision("", "main")),
    ],
    lambda case: case[0].strip(),
)
def test_of_git(case: tuple[str, dict[str, str], Revision]) -> None:
    from tempfile import TemporaryDirectory

    head, files, expected = case
    with TemporaryDirectory() as place:
        below = repository(Path(place), head, **files) / "src" / "deep"
        below.mkdir(parents=True)
        assert revision(str(below), {}) == expected


def test_what_ci_says_goes_first(tmp_path: Path) -> None:
    repository(tmp_path, "ref: refs/heads/main\n", refs__heads__main=COMMIT)
    assert revision(str(tmp_path), {"GITHUB_SHA": "b" * 40}) == Revision("b" * 40, "main")
    assert revision(str(tmp_path), {"GITHUB_REF_NAME": "5/merge", "GITHUB_HEAD_REF": "topic"}).branch == "topic"
    assert revision(str(tmp_path), {"CI_COMMIT_SHA": "", "CI_COMMIT_REF_NAME": "x"}) == Revision(COMMIT, "x")
    assert revision("/", {}) == Revision()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_as_git_says(tmp_path: Path) -> None:
    def git(*words: str, at: str = "one") -> str:
        identity = ("-c", "user.name=n", "-c", "user.email=e@example", "-c", "init.defaultBranch=main")
        return subprocess.run(
            ["git", *identity, *words], cwd=tmp_path / at, check=True, capture_output=True, text=True
        ).stdout.strip()

    os.mkdir(tmp_path / "one")
    git("init")
    git("commit", "--allow-empty", "-m", "x")
    git("worktree", "add", "-b", "topic", "../two")
    git("commit", "--allow-empty", "-m", "y", at="two")
    for packed in (False, True):
        if packed:
            git("pack-refs", "--all")
        for at in ("one", "two"):
            expected = Revision(git("rev-parse", "HEAD", at=at), git("branch", "--show-current", at=at))
            assert revision(str(tmp_path / at), {}) == expected


@folded(
    [
        ("app", "app"),
        ("app:1", "app"),
        ("store:app:1", "app"),
        ("docker://ghcr.io/team/app:1", "ghcr.io/team/app"),
        (f"docker://ghcr.io/team/app@sha256:{'a' * 64}", "ghcr.io/team/app"),
        ("localhost:5000/app", "localhost:5000/app"),
        ("oci:/some/where:app:2", "app"),
        ("oci:/some/where", "where"),
        ("docker-archive:/some/app.tar", "app.tar"),
        ("NO NAME", "NO NAME"),
    ],
    lambda case: case[0],
)
def test_what_measurements_are_found_by(case: tuple[str, str]) -> None:
    image, name = case
    assert plain_name(image) == name
