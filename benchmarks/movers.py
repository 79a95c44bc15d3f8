"""The programs that move images between a registry and this machine, each as the command that a user would type."""

import os
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Protocol

from benchmarks.dockerd import Dockerd, missing, remove
from benchmarks.processes import Failed, ask


class Mover(Protocol):
    """One of them, with a store of its own."""

    name: str
    environ: dict[str, str]
    daemon: int | None

    def version(self) -> str: ...

    def pull(self, reference: str) -> list[str]: ...

    def push(self, reference: str) -> list[str]: ...

    def ship(self, context: str, reference: str) -> list[list[str]]:
        """The commands that build a context and push the result, one after the other; none where it does not build."""

    def forget(self) -> None:
        """Empty the store; not measured."""


class Kezuri:
    """kezuri, by the command that is given."""

    name = "kezuri"
    daemon: int | None = None

    def __init__(self, argv: Sequence[str], scratch: str) -> None:
        self._argv = list(argv)
        self.environ = {"KEZURI_ROOT": f"{scratch}/kezuri-moved"}

    def version(self) -> str:
        return ask([*self._argv, "--version"]).strip()

    def pull(self, reference: str) -> list[str]:
        return [*self._argv, "pull", "--quiet", reference]

    def push(self, reference: str) -> list[str]:
        return [*self._argv, "push", "--quiet", reference]

    def ship(self, context: str, reference: str) -> list[list[str]]:
        return [[*self._argv, "build", "--quiet", "--push", "--tag", reference, context]]

    def forget(self) -> None:
        remove(self.environ["KEZURI_ROOT"])


class Skopeo:
    """`skopeo copy` to and from an OCI layout."""

    name = "skopeo"
    daemon: int | None = None

    def __init__(self, scratch: str) -> None:
        self.environ: dict[str, str] = {}
        self._layout = f"{scratch}/skopeo-moved"

    def version(self) -> str:
        return ask(["skopeo", "--version"]).strip()

    def pull(self, reference: str) -> list[str]:
        argv = ["skopeo", "copy", "--quiet", "--src-tls-verify=false"]
        return [*argv, f"docker://{reference}", f"oci:{self._layout}:app"]

    def push(self, reference: str) -> list[str]:
        argv = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false"]
        return [*argv, f"oci:{self._layout}:app", f"docker://{reference}"]

    def ship(self, context: str, reference: str) -> list[list[str]]:
        return []

    def forget(self) -> None:
        shutil.rmtree(self._layout, ignore_errors=True)


class Buildah:
    """`buildah pull` and `push`, with overlay directories as storage."""

    name = "buildah"
    daemon: int | None = None

    def __init__(self, scratch: str) -> None:
        self._directory = f"{scratch}/buildah-moved"
        self._argv = ["buildah", "--root", f"{self._directory}/root", "--runroot", f"{self._directory}/run"]
        self._argv += ["--storage-driver", "overlay"]
        self.environ = {"TMPDIR": f"{self._directory}/tmp"}
        os.makedirs(f"{self._directory}/tmp")

    def version(self) -> str:
        return ask([*self._argv, "--version"]).strip()

    def pull(self, reference: str) -> list[str]:
        return [*self._argv, "pull", "--quiet", "--tls-verify=false", reference]

    def push(self, reference: str) -> list[str]:
        return [*self._argv, "push", "--quiet", "--tls-verify=false", reference]

    def ship(self, context: str, reference: str) -> list[list[str]]:
        return [[*self._argv, "bud", "--quiet", "--layers", "--tag", reference, context], self.push(reference)]

    def forget(self) -> None:
        ask([*self._argv, "rmi", "--all", "--force"], self.environ)


class Docker:
    """`docker pull` and `push` through a daemon of our own."""

    name = "docker"

    def __init__(self, daemon: Dockerd) -> None:
        self._daemon = daemon
        self.daemon: int | None = daemon.pid
        self.environ = daemon.environ

    def version(self) -> str:
        return "docker " + self._daemon.ask("version", "--format", "{{.Server.Version}}").strip()

    def pull(self, reference: str) -> list[str]:
        return [*self._daemon.docker, "pull", "--quiet", reference]

    def push(self, reference: str) -> list[str]:
        return [*self._daemon.docker, "push", "--quiet", reference]

    def ship(self, context: str, reference: str) -> list[list[str]]:
        return [[*self._daemon.docker, "build", "--quiet", "--tag", reference, context], self.push(reference)]

    def forget(self) -> None:
        self._daemon.ask("image", "prune", "--all", "--force")
        self._daemon.ask("builder", "prune", "--all", "--force")


def movers(
    stack: ExitStack, names: Sequence[str] | None, kezuri: Sequence[str], scratch: str
) -> tuple[list[Mover], list[str]]:
    """Those that work here, kezuri first, and why others are left out. Raises Failed for a name that is none."""
    known = ["skopeo", "buildah", "docker"]
    for name in names or ():
        if name not in known:
            raise Failed(f"unknown peer {name}; known are {', '.join(known)}")
    wanted = [name for name in known if names is None or name in names]
    found: list[Mover] = [Kezuri(kezuri, scratch)]
    absent: list[str] = []
    for name in wanted:
        try:
            found.append(_mover(stack, name, scratch))
        except Failed as failed:
            absent.append(f"{name}: {str(failed).strip().splitlines()[-1]}")
    return found, absent


def _mover(stack: ExitStack, name: str, scratch: str) -> Mover:
    reason = missing() if name == "docker" else None if shutil.which(name) else f"{name} is not installed"
    if reason is not None:
        raise Failed(reason)
    if name == "skopeo":
        return Skopeo(scratch)
    if name == "buildah":
        return Buildah(scratch)
    return Docker(stack.enter_context(Dockerd(f"{scratch}/dockerd-moved")))
