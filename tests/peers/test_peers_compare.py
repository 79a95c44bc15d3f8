"""The same Dockerfiles through kezuri, BuildKit and buildah: the images are equal, but for what is listed as meant."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from benchmarks.base import Base
from benchmarks.builders import Buildah
from benchmarks.dockerd import Dockerd, missing, remove
from benchmarks.processes import Failed, ask
from tests.integration.integration_bases import made_by_stand_in_maker
from tests.peers.peers_cases import CASES, Case, make_context
from tests.peers.peers_differences import meant
from tests.peers.peers_images import Image, config_differences, history_differences, read, tree_differences

pytestmark = pytest.mark.slow


class Kezuri:
    """The command line with a store of its own."""

    def __init__(self, root: str) -> None:
        self.argv = [sys.executable, "-m", "kezuri"]
        source = os.path.join(os.path.dirname(__file__), "..", "..", "src")
        self.environ = {"KEZURI_ROOT": root, "PYTHONPATH": os.path.abspath(source)}

    def build(self, base: Base, context: str, dockerfile: str, archive: str, arguments: tuple[str, ...]) -> Image:
        command = [*self.argv, "build", "--progress", "plain", "--file", dockerfile, "--output"]
        command += [
            f"type=docker,dest={archive}",
            "--build-context",
            f"{base.name}=oci-layout://{base.layout}:{base.name}",
        ]
        for argument in arguments:
            command += ["--build-arg", argument]
        ask([*command, context], self.environ)
        return read(archive)


@pytest.fixture(scope="module")
def scratch() -> Iterator[str]:
    """A directory with a short name: a daemon's socket will lie below it."""
    import tempfile

    directory = tempfile.mkdtemp(prefix="kp")
    yield directory
    remove(directory)


@pytest.fixture(scope="module")
def kezuri(scratch: str) -> Kezuri:
    return Kezuri(f"{scratch}/kezuri")


@pytest.fixture(scope="module")
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
    try:
        os.environ["PYTHONPATH"], before = kezuri.environ["PYTHONPATH"], os.environ.get("PYTHONPATH", "")
        return Base.found(scratch, "docker.io/library/busybox:latest", kezuri.argv)
    except Failed as failed:
        pytest.skip(f"no base image with a shell: {failed}")
    finally:
        os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def context(scratch: str) -> str:
    os.mkdir(f"{scratch}/context")
    make_context(f"{scratch}/context")
    return f"{scratch}/context"


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def buildah(scratch: str, base: Base) -> Buildah:
    if os.getuid() != 0 or shutil.which("buildah") is None:
        pytest.skip("needs buildah and root")
    builder = Buildah("chroot", f"{scratch}/buildah")
    builder.pull(base)
    return builder


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_as_docker_does(case: Case, tmp_path: Path, kezuri: Kezuri, daemon: Dockerd, base: Base, context: str) -> None:
    ours = kezuri.build(
        base, context, _write(tmp_path, "ours", case.text, base), f"{tmp_path}/ours.tar", case.arguments
    )
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
    ours = kezuri.build(
        base, context, _write(tmp_path, "ours", case.text, base), f"{tmp_path}/ours.tar", case.arguments
    )
    theirs_file = _write(tmp_path, "theirs", case.equal or case.text, base)
    buildah.build(theirs_file, context, f"{tmp_path}/theirs.tar", case.arguments)
    _compare(case, "buildah", ours, read(f"{tmp_path}/theirs.tar"))


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
