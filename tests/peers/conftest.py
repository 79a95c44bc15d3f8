"""The peers: as they are recorded, or those that are installed, started once for all tests of this room."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from benchmarks.base import Base
from benchmarks.builders import Buildah
from benchmarks.dockerd import Dockerd, missing, remove
from benchmarks.processes import Failed, ask
from tests.peers.peers_builders import (
    BuildahPeer,
    Builder,
    Buildkit,
    DockerPeer,
    Kezuri,
    Peer,
    missing_buildkit,
    warm,
)
from tests.peers.peers_images import Node
from tests.peers.peers_records import PEERS, Recorded, Recording, Records, tree_of


@pytest.fixture(scope="session")
def scratch() -> Iterator[str]:
    """A directory with a short name: a daemon's socket will lie below it."""
    directory = tempfile.mkdtemp(prefix="kp")
    yield directory
    remove(directory)


@pytest.fixture(scope="session")
def kezuri(scratch: str) -> Kezuri:
    return Kezuri(f"{scratch}/kezuri")


@pytest.fixture(scope="session")
def base(scratch: str) -> Base:
    """The same on every machine, so that what was recorded on another one holds."""
    try:
        return Base.alone(scratch)
    except Failed as failed:
        pytest.skip(f"no base image with a shell: {failed}")


@pytest.fixture(scope="session")
def below(base: Base) -> dict[str, Node]:
    """The tree of the base image."""
    return tree_of(base)


@pytest.fixture(scope="session")
def docker(scratch: str, base: Base) -> Iterator[DockerPeer]:
    reason = missing() or ("skopeo is not installed" if shutil.which("skopeo") is None else None)
    if reason is not None:
        pytest.skip(reason)
    with ExitStack() as stack:
        try:
            daemon = stack.enter_context(Dockerd(f"{scratch}/dockerd"))
        except Failed as failed:
            pytest.skip(str(failed))
        archive = f"{scratch}/base.tar"
        ask(["skopeo", "copy", "--quiet", f"oci:{base.layout}:{base.name}", f"docker-archive:{archive}:{base.name}"])
        daemon.ask("load", "--input", archive)
        yield DockerPeer(daemon)


@pytest.fixture(scope="session")
def buildah(scratch: str, base: Base) -> BuildahPeer:
    if os.getuid() != 0 or shutil.which("buildah") is None:
        pytest.skip("needs buildah and root")
    builder = Buildah("chroot", f"{scratch}/buildah")
    builder.pull(base)
    return BuildahPeer(builder)


@pytest.fixture(scope="session")
def buildkit(scratch: str, base: Base) -> Iterator[Buildkit]:
    """A BuildKit newer than Debian's."""
    reason = missing_buildkit()
    if reason is not None:
        pytest.skip(reason)
    with ExitStack() as stack:
        try:
            builder = stack.enter_context(Buildkit(f"{scratch}/buildkit"))
            warm(builder, base, scratch)
        except Failed as failed:
            pytest.skip(str(failed))
        yield builder


@pytest.fixture(scope="session")
def live(request: pytest.FixtureRequest) -> Callable[[str], Peer]:
    """Peers that are installed; skips where one is not."""

    def peer(name: str) -> Peer:
        assert name in PEERS
        found: Peer = request.getfixturevalue(name)
        return found

    return peer


@pytest.fixture(scope="session")
def records(request: pytest.FixtureRequest, live: Callable[[str], Peer]) -> Iterator[Callable[[str], Records]]:
    """What is recorded of each peer. Of peers that are recorded anew, what these tests ask takes the place of what was
    recorded, and is written at the end."""
    read: dict[str, Records] = {}
    anew = request.config.getoption("--record") or []

    def of(name: str) -> Records:
        if name not in read:
            read[name] = Records.read(name)
            if name in anew:
                read[name] = Records(name, live(name).version(), read[name].answers)
        return read[name]

    yield of
    for name in anew:
        if name in read:
            read[name].write()


@pytest.fixture
def peer(
    request: pytest.FixtureRequest,
    records: Callable[[str], Records],
    live: Callable[[str], Peer],
    below: dict[str, Node],
) -> Callable[[str], Builder]:
    """Peers as they answered this test when they were recorded."""
    test = f"{request.path.stem.removeprefix('test_peers_')} {request.node.name}"
    anew = request.config.getoption("--record") or []

    def of(name: str) -> Builder:
        if name in anew:
            return Recording(records(name), test, below, live(name))
        return Recorded(records(name), test, below)

    return of
