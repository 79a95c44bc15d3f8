"""Copies from a registry into a layout that are stopped: what has come is gone on with, and nothing is left behind."""

import fcntl
import os
import signal
import time
from pathlib import Path

import pytest
from tests.app.test_app_interrupted import LAYERS, PIECE, SIGNALS, Halting, start
from tests.registry.registry_faults import FaultyRegistry, make_image

from kezuri.images.layout import open_layout
from kezuri.oci import digest_of
from kezuri.transfer.beginnings import DIRECTORY

pytestmark = pytest.mark.slow

DIGEST = digest_of(LAYERS[0])
NAME = DIGEST[7:]


class Copies:
    """Copies of one image into one layout."""

    def __init__(self, server: FaultyRegistry, tmp_path: Path) -> None:
        self.server = server
        self.root, self.layout = tmp_path / "root", tmp_path / "layout"
        self.partial = self.layout / DIRECTORY
        self.blob = self.layout / "blobs" / "sha256" / NAME

    def run(self, tag: str = "1") -> None:
        with self.begin(tag) as process:
            said = process.communicate(timeout=60)[1]
            assert process.returncode == 0, said

    def begin(self, tag: str = "1"):  # type: ignore[no-untyped-def]
        return start(self.root, "copy", "-q", f"docker://{self.server.host}/app:{tag}", f"oci:{self.layout}:x")

    def halves(self) -> dict[str, int]:
        try:
            return {name: os.stat(self.partial / name).st_size for name in os.listdir(self.partial)}
        except FileNotFoundError:
            return {}

    def stopped(self, sizes: dict[str, int], sign: int, code: int) -> None:
        """A copy that is stopped when so much has come."""
        with self.begin() as process:
            end = time.monotonic() + 15
            while self.halves() != sizes:
                assert time.monotonic() < end, (self.halves(), sizes)
                time.sleep(0.02)
            process.send_signal(sign)
            assert process.wait(timeout=20) == code

    def ranges(self) -> list[str]:
        return [seen.range for seen in self.server.asked(DIGEST) if seen.method == "GET"]


@pytest.fixture
def copies(server: FaultyRegistry, tmp_path: Path) -> Copies:
    server.put(make_image(LAYERS[0]), "1")
    server.put(make_image(LAYERS[1]), "2")
    server.on(DIGEST, Halting(), times=len(SIGNALS))
    return Copies(server, tmp_path)


def test_what_was_copied_when_a_signal_came_is_gone_on_with(copies: Copies) -> None:
    for number, (sign, code) in enumerate(SIGNALS, 1):
        copies.stopped({NAME: number * PIECE}, sign, code)
        assert not copies.blob.exists()
    copies.run()
    last = len(LAYERS[0]) - 1
    assert copies.ranges() == ["", *(f"bytes={n * PIECE}-{last}" for n in range(1, len(SIGNALS) + 1))]
    assert copies.blob.read_bytes() == LAYERS[0] and not copies.partial.exists()
    assert copies.blob.stat().st_mode & 0o777 == 0o644 & ~_umask()
    with open_layout(str(copies.layout)) as layout:
        layout.root("x")


def test_another_copy_to_the_layout_removes_what_was_begun(copies: Copies) -> None:
    copies.stopped({NAME: PIECE}, signal.SIGKILL, -9)
    copies.run("2")
    assert not copies.partial.exists() and not copies.blob.exists()


def test_a_copy_that_brings_nothing_removes_nothing(copies: Copies) -> None:
    copies.run("2")
    copies.stopped({NAME: PIECE}, signal.SIGKILL, -9)
    copies.run("2")
    copies.server.rules.clear()
    copies.run()
    assert copies.ranges() == ["", f"bytes={PIECE}-{len(LAYERS[0]) - 1}"] and not copies.partial.exists()


def test_damaged_beginnings_are_fetched_anew(copies: Copies) -> None:
    copies.stopped({NAME: PIECE}, signal.SIGKILL, -9)
    copies.server.rules.clear()
    (copies.partial / NAME).write_bytes(b"x" * PIECE)
    copies.run()
    assert copies.blob.read_bytes() == LAYERS[0] and not copies.partial.exists()


def test_what_another_one_writes_is_left_to_him(copies: Copies) -> None:
    copies.stopped({NAME: PIECE}, signal.SIGKILL, -9)
    copies.server.rules.clear()
    with open(copies.partial / NAME, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        copies.run()
        copies.run("2")
        assert copies.ranges()[1:] == [""] and copies.halves() == {NAME: PIECE}
    assert copies.blob.read_bytes() == LAYERS[0]


@pytest.mark.parametrize(
    "laid", ["link", "second name", "pipe", "directory", "link of the directory", "open directory"]
)
def test_nothing_that_lies_in_the_way_is_written_through(copies: Copies, tmp_path: Path, laid: str) -> None:
    copies.server.rules.clear()
    victim, elsewhere = tmp_path / "victim", tmp_path / "elsewhere"
    victim.write_text("mine")
    elsewhere.mkdir()
    copies.layout.mkdir()
    if laid == "link of the directory":
        copies.partial.symlink_to(elsewhere)
    else:
        copies.partial.mkdir(mode=0o700)
    place = copies.partial / NAME
    if laid == "link":
        place.symlink_to(victim)
    elif laid == "second name":
        place.hardlink_to(victim)
    elif laid == "pipe":
        os.mkfifo(place)
    elif laid == "directory":
        place.mkdir()
    elif laid == "open directory":
        copies.partial.chmod(0o777)
        place.write_bytes(LAYERS[0][:PIECE])
    copies.run()
    assert copies.blob.read_bytes() == LAYERS[0] and not copies.blob.is_symlink()
    assert victim.read_text() == "mine" and list(elsewhere.iterdir()) == []
    assert copies.ranges() == [""]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
