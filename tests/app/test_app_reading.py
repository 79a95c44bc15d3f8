"""Commands that only look work on a store that cannot be written."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kezuri.store.store import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="mounts a store read-only"),
]

SOURCE = Path(__file__).parents[2] / "src"
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'


@pytest.fixture
def context(tmp_path: Path) -> Path:
    made = tmp_path / "context"
    made.mkdir()
    (made / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /d\nENV A=1\n")
    return made


def kezuri(root: Path, *argv: str, read_only: bool = True) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "PYTHONPATH": str(SOURCE), "KEZURI_ROOT": str(root)}
    command = [sys.executable, "-m", "kezuri", *argv]
    if read_only:
        command = ["unshare", "-m", "sh", "-c", READ_ONLY, str(root), *command]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def ageless(text: str) -> str:
    """The text without ages and what pads them: a second passes between two commands."""
    return re.sub(r"(less than )?\w+ seconds? ago *|CREATED  *", "", text, flags=re.IGNORECASE)


def test_what_only_looks_works_and_the_rest_says_why_not(tmp_path: Path, context: Path) -> None:
    root = tmp_path / "store"
    assert kezuri(root, "build", "-q", "-t", "a", str(context), read_only=False).returncode == 0
    looking = [("images",), ("images", "-q"), ("inspect", "a"), ("history", "a"), ("why", "-a")]
    looking += [
        ("cat", "a:/d"),
        ("ls", "-l", "a:/"),
        ("save", "-o", "/dev/null", "a"),
        ("digest", "a"),
        ("manifest", "inspect", "a"),
    ]
    looking += [
        ("discover", "a"),
        ("prune", "--dry-run"),
        ("plan", str(context)),
        ("build", "--check", str(context)),
        ("store", "check"),
    ]
    for argv in looking:
        here, there = kezuri(root, *argv, read_only=False), kezuri(root, *argv)
        assert (there.returncode, ageless(there.stdout)) == (here.returncode, ageless(here.stdout)), (
            argv,
            there.stderr,
        )
    # Its database has files beside it while it can be written.
    assert "blobs                 3" in kezuri(root, "du").stdout and kezuri(root, "du", "--verbose").returncode == 0
    unheard = kezuri(root, "push", "a", "localhost:1/a").stderr
    assert "localhost:1" in unheard and "Read-only" not in unheard
    for argv in (("build", "-q", str(context)), ("tag", "a", "b"), ("rmi", "a"), ("prune", "-f")):
        said = kezuri(root, *argv)
        assert said.returncode == 125 and "Read-only file system\n  help: " in said.stderr, argv


def test_the_log_of_a_killed_process_is_read(tmp_path: Path, context: Path) -> None:
    root = tmp_path / "store"
    assert kezuri(root, "build", "-q", "-t", "a", str(context), read_only=False).returncode == 0
    child = os.fork()
    if child == 0:
        with Store(str(root)) as store:
            store.database.facts.put_selection("seen", "yes")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert (root / "kezuri.db-wal").stat().st_size
    (root / "kezuri.db-shm").unlink()
    script = "import sys; from kezuri.store.store import Store\n"
    script += "with Store(sys.argv[1], reading=True) as store: print(store.database.facts.selection('seen'))"
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    command = ["unshare", "-m", "sh", "-c", READ_ONLY, str(root), sys.executable, "-c", script, str(root)]
    assert subprocess.check_output(command, env=environ, text=True) == "yes\n"
    assert json.loads(kezuri(root, "inspect", "a").stdout)[0]["RepoTags"] == ["a:latest"]
