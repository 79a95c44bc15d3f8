"""Pulls and builds that are stopped while they fetch: gone at once, and what has come is gone on with."""

import gzip
import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest
from tests.registry.registry_faults import FaultyRegistry, Handler, make_image

from kezuri.oci import digest_of

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[2] / "src"
PIECE = 50_000
SIGNALS = [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130), (signal.SIGKILL, -9)]


def layer(seed: int) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo(f"file-{seed}")
        entry.size = 300_000
        archive.addfile(entry, io.BytesIO(random.Random(seed).randbytes(entry.size)))
    return gzip.compress(stream.getvalue(), mtime=0)


LAYERS = layer(1), layer(2)


class Halting:
    """Sends the next part of a blob, and then nothing, until it is let go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def __call__(self, handler: Handler, kind: str, data: bytes) -> None:
        start = int(handler.headers.get("Range", "bytes=0-").partition("=")[2].partition("-")[0])
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(data) - start))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.end_headers()
        handler.wfile.write(data[start : start + PIECE])
        handler.wfile.flush()
        self.go_on.wait(60)
        handler.wfile.write(data[start + PIECE :])


def start(root: Path, *argv: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "KEZURI_ROOT": str(root), "SSL_CERT_FILE": "/nonexistent"}
    # A shell's background jobs ignore SIGINT and SIGHUP, and so would their children.
    return subprocess.Popen(
        [sys.executable, "-m", "kezuri", *argv],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: [signal.signal(n, signal.SIG_DFL) for n in (signal.SIGHUP, signal.SIGINT)],
    )


def halves(root: Path) -> dict[str, int]:
    try:
        return {name: os.stat(root / "partial" / name).st_size for name in os.listdir(root / "partial")}
    except FileNotFoundError:
        return {}


def until(root: Path, sizes: dict[str, int]) -> None:
    end = time.monotonic() + 15
    while halves(root) != sizes:
        assert time.monotonic() < end, (halves(root), sizes)
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("command", "layers"),
    [("pull", LAYERS[:1]), ("pull", LAYERS), ("build", LAYERS[:1])],
    ids=["pull", "pull of two layers", "build"],
)
def test_what_was_fetched_when_a_signal_came_is_gone_on_with(
    server: FaultyRegistry, tmp_path: Path, layers: tuple[bytes, ...], command: str
) -> None:
    halting, root = Halting(), tmp_path / "root"
    server.put(make_image(*layers), "1")
    digests = [digest_of(data) for data in layers]
    for digest in digests:
        server.on(digest, halting, times=100)
    (tmp_path / "Dockerfile").write_text(f"FROM {server.host}/app:1\nCOPY Dockerfile /\n")
    argv = [command, "-q", f"{server.host}/app:1" if command == "pull" else str(tmp_path)]
    for number, (sign, code) in enumerate(SIGNALS, 1):
        with start(root, *argv) as process:
            until(root, {digest[7:]: number * PIECE for digest in digests})
            process.send_signal(sign)
            process.wait(30)  # the server would be waited for longer
        assert process.returncode == code
    halting.go_on.set()
    with start(root, *argv) as process:
        assert process.wait(30) == 0
    assert halves(root) == {} and os.listdir(root / "tmp") == []
    for digest, data in zip(digests, layers):
        assert (root / "blobs" / "sha256" / digest[7:]).read_bytes() == data
        assert server.asked(digest)[-1].range == f"bytes={len(SIGNALS) * PIECE}-{len(data) - 1}"
