"""kezuri and its peers as one question: what does this Dockerfile make of this context, and what did it cost?"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from benchmarks.base import Base
from benchmarks.builders import Buildah
from benchmarks.control_groups import ControlGroups
from benchmarks.dockerd import Dockerd, remove
from benchmarks.processes import Failed, ask
from tests.peers.peers_images import Image, read

TIMEOUT = 120
"""Seconds that one build may take."""

Steps = tuple[tuple[str, bool], ...]
"""The steps that a builder spoke of: place and instruction of each, and whether its result was known already."""


class Asked(NamedTuple):
    """A build to be made."""

    dockerfile: str
    context: str
    arguments: tuple[str, ...] = ()
    target: str = ""
    secrets: tuple[tuple[str, str], ...] = ()
    """Ids, and the files that hold the secrets."""


class Built(NamedTuple):
    """What came of a build: the image, or what was said instead."""

    image: Image | None
    error: str
    steps: Steps


class Builder(Protocol):
    """kezuri, or a peer."""

    def build(self, base: Base, asked: Asked, archive: str) -> Built: ...


class Peer(Builder, Protocol):
    """A peer that is installed."""

    def version(self) -> str:
        """What it calls itself."""
        ...


def known_steps(raw: str) -> Steps:
    """The steps of a build, from its progress as JSON lines: only those that the Dockerfile asks for."""
    names: dict[str, str] = {}
    cached: dict[str, bool] = {}
    for line in raw.splitlines():
        if not line.startswith("{"):
            continue
        for vertex in json.loads(line).get("vertexes") or ():
            if vertex.get("completed"):
                names[vertex["digest"]] = vertex["name"]
                cached[vertex["digest"]] = bool(vertex.get("cached"))
    steps = [(" ".join(name.split()[: 3 if " " in name.partition("]")[0] else 2]), key) for key, name in names.items()]
    return tuple(sorted((name, cached[key]) for name, key in steps if _is_step(name)))


def known_instructions(steps: Steps) -> dict[str, bool]:
    """Whether each step was known, by stage and number within the stage: builders count differently."""
    stages: dict[str, list[tuple[int, str, bool]]] = {}
    for name, cached in steps:
        place, _, instruction = name.partition("] ")
        words = place.strip("[").split()
        stage = words[0] if len(words) > 1 else ""
        stages.setdefault(stage, []).append((int(words[-1].partition("/")[0]), instruction, cached))
    only = len(stages) == 1
    return {
        f"{'' if only else stage} {number} {instruction}": cached
        for stage, parts in stages.items()
        for number, (_, instruction, cached) in enumerate(sorted(parts))
    }


def _is_step(name: str) -> bool:
    """Not what BuildKit does besides: a copy with --link has a step that lays it over the others."""
    place, _, text = name.partition("] ")
    return place.startswith("[") and "/" in place and text not in ("FROM", "LINK")


def _failure(raw: str) -> str:
    """What a builder said at the end, without its progress."""
    lines = [line for line in raw.splitlines() if line and not line.startswith("{")]
    return "\n".join(lines[-12:])


class Kezuri:
    """The command line with a store of its own."""

    def __init__(self, root: str) -> None:
        self.argv = [sys.executable, "-m", "kezuri"]
        source = os.path.join(os.path.dirname(__file__), "..", "..", "src")
        self.environ = {"KEZURI_ROOT": root, "PYTHONPATH": os.path.abspath(source)}

    def build(self, base: Base, asked: Asked, archive: str) -> Built:
        """Never raises for a build that fails: that is an answer."""
        command = [*self.argv, "build", "--progress", "rawjson", "--file", asked.dockerfile]
        command += ["--output", f"type=docker,dest={archive}"]
        command += ["--build-context", f"{base.name}=oci-layout://{base.layout}:{base.name}"]
        for argument in asked.arguments:
            command += ["--build-arg", argument]
        for name, path in asked.secrets:
            command += ["--secret", f"id={name},src={path}"]
        if asked.target:
            command += ["--target", asked.target]
        return _built([*command, asked.context], self.environ, archive)


def _built(command: Sequence[str], environ: dict[str, str], archive: str) -> Built:
    done = subprocess.run(
        list(command),
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=TIMEOUT,
    )
    said = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        return Built(None, _failure(said) or f"ended with {done.returncode}", known_steps(said))
    image = read(archive)
    os.unlink(archive)
    return Built(image, "", known_steps(said))


def buildkit_programs() -> tuple[str, str] | None:
    """The paths of buildkitd and buildctl, from the directory $KEZURI_PEER_BUILDKIT or from PATH; None without them."""
    path = os.environ.get("KEZURI_PEER_BUILDKIT") or None
    daemon, client = shutil.which("buildkitd", path=path), shutil.which("buildctl", path=path)
    return (daemon, client) if daemon and client else None


def missing_buildkit() -> str | None:
    """Why no BuildKit of its own can be started here, or None."""
    if os.getuid() != 0:
        return "needs root"
    if buildkit_programs() is None:
        return "buildkitd and buildctl are neither on PATH nor in $KEZURI_PEER_BUILDKIT"
    if shutil.which("runc") is None:
        return "runc is not installed"
    return None


class Buildkit:
    """A BuildKit daemon of our own while it is entered: private state and socket, the machine's network."""

    def __init__(self, directory: str) -> None:
        """`directory` is absolute, new and short (a socket's path has 107 bytes); it is removed afterwards."""
        found = buildkit_programs()
        if found is None:
            raise Failed("no buildkitd and buildctl")
        self._daemon, self._client = found
        self._directory = directory
        self._address = f"unix://{directory}/sock"
        self._process: subprocess.Popen[bytes] | None = None
        self._groups = ControlGroups("buildkit")

    def __enter__(self) -> Self:
        self._groups.__enter__()
        here = self._directory
        os.makedirs(here)
        options = ["--root", f"{here}/root", "--addr", self._address, "--containerd-worker=false"]
        options += ["--oci-worker-net", "host", "--oci-worker-gc=false"]
        with open(f"{here}/log", "wb") as log:
            self._process = subprocess.Popen(
                [self._daemon, *options], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                ask([self._client, "--addr", self._address, "debug", "workers"])
                return self
            except Failed as failed:
                if self._process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
                with open(f"{here}/log", errors="replace") as said:
                    text = said.read()[-2000:]
                self._stop()
                raise Failed(f"buildkitd does not answer: {failed}\n{text}") from failed

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._groups.__exit__(kind, value, trace)

    def build(self, base: Base, asked: Asked, archive: str) -> Built:
        """Never raises for a build that fails: that is an answer."""
        directory, name = os.path.split(asked.dockerfile)
        command = [self._client, "--addr", self._address, "build", "--frontend", "dockerfile.v0"]
        command += [
            "--progress",
            "rawjson",
            "--local",
            f"context={asked.context}",
            "--local",
            f"dockerfile={directory}",
        ]
        command += ["--opt", f"filename={name}", "--oci-layout", f"layout={base.layout}"]
        # A named context goes by the name of the image as a user would write it.
        known_as = base.name.removeprefix("docker.io/library/").removesuffix(":latest")
        command += ["--opt", f"context:{known_as}=oci-layout://layout@{_digest(base)}"]
        for argument in asked.arguments:
            command += ["--opt", f"build-arg:{argument}"]
        for identity, path in asked.secrets:
            command += ["--secret", f"id={identity},src={path}"]
        if asked.target:
            command += ["--opt", f"target={asked.target}"]
        return _built([*command, "--output", f"type=docker,name=compared,dest={archive}"], {}, archive)

    def version(self) -> str:
        return ask([self._daemon, "--version"]).strip()

    def _stop(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        remove(self._directory)


def _digest(base: Base) -> str:
    with open(f"{base.layout}/index.json") as file:
        for entry in json.load(file)["manifests"]:
            if entry.get("annotations", {}).get("org.opencontainers.image.ref.name") == base.name:
                return str(entry["digest"])
    raise Failed(f"{base.layout}/index.json has no image {base.name}")


class DockerPeer:
    """docker's own BuildKit as a builder. What it knew already is not asked for."""

    def __init__(self, daemon: Dockerd) -> None:
        self._daemon = daemon

    def version(self) -> str:
        return "docker " + self._daemon.ask("version", "--format", "{{.Server.Version}}").strip()

    def build(self, base: Base, asked: Asked, archive: str) -> Built:
        """Never raises for a build that fails: that is an answer."""
        command = ["build", "--network", "host", "--tag", "compared", "--file", asked.dockerfile]
        for argument in asked.arguments:
            command += ["--build-arg", argument]
        try:
            self._daemon.ask(*command, asked.context)
            self._daemon.ask("save", "--output", archive, "compared")
        except Failed as failed:
            return Built(None, str(failed), ())
        return Built(read(archive), "", ())


class BuildahPeer:
    """buildah as a builder."""

    def __init__(self, buildah: Buildah) -> None:
        self._buildah = buildah

    def version(self) -> str:
        return self._buildah.version()

    def build(self, base: Base, asked: Asked, archive: str) -> Built:
        """Never raises for a build that fails: that is an answer."""
        try:
            self._buildah.build(asked.dockerfile, asked.context, archive, asked.arguments)
        except Failed as failed:
            return Built(None, str(failed), ())
        built = Built(read(archive), "", ())
        os.unlink(archive)
        return built


def warm(builder: Builder, base: Base, directory: str) -> None:
    """Have a peer fetch the base image once: two stages that ask for it at once have been seen to break the daemon.
    Raises Failed."""
    os.makedirs(f"{directory}/warm")
    with open(f"{directory}/warm/Dockerfile", "w") as file:
        file.write(f"FROM {base.name}\nRUN true\n")
    built = builder.build(base, Asked(f"{directory}/warm/Dockerfile", f"{directory}/warm"), f"{directory}/warm.tar")
    if built.image is None:
        raise Failed(built.error)
