"""The same Dockerfiles through kezuri, BuildKit (docker's and a newer one) and buildah: the images are equal, but for
what is listed as meant."""

import os
from pathlib import Path

import pytest
from benchmarks.base import Base
from benchmarks.builders import Buildah
from benchmarks.dockerd import Dockerd
from tests.peers.peers_builders import Asked, Buildkit, Kezuri
from tests.peers.peers_cases import CASES, Case, make_context
from tests.peers.peers_differences import meant
from tests.peers.peers_images import Image, config_differences, history_differences, read, tree_differences

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def context(scratch: str) -> str:
    os.mkdir(f"{scratch}/context")
    make_context(f"{scratch}/context")
    return f"{scratch}/context"


@pytest.mark.parametrize("case", [case for case in CASES if case.docker], ids=lambda case: case.name)
def test_as_docker_does(case: Case, tmp_path: Path, kezuri: Kezuri, daemon: Dockerd, base: Base, context: str) -> None:
    ours = _ours(kezuri, case, tmp_path, base, context)
    theirs_file = _write(tmp_path, "theirs", case.equal or case.text, base)
    command = ["build", "--network", "host", "--tag", "compared", "--file", theirs_file]
    for argument in case.arguments:
        command += ["--build-arg", argument]
    daemon.ask(*command, context)
    daemon.ask("save", "--output", f"{tmp_path}/theirs.tar", "compared")
    _compare(case, "docker", ours, read(f"{tmp_path}/theirs.tar"))


@pytest.mark.parametrize("case", [case for case in CASES if case.buildah], ids=lambda case: case.name)
def test_as_buildah_does(
    case: Case, tmp_path: Path, kezuri: Kezuri, buildah: Buildah, base: Base, context: str
) -> None:
    ours = _ours(kezuri, case, tmp_path, base, context)
    theirs_file = _write(tmp_path, "theirs", case.equal or case.text, base)
    buildah.build(theirs_file, context, f"{tmp_path}/theirs.tar", case.arguments)
    _compare(case, "buildah", ours, read(f"{tmp_path}/theirs.tar"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_as_buildkit_does(
    case: Case, tmp_path: Path, kezuri: Kezuri, buildkit: Buildkit, base: Base, context: str
) -> None:
    ours = _ours(kezuri, case, tmp_path, base, context)
    asked = Asked(_write(tmp_path, "ours", case.text, base), context, case.arguments)
    theirs = buildkit.build(base, asked, f"{tmp_path}/theirs.tar")
    assert theirs.image is not None, theirs.error
    _compare(case._replace(equal=""), "buildkit", ours, theirs.image)


def _ours(kezuri: Kezuri, case: Case, directory: Path, base: Base, context: str) -> Image:
    asked = Asked(_write(directory, "ours", case.text, base), context, case.arguments)
    built = kezuri.build(base, asked, f"{directory}/ours.tar")
    assert built.image is not None, built.error
    return built.image


def _write(directory: Path, name: str, text: str, base: Base) -> str:
    path = directory / name
    path.write_text(text.replace("{base}", base.name))
    return str(path)


def _compare(case: Case, peer: str, ours: Image, theirs: Image) -> None:
    found = tree_differences(ours.tree, theirs.tree) + config_differences(ours.config, theirs.config)
    if not case.equal and peer != "buildah":
        found += history_differences(ours.history, theirs.history)
    if ours.platform != theirs.platform:
        found.append(f"platform: ours {ours.platform}, theirs {theirs.platform}")
    if case.equal:
        # What a peer copies where kezuri writes a file keeps the time of its source.
        found = [line for line in found if " mtime: " not in line]
    left = [line for line in found if not meant(peer, case.name, line)]
    assert not left, "\n".join(left)
