"""Images taken apart on a full disk."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.anatomy.anatomy_stacks import tarred
from tests.app.app_shelf import Shelf

from kezuri.app.anatomy import Named, anatomy

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[2] / "src"
FULL = """mount -t tmpfs -o size=2m tmpfs "$0" && cp -a "$1/." "$0" && shift && rm -rf "$0"/listings/*
dd if=/dev/zero of="$0/fill" bs=4096 2>/dev/null
"$@" && ls "$0/listings" """


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="mounts a small disk")
def test_a_full_store_only_means_that_it_is_found_out_again(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "store")
    shelf.put("kept", [tarred(("a", b"x" * 5000)), tarred((".wh.a", b""))])
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [sys.executable, "-m", "kezuri", "--root", str(disk), "analyze", "--format", "json", "kept"]
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", FULL, str(disk), str(shelf.root), *command],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said, end = json.JSONDecoder().raw_decode(done.stdout)
    assert anatomy(shelf.settings, Named("kept")).wasted == 5000
    assert "5000" in json.dumps(said)
    assert done.stdout[end:].strip() == "", "there was room after all"
