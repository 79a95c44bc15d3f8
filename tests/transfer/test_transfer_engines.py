"""Programs that load and save images, as they should not be: they talk without end, or end too early."""

import io
import os
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.transfer.engines import loading, saving

TALKS = "head -c 1000000 /dev/zero | tr '\\0' 'x\\n' >&2; echo >&2;"


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program = tmp_path / "podman"
    program.touch(0o755)
    return program


@pytest.mark.parametrize("code", [0, 3])
def test_one_that_talks_before_it_reads(podman: Path, code: int) -> None:
    podman.write_text(f"#!/bin/sh\n{TALKS} cat >/dev/null; {TALKS} echo that was it >&2; exit {code}\n")
    if code == 0:
        with loading("podman") as sink:
            sink.write(bytes(1_000_000))
    else:
        with pytest.raises(KezuriError, match=r"podman load failed: that was it$"), loading("podman") as sink:
            sink.write(bytes(1_000_000))


def test_one_that_talks_before_it_writes(podman: Path) -> None:
    podman.write_text(f"#!/bin/sh\n{TALKS} echo archive\n")
    with saving("podman", "x") as stream:
        assert io.BufferedReader(stream).read() == b"archive\n"  # type: ignore[type-var]


def test_one_that_reads_nothing(podman: Path) -> None:
    podman.write_text("#!/bin/sh\nexec <&-; echo no room >&2; exit 1\n")
    with pytest.raises(KezuriError, match=r"podman load failed: no room$"), loading("podman") as sink:
        for _ in range(100):
            sink.write(bytes(100_000))


def test_what_it_leaves_running_is_not_waited_for(podman: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kezuri.transfer.engines._PATIENCE", 0.2)
    podman.write_text("#!/bin/sh\necho gone >&2; sleep 2 >/dev/null & exit 1\n")
    with pytest.raises(KezuriError, match=r"podman load failed: gone$"), loading("podman"):
        pass
