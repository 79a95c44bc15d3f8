"""Engines that live as long as the tests of this room, and a context to build in their containers."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.places.places_engines import Docker, Podman, docker
from tests.users.users_run import subordinate_user

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
def rootless_podman() -> Iterator[Podman]:
    _needs("podman", "crun", "setpriv", "newuidmap")
    user = subordinate_user()
    if not user:
        pytest.skip("no user here has subordinate ids")
    directory = Path(tempfile.mkdtemp(prefix="kezuri-podman-"))
    yield Podman(directory, user)
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
    """A build context that every user may read."""
    made = tmp_path / "context"
    probe.lay_out(f"{made}")
    made.chmod(0o755)
    for path in made.parents:
        if path != Path("/") and os.stat(path).st_uid == os.geteuid():
            path.chmod(path.stat().st_mode | 0o011)
    return made


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """An emptyDir: root's, and everybody may write."""
    made = tmp_path / "volume"
    made.mkdir()
    made.chmod(0o777)
    return made
