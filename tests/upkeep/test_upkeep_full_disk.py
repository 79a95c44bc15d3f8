"""`prune` and `rmi` make room on a disk on which nothing can be written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.users.users_run import SINGLE

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[2] / "src"
PRELUDE = """
set -e
cd "$WORK"
mount -t tmpfs -o size=6m tmpfs store
chmod 777 store
kezuri() { "$PYTHON" -m kezuri --root store/s "$@"; }
fill() { dd if=/dev/zero of=store/filler$1 bs=4k 2>/dev/null || true; }
room() { df --output=avail store | tail -1; }
kezuri build -q -t kept context >/dev/null
kezuri build -q --build-arg A=1 context >/dev/null
rm -rf store/s/contexts/*
"""
DOCKERFILE = "FROM scratch AS big\nARG A\nCOPY big /big\nFROM scratch\nARG A\nCOPY --from=big /big /$A/big\n"


def run(tmp_path: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """The script in a mount namespace of its own, with a small disk that holds a store."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    for name in ("store", "context"):
        (tmp_path / name).mkdir()
    (tmp_path / "context/Dockerfile").write_text(DOCKERFILE)
    (tmp_path / "context/big").write_bytes(os.urandom(600 << 10))
    environ = {**os.environ, "WORK": f"{tmp_path}", "PYTHON": sys.executable, "PYTHONPATH": f"{SOURCE}"}
    words = ["unshare", "-m", "--propagation", "private", "bash", "-c", PRELUDE + script]
    return subprocess.run(words, capture_output=True, text=True, env=environ, timeout=120, check=False)


def test_prune_frees_where_nothing_can_be_written(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        fill 1
        test $(room) -eq 0
        kezuri pull -q 127.0.0.1:1/none 2>&1 | grep -q "no space left on the device" && echo full
        kezuri images | grep -q kept && kezuri history kept | grep -q big && echo looked
        kezuri prune -f -a | tail -1
        test $(room) -gt 100 && echo room
        kezuri run --rm kept true 2>&1 | grep -v "true: command not found" || true
        kezuri store check
        kezuri images | grep -c kept
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "full\nlooked" in done.stdout and "room" in done.stdout and done.stdout.splitlines()[-1] == "1"
    assert "every digest right, nothing missing" in done.stdout


def test_a_log_that_the_disk_has_no_room_for_is_kept_in_memory(tmp_path: Path) -> None:
    """A killed process left a log of SQLite's that is larger than what is free: it cannot be brought home before
    something went."""
    done = run(
        tmp_path,
        """
        "$PYTHON" - <<'PROGRAM' || true
import os
from kezuri.diagnostics import KezuriError
from kezuri.store.store import Store
with Store("store/s") as store:
    try:
        for number in range(4000):
            store.database.put_layer(f"layer {number}", diff_id="d" * 60)
    except KezuriError as error:
        assert "no space left" in str(error)
        os.kill(os.getpid(), 9)
PROGRAM
        fill 1
        test "$(stat -c %s store/s/kezuri.db-wal)" -gt 1000000
        kezuri prune -f -a | tail -1
        test $(room) -gt 100 && echo room
        kezuri store check
        kezuri images | grep -c kept
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "room" in done.stdout and done.stdout.splitlines()[-1] == "1"


def test_what_others_have_open_is_left_to_them(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        "$PYTHON" -c "
from kezuri.store.store import Store
import sys
with Store('store/s'):
    print('open', flush=True)
    sys.stdin.read()
" < <(sleep 4) > store/said &
        until grep -q open store/said; do sleep 0.1; done
        fill 1
        kezuri prune -f -a | tail -1
        wait
        kezuri prune -f -a | tail -1
        kezuri store check
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Total reclaimed space: 0B" not in done.stdout.splitlines()[-2]


def test_rmi_takes_a_name_away_where_nothing_can_be_written(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        kezuri prune -f -a >/dev/null
        fill 1
        test $(room) -eq 0
        kezuri rmi kept
        test $(room) -gt 100 && echo room
        kezuri store check
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Untagged: kept:latest" in done.stdout and "room" in done.stdout


def test_an_ordinary_user_prunes_a_full_disk(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        f"""
        rm -rf store/s
        chmod 755 "$WORK" "$WORK/.." || true
        become="setpriv --reuid {SINGLE} --regid {SINGLE} --clear-groups env HOME=/nonexistent"
        user() {{ $become "$PYTHON" -m kezuri --root store/u "$@"; }}
        user build -q -t kept context >/dev/null
        user build -q --build-arg A=1 context >/dev/null
        fill 1
        user prune -f -a | tail -1
        test $(room) -gt 100 && echo room
        """,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "room" in done.stdout
