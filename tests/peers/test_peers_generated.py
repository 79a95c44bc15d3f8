"""Generated Dockerfiles and single edits through kezuri, and as the peers built them when they were recorded."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.base import Base
from tests.build.build_edits import EDITS, Edited, lay
from tests.peers.peers_builders import Asked, Builder, Kezuri, known_instructions
from tests.peers.peers_generated import BASE, Experiment, Laboratory, described, experiments

pytestmark = pytest.mark.slow

SEED = 2026
BUILDS = 25
WITH_OLD_PEERS = 25


def _identity(experiment: Experiment) -> str:
    return f"{len(experiment.dockerfile.lines)}-lines-{len(experiment.context.things)}-things"


@pytest.mark.parametrize("experiment", list(experiments(SEED, BUILDS)), ids=_identity)
def test_as_buildkit_does(
    experiment: Experiment, tmp_path: Path, kezuri: Kezuri, peer: Callable[[str], Builder], base: Base
) -> None:
    found = Laboratory(str(tmp_path), base, "buildkit", kezuri, peer("buildkit")).differences(experiment)
    assert not found, "\n".join([*found, described(experiment, BASE)])


@pytest.mark.parametrize(
    "experiment", list(experiments(SEED, WITH_OLD_PEERS, modern=False, incremental=False)), ids=_identity
)
def test_as_docker_does(
    experiment: Experiment, tmp_path: Path, kezuri: Kezuri, peer: Callable[[str], Builder], base: Base
) -> None:
    found = Laboratory(str(tmp_path), base, "docker", kezuri, peer("docker")).differences(experiment)
    assert not found, "\n".join([*found, described(experiment, BASE)])


@pytest.mark.parametrize("edited", EDITS, ids=lambda edited: edited.name)
def test_edits_as_buildkit_does(edited: Edited, tmp_path: Path, peer: Callable[[str], Builder], base: Base) -> None:
    os.mkdir(f"{tmp_path}/context")
    lay(f"{tmp_path}/context")
    # What other edits have left in the daemon's cache must not be found: the first file is this test's own.
    text = f"FROM scratch\nCOPY <<E /mark\n{edited.name}\nE\n{edited.dockerfile}"
    (tmp_path / "Dockerfile").write_text(text)
    asked, buildkit = Asked(f"{tmp_path}/Dockerfile", f"{tmp_path}/context"), peer("buildkit")
    assert buildkit.build(base, asked, f"{tmp_path}/image.tar").image is not None
    edited.edit(f"{tmp_path}/context")
    built = buildkit.build(base, asked, f"{tmp_path}/image.tar")
    assert built.image is not None, built.error
    known = list(known_instructions(built.steps).values())[1:]
    again = tuple(number for number, cached in enumerate(known) if not cached)
    assert again == (() if edited.unseen else edited.again)
