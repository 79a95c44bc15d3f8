"""The peers that are installed, started once for all tests of this room."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from benchmarks.base import Base
from benchmarks.builders import Buildah
from benchmarks.dockerd import Dockerd, missing, remove
from benchmarks.processes import Failed, ask
from tests.integration.integration_bases import made_by_stand_in_maker
from tests.peers.peers_builders import Buildkit, Kezuri, buildkit_programs, missing_buildkit, warm


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what needs a newer BuildKit where there is none: no package has it, so that it cannot be asked for."""
    if buildkit_programs() is not None:
        return
    needing = [item for item in items if "buildkit" in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=needing)
    items[:] = [item for item in items if item not in needing]


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
def base(scratch: str, kezuri: Kezuri) -> Base:
    if not os.environ.get("KEZURI_BASES"):
        # The images that the integration tests use, where they are there or can be made.
        home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        cache = Path(home, "kezuri-test-bases")
        cache.mkdir(parents=True, exist_ok=True)
        directory, _ = made_by_stand_in_maker(cache)
        if directory is not None:
            name = "docker.io/library/busybox:latest"
            return Base(str(directory), name, f"{name} of the stand-ins")
    before = os.environ.get("PYTHONPATH")
    try:
        os.environ["PYTHONPATH"] = kezuri.environ["PYTHONPATH"]
        return Base.found(scratch, "docker.io/library/busybox:latest", kezuri.argv)
    except Failed as failed:
        pytest.skip(f"no base image with a shell: {failed}")
    finally:
        if before is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="session")
def daemon(scratch: str, base: Base) -> Iterator[Dockerd]:
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
        yield daemon


@pytest.fixture(scope="session")
def buildah(scratch: str, base: Base) -> Buildah:
    if os.getuid() != 0 or shutil.which("buildah") is None:
        pytest.skip("needs buildah and root")
    builder = Buildah("chroot", f"{scratch}/buildah")
    builder.pull(base)
    return builder


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
