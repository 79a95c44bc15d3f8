"""`--load`: the image goes to docker or podman, and what is said when nobody takes it. The programs are real."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from kezuri.app.build import build
from kezuri.app.outputs import LoadedImage
from kezuri.app.request import BuildRequest, BuildResult, Settings
from kezuri.diagnostics import KezuriError

pytestmark = pytest.mark.slow
needs_podman = pytest.mark.skipif(
    shutil.which("podman") is None or os.getuid() != 0, reason="podman is not installed, or we are not root"
)
NAME = "example.com/kezuri/loaded:1"


@pytest.fixture
def podman(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """podman with an image store of its own."""
    directory = tempfile.mkdtemp(prefix="kl")
    configuration = Path(directory, "storage.conf")
    configuration.write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{directory}/g"\nrunroot = "{directory}/r"\n')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(configuration))
    yield
    shutil.rmtree(directory)


@pytest.fixture
def no_daemon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A docker whose daemon is not there."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody")
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)


def load(tmp_path: Path, engine: Literal["", "docker", "podman"] = "", **more: Any) -> tuple[BuildResult, str]:
    """What a build gives that hands its image over, and everything that it told."""
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY Dockerfile /\nCMD ["/x"]\n')
    told: list[str] = []
    request = BuildRequest(str(tmp_path), tags=(NAME,), outputs=(LoadedImage(engine=engine),), **more)
    try:
        return build(request, Settings(str(tmp_path / "store")), lambda event: told.append(repr(event))), "\n".join(
            told
        )
    except KezuriError:
        (tmp_path / "told").write_text("\n".join(told))
        raise


def in_podman() -> str:
    """The id that podman has under the name."""
    done = subprocess.run(["podman", "image", "inspect", NAME], capture_output=True, text=True, check=True)
    return "sha256:" + str(json.loads(done.stdout)[0]["Id"])


@needs_podman
def test_podman_gets_the_image(tmp_path: Path, podman: None) -> None:
    result, told = load(tmp_path, "podman")
    assert in_podman() == result.config_digest
    assert "loading into podman" in told and "docker" not in told


@needs_podman
@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed")
def test_podman_gets_what_docker_does_not_take(tmp_path: Path, podman: None, no_daemon: None) -> None:
    result, told = load(tmp_path)
    assert in_podman() == result.config_digest
    assert "loading into docker" in told and "docker load failed" in told


@pytest.mark.skipif(shutil.which("docker") is None, reason="docker is not installed")
def test_a_docker_that_does_not_answer_is_an_error_of_its_own_words(tmp_path: Path, no_daemon: None) -> None:
    with pytest.raises(KezuriError, match=r"docker load failed: .*(connect|daemon)") as caught:
        load(tmp_path, "docker")
    assert "in the store of kezuri" in caught.value.diagnostics[0].hint
    from kezuri.store.store import Store

    with Store(str(tmp_path / "store")) as store:
        assert store.names.get(NAME) is not None


def test_where_neither_is_installed_the_store_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result, told = load(tmp_path)
    assert result.names == (NAME,)
    assert "no docker or podman to load the image into" in told
    with pytest.raises(KezuriError, match="podman is not installed here"):
        load(tmp_path, "podman")


def test_an_index_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    with pytest.raises(KezuriError, match="not an index of several") as caught:
        load(tmp_path, platforms=("linux/amd64", "linux/arm64"))
    assert caught.value.exit_code == 2
    assert "COPY" not in (tmp_path / "told").read_text()
