"""Engines that live as long as the tests of this room, and a context to build in their containers."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.places.places_engines import Docker, Podman, docker

from kezuri.sandbox import probe


def _needs(*programs: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root starts an engine here")
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    _needs("podman", "crun")
    directory = tmp_path_factory.mktemp("podman")
    yield Podman(directory)
    # podman leaves a mount of its storage where it was started in no namespace of its own; here there is none.
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def dockerd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    _needs("dockerd", "docker", "runc")
    directory = tmp_path_factory.mktemp("docker")
    try:
        with docker(directory) as engine:
            yield engine
    finally:
        subprocess.run(["rm", "-rf", f"{directory}"], check=False)


@pytest.fixture
def context(tmp_path: Path) -> Path:
    probe.lay_out(f"{tmp_path}/context")
    return tmp_path / "context"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """An emptyDir: root's, and everybody may write."""
    made = tmp_path / "volume"
    made.mkdir()
    made.chmod(0o777)
    return made
