"""What is shown while files of an image come over the network."""

import os
import sys
import time
from pathlib import Path

import pytest
from tests.cli.cli_pty import OnTerminal
from tests.layer.layer_trees import tar_of
from tests.registry.registry_faults import FaultyRegistry, Handler, make_image

from kezuri.layer.entry import Entry

pytestmark = pytest.mark.slow

SIZE = 1_000_000


def slowly(handler: Handler, kind: str, data: bytes) -> None:
    """A blob in half a second."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    for at in range(0, len(data), 100_000):
        handler.wfile.write(data[at : at + 100_000])
        time.sleep(0.05)


@pytest.mark.parametrize("path", ["/dir", "/dir/file"])
def test_a_terminal_shows_how_much_came(tmp_path: Path, path: str) -> None:
    directory = Entry("dir", "dir", 0o755), None
    image = make_image(tar_of([directory, (Entry("dir/file", "file", size=SIZE), os.urandom(SIZE))]))
    environ = {**os.environ, "KEZURI_ROOT": str(tmp_path / "store"), "TERM": "xterm", "CI": "", "LC_ALL": "C.UTF-8"}
    with FaultyRegistry() as server:
        server.put(image, "1")
        server.on(image.layers[0].digest, slowly, times=5)
        source = f"{server.host}/app:1:{path}"
        with OnTerminal([sys.executable, "-m", "kezuri", "cp", source, "out"], environ, str(tmp_path)) as terminal:
            terminal.wait_for("1.00MB from")
            terminal.wait_for(f"kezuri: copied {source} to out")
            assert terminal.end() == 0
    shown = [line for line in terminal.text.replace("\n", "\r").split("\r") if "read" in line]
    assert len(set(shown)) >= 3, terminal.text
    assert shown[-1].endswith(f"of 1.00MB from {server.host}/app:1")
