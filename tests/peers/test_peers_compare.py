"""The same Dockerfiles through kezuri, and as BuildKit (docker's and a newer one) and buildah built them: the images
are equal, but for what is listed as meant."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks.base import Base
from tests.peers.peers_builders import Asked, Builder, Kezuri, Peer, buildkit_programs
from tests.peers.peers_cases import CASES, Case, make_context
from tests.peers.peers_differences import meant
from tests.peers.peers_images import Image, config_differences, history_differences, tree_differences
from tests.peers.peers_records import PEERS

pytestmark = pytest.mark.slow

ASKED = {
    "docker": [case for case in CASES if case.docker],
    "buildah": [case for case in CASES if case.buildah],
    "buildkit": CASES,
}
LIVE = ("copy-chown", "copy-onto-links", "add-archives", "metadata", "removals", "run-files", "heredocs")
"""Cases that installed peers build in each run, so that asking them keeps working. No package has the newer BuildKit:
it is asked where there is one."""
INSTALLED = [peer for peer in PEERS if peer != "buildkit" or buildkit_programs() is not None]


@pytest.fixture(scope="module")
def context(scratch: str) -> str:
    os.mkdir(f"{scratch}/context")
    make_context(f"{scratch}/context")
    return f"{scratch}/context"


@pytest.fixture
def compare(tmp_path: Path, kezuri: Kezuri, base: Base, context: str) -> Callable[[Case, str, Builder], None]:
    """Builds a case with kezuri and a peer, and fails where the images differ in a way that is not meant."""

    def compare(case: Case, name: str, peer: Builder) -> None:
        ours = kezuri.build(base, _asked(tmp_path, case.text, case, base, context), f"{tmp_path}/ours.tar")
        assert ours.image is not None, ours.error
        # The newer BuildKit knows the syntax that others are too old for.
        older = case.equal if name != "buildkit" else ""
        theirs = peer.build(base, _asked(tmp_path, older or case.text, case, base, context), f"{tmp_path}/theirs.tar")
        assert theirs.image is not None, theirs.error
        left = [
            line for line in _unlike(ours.image, theirs.image, name, bool(older)) if not meant(name, case.name, line)
        ]
        assert not left, "\n".join(left)

    return compare


@pytest.mark.parametrize(
    ("name", "case"), [pytest.param(name, case, id=f"{name}-{case.name}") for name in PEERS for case in ASKED[name]]
)
def test_as_it_is_recorded(
    name: str, case: Case, peer: Callable[[str], Builder], compare: Callable[[Case, str, Builder], None]
) -> None:
    compare(case, name, peer(name))


@pytest.mark.parametrize(
    ("name", "case"),
    [
        pytest.param(name, case, id=f"{name}-{case.name}")
        for name in INSTALLED
        for case in ASKED[name]
        if case.name in LIVE
    ],
)
def test_as_an_installed_peer_does(
    name: str, case: Case, live: Callable[[str], Peer], compare: Callable[[Case, str, Builder], None]
) -> None:
    compare(case, name, live(name))


def _asked(directory: Path, text: str, case: Case, base: Base, context: str) -> Asked:
    path = directory / "Dockerfile"
    path.write_text(text.replace("{base}", base.name))
    return Asked(str(path), context, case.arguments)


def _unlike(ours: Image, theirs: Image, peer: str, in_older_words: bool) -> list[str]:
    found = tree_differences(ours.tree, theirs.tree) + config_differences(ours.config, theirs.config)
    if not in_older_words and peer != "buildah":
        found += history_differences(ours.history, theirs.history)
    if ours.platform != theirs.platform:
        found.append(f"platform: ours {ours.platform}, theirs {theirs.platform}")
    if in_older_words:
        # What a peer copies where kezuri writes a file keeps the time of its source.
        found = [line for line in found if " mtime: " not in line]
    return found
