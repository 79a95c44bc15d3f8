"""The builders that are compared, each as the commands that a user would type."""

import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple, Protocol

from benchmarks.base import Base
from benchmarks.dockerd import Dockerd, missing, remove
from benchmarks.processes import Failed, ask


class Work(NamedTuple):
    """One build: of `context`; without the cache if `cold`; to a finished OCI layout in `layout` if that is given."""

    context: str
    cold: bool = False
    layout: str | None = None


class Commands(NamedTuple):
    """What is run for a Work, one after the other, and measured."""

    argvs: Sequence[Sequence[str]]
    environ: dict[str, str]
    daemon: int | None = None


class Builder(Protocol):
    """A builder with a store of its own."""

    name: str

    def version(self) -> str: ...

    def commands(self, work: Work) -> Commands: ...

    def forget(self) -> None:
        """Empties the cache as if nothing had ever been built, base images excepted; not measured."""


class Kezuri:
    """kezuri, by the command that is given."""

    name = "kezuri"

    def __init__(self, argv: Sequence[str], scratch: str, base: Base) -> None:
        self._argv = argv
        self._base = base
        self._environ = {"KEZURI_ROOT": f"{scratch}/kezuri"}

    def version(self) -> str:
        return ask([*self._argv, "--version"]).strip()

    def commands(self, work: Work) -> Commands:
        base = f"{self._base.name}=oci-layout://{self._base.layout}:{self._base.name}"
        argv = [*self._argv, "build", "--progress", "plain", "--build-context", base]
        if work.cold:
            argv.append("--no-cache")
        if work.layout is None:
            argv += ["--tag", "benchmark"]
        else:
            argv += ["--output", f"type=oci,tar=false,dest={work.layout}"]
        return Commands([[*argv, work.context]], self._environ)

    def forget(self) -> None:
        remove(self._environ["KEZURI_ROOT"])


class Docker:
    """`docker build` with the daemon's BuildKit. Its way to an OCI layout is skopeo, which reads from the daemon."""

    name = "docker"

    def __init__(self, daemon: Dockerd) -> None:
        self._daemon = daemon

    def version(self) -> str:
        return "docker " + self._daemon.ask("version", "--format", "{{.Server.Version}}").strip()

    def commands(self, work: Work) -> Commands:
        argv = [*self._daemon.docker, "build", "--network", "host", "--tag", "benchmark"]
        argvs = [[*argv, *(["--no-cache"] if work.cold else []), work.context]]
        if work.layout is not None:
            argvs.append(self.leaving(work.layout))
        return Commands(argvs, self._daemon.environ, self._daemon.pid)

    def leaving(self, layout: str) -> list[str]:
        host = f"unix://{self._daemon.directory}/sock"
        source = "docker-daemon:benchmark:latest"
        return ["skopeo", "copy", "--quiet", "--src-daemon-host", host, source, f"oci:{layout}:benchmark"]

    def forget(self) -> None:
        self._daemon.ask("builder", "prune", "--all", "--force")


class DockerSaving(Docker):
    """The same, left as `docker save` leaves it: a docker archive with uncompressed layers."""

    name = "docker+save"

    def leaving(self, layout: str) -> list[str]:
        os.makedirs(layout)
        return [*self._daemon.docker, "save", "--output", f"{layout}/image.tar", "benchmark"]


class Buildah:
    """`buildah build --layers`, in one of its isolations."""

    def __init__(self, isolation: str, directory: str) -> None:
        self.name = f"buildah/{isolation}"
        self._directory = directory
        self._isolation = ["--isolation", "chroot"] if isolation == "chroot" else ["--runtime", isolation]
        self._argv = ["buildah", "--root", f"{directory}/root", "--runroot", f"{directory}/run"]
        self._argv += ["--storage-driver", "overlay"]
        self._environ = {"TMPDIR": f"{directory}/tmp"}
        os.makedirs(f"{directory}/tmp", exist_ok=True)

    def version(self) -> str:
        return ask([*self._argv, "--version"]).strip()

    def pull(self, base: Base) -> None:
        # buildah makes a name of the path, and names know no directory such as .cache.
        link = f"{self._directory}/layout"
        if not os.path.islink(link):
            os.symlink(base.layout, link)
        said = ask([*self._argv, "pull", "--quiet", f"oci:{link}:{base.name}"], self._environ)
        ask([*self._argv, "tag", said.split()[-1], base.name], self._environ)

    def commands(self, work: Work) -> Commands:
        argv = [*self._argv, "build", "--layers", "--pull-never", "--network", "host", *self._isolation]
        argvs = [[*argv, *(["--no-cache"] if work.cold else []), "--tag", "benchmark", work.context]]
        if work.layout is not None:
            argvs.append([*self._argv, "push", "--quiet", "benchmark", f"oci:{work.layout}:benchmark"])
        return Commands(argvs, self._environ)

    def build(self, dockerfile: str, context: str, archive: str, arguments: Sequence[str]) -> None:
        """Builds `context` into a docker archive, not measured. Raises Failed."""
        given = [word for argument in arguments for word in ("--build-arg", argument)]
        argv = self.commands(Work(context)).argvs[0]
        ask([*argv[:-1], *given, "--file", dockerfile, context], self._environ)
        ask([*self._argv, "push", "--quiet", "benchmark", f"docker-archive:{archive}:benchmark:latest"], self._environ)

    def forget(self) -> None:
        ask([*self._argv, "rmi", "--force", "benchmark"], self._environ)


def installed(
    stack: ExitStack, names: Sequence[str] | None, kezuri: Sequence[str], scratch: str, base: Base
) -> tuple[list[Builder], list[str]]:
    """The builders that work here, kezuri first, ready with the base image; and why others are left out. Without
    `names` (None) these are docker and the first of buildah's isolations that works. Raises Failed."""
    isolations = ["buildah/crun", "buildah/runc", "buildah/chroot"]
    known = ["docker", "docker+save", *isolations]
    for name in names or ():
        if name not in known:
            raise Failed(f"unknown peer {name}; known are {', '.join(known)}")
    found: list[Builder] = [Kezuri(kezuri, scratch, base)]
    absent: list[str] = []
    wanted = [name for name in known if names is None or name in names]
    if any(name.startswith("docker") for name in wanted):
        try:
            found += _docker(stack, wanted, scratch, base)
        except Failed as failed:
            absent.append(f"docker: {failed}")
    for name in (name for name in isolations if name in wanted):
        try:
            found.append(_buildah(name.partition("/")[2], scratch, base))
        except Failed as failed:
            absent.append(f"{name}: {str(failed).strip().splitlines()[-1]}")
        else:
            if names is None:
                break
    return found, absent


def _docker(stack: ExitStack, wanted: Sequence[str], scratch: str, base: Base) -> list[Builder]:
    reason = missing() or ("skopeo is not installed" if shutil.which("skopeo") is None else None)
    if reason is not None:
        raise Failed(reason)
    daemon = stack.enter_context(Dockerd(f"{scratch}/dockerd"))
    archive = f"{scratch}/base.tar"
    ask(["skopeo", "copy", "--quiet", f"oci:{base.layout}:{base.name}", f"docker-archive:{archive}:{base.name}"])
    daemon.ask("load", "--input", archive)
    kinds: list[type[Docker]] = [kind for kind in (Docker, DockerSaving) if kind.name in wanted]
    return [kind(daemon) for kind in kinds]


def _buildah(isolation: str, scratch: str, base: Base) -> Buildah:
    if shutil.which("buildah") is None:
        raise Failed("buildah is not installed")
    if isolation != "chroot" and shutil.which(isolation) is None:
        raise Failed(f"{isolation} is not installed")
    builder = Buildah(isolation, f"{scratch}/buildah-{isolation}")
    builder.pull(base)
    trial = f"{scratch}/trial"
    os.makedirs(trial, exist_ok=True)
    with open(f"{trial}/Dockerfile", "w") as file:
        file.write(f"FROM {base.name}\nRUN true\n")
    work = builder.commands(Work(trial, cold=True))
    for argv in work.argvs:
        ask(argv, work.environ)
    return builder
