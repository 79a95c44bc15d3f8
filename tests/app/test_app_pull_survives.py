"""Pulls that are killed at any moment, cut all the time, or meet a full disk: the next one goes on where they were."""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from threading import Lock

import pytest
from tests.app.test_app_interrupted import SOURCE, halves, start
from tests.layer.layer_trees import tar_of
from tests.registry.registry_faults import FaultyRegistry, Handler, make_image

from kezuri.app.doctor import check_store
from kezuri.app.request import Settings
from kezuri.layer.entry import Entry
from kezuri.oci import digest_of

pytestmark = pytest.mark.slow

MEGABYTE = 1 << 20


def layer(seed: int, size: int) -> bytes:
    """A layer of one file of random bytes."""
    return tar_of([(Entry(f"file-{seed}", "file", size=size), random.Random(seed).randbytes(size))])


class Slowly:
    """Sends blobs in small pieces, a megabyte in half a second, and keeps account: of each request where it began and
    how much was sent. `cuts`: each connection breaks after so many bytes."""

    def __init__(self, cuts: int = 0) -> None:
        self.sent: list[tuple[str, int, int]] = []
        self._cuts = cuts
        self._lock = Lock()

    def __call__(self, handler: Handler, kind: str, data: bytes) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
        begin = int(found[1]) if found else 0
        handler.send_response(206 if found else 200)
        handler.send_header("Content-Length", str(len(data) - begin))
        if found:
            handler.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        handler.end_headers()
        at = begin
        try:
            while at < len(data) and not 0 < self._cuts <= at - begin:
                handler.wfile.write(data[at : at + 8192])
                at = min(len(data), at + 8192)
                time.sleep(0.004)
        except OSError:
            pass
        handler.close_connection = True
        with self._lock:
            self.sent.append((digest_of(data), begin, at - begin))


def complete(root: Path, layers: tuple[bytes, ...]) -> None:
    """The store has the layers, nothing else was left, and all of it is sound."""
    assert halves(root) == {} and os.listdir(root / "tmp") == []
    for data in layers:
        assert (root / "blobs" / "sha256" / digest_of(data)[7:]).read_bytes() == data
    assert [check.state for check in check_store(Settings(str(root)))] == ["ok"]


def test_killed_at_any_moment(tmp_path: Path) -> None:
    chance, root, slowly = random.Random(11), tmp_path / "root", Slowly()
    layers = layer(1, 3 * MEGABYTE), layer(2, MEGABYTE)
    with FaultyRegistry() as server:
        server.put(make_image(*layers), "1")
        for data in layers:
            server.on(digest_of(data), slowly, times=1000)
        kills = 0
        for turn in range(60):
            had = halves(root)
            whole = {one[7:] for one in map(digest_of, layers) if (root / "blobs/sha256" / one[7:]).exists()}
            server.log.clear()
            with start(root, "pull", "-q", f"{server.host}/app:1") as process:
                try:
                    process.wait(chance.uniform(0.2, 0.6) * (1 + turn / 10))  # more on a slow machine
                except subprocess.TimeoutExpired:
                    process.kill()
            for data in layers:
                digest = digest_of(data)
                asked = [seen.range for seen in server.asked(digest)]
                assert not (asked and digest[7:] in whole), "what is there whole is not asked for"
                kept = had.get(digest[7:], 0)
                assert asked[:1] in ([], [f"bytes={kept}-{len(data) - 1}" if kept else ""]), (asked, kept)
            if process.returncode == 0:
                break
            kills += process.returncode == -9
        assert process.returncode == 0 and kills >= 3
        complete(root, layers)
    # All in all each byte came once, but for what was under way when the kills came.
    for data in layers:
        sent = sum(count for digest, _, count in slowly.sent if digest == digest_of(data))
        assert len(data) <= sent < len(data) + kills * MEGABYTE / 2


def test_cut_all_the_time(tmp_path: Path) -> None:
    root, slowly = tmp_path / "root", Slowly(cuts=1_200_000)
    data = layer(3, 4 * MEGABYTE)
    with FaultyRegistry() as server:
        server.put(make_image(data), "1")
        server.on(digest_of(data), slowly, times=1000)
        with start(root, "pull", "-q", f"{server.host}/app:1") as process:
            assert process.wait(60) == 0
        complete(root, (data,))
    begins = [begin for _, begin, _ in slowly.sent]
    assert len(begins) == 4 and begins == sorted(set(begins))
    assert sum(count for _, _, count in slowly.sent) == len(data)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="only root mounts a small disk")
def test_a_full_disk(tmp_path: Path) -> None:
    root, data = tmp_path / "root", layer(4, 8 * MEGABYTE)
    root.mkdir()
    script = """
        mount -t tmpfs -o size=6m none "$KEZURI_ROOT" || exit 99
        "$PYTHON" -m kezuri pull -q "$IMAGE"; echo "code $?"
        stat -c '%s' "$KEZURI_ROOT"/partial/*
        mount -o remount,size=30m "$KEZURI_ROOT"
        "$PYTHON" -m kezuri pull -q "$IMAGE"; echo "code $?"
        "$PYTHON" -m kezuri store check; echo "code $?"
        ls "$KEZURI_ROOT"/partial "$KEZURI_ROOT"/tmp
    """
    with FaultyRegistry() as server:
        server.put(make_image(data), "1")
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "KEZURI_ROOT": str(root), "PYTHON": sys.executable}
        environment |= {"IMAGE": f"{server.host}/app:1", "SSL_CERT_FILE": "/nonexistent", "LC_ALL": "C.UTF-8"}
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        asked = [seen.range for seen in server.asked(digest_of(data))]
    lines = done.stdout.splitlines()
    assert lines[0] == "code 125" and "no space left on the device" in done.stderr, done
    kept = int(lines[1])
    assert 3 * MEGABYTE < kept < 6 * MEGABYTE
    assert asked == ["", f"bytes={kept}-{len(data) - 1}"]
    assert lines[3] == "code 0" and lines[5] == "code 0", done
    assert [line for line in lines[6:] if line and not line.endswith(":")] == []
