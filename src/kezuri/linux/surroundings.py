"""Which container engine is around this process, if any, and the words by which it is told to allow more."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Literal, NamedTuple

from kezuri.linux import mounts

Need = Literal["namespaces", "proc", "ids", "privilege", "volume"]
"""What an engine can withhold: `namespaces` and the mounts in them (seccomp, AppArmor), a `proc` with nothing masked,
several user `ids` (capabilities, no_new_privs), `privilege`: the right to mount, for who is root already; and a
`volume`: a directory that does not lie on the container's own file system."""

VARIABLES = ("KUBERNETES_SERVICE_HOST", "container")
"""The environment variables by which engines can be told: whoever asks in another process passes them on."""

_REMEDIES: dict[str, dict[Need, str]] = {
    "podman": {
        "namespaces": "--security-opt seccomp=unconfined --security-opt apparmor=unconfined "
        "--security-opt label=disable",
        "proc": "--security-opt unmask=ALL",
        "ids": "--cap-add SETUID,SETGID,SETFCAP without --security-opt no-new-privileges",
        "privilege": "--cap-add SYS_ADMIN",
        "volume": "-v kezuri:/kezuri -e KEZURI_ROOT=/kezuri",
    },
    "docker": {
        "namespaces": "--security-opt seccomp=unconfined --security-opt apparmor=unconfined",
        "proc": "--security-opt systempaths=unconfined",
        "ids": "--cap-add SETUID --cap-add SETGID --cap-add SETFCAP without --security-opt no-new-privileges",
        "privilege": "--privileged",
        "volume": "-v kezuri:/kezuri -e KEZURI_ROOT=/kezuri",
    },
    "kubernetes": {
        "namespaces": "seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}",
        "proc": "procMount: Unmasked",
        "ids": "allowPrivilegeEscalation: true, capabilities: {add: [SETUID, SETGID, SETFCAP]}",
        "privilege": "privileged: true",
    },
}


class Surroundings(NamedTuple):
    """`engine` is podman, docker or kubernetes, `container` for one whose words are not known, empty for a machine.
    `masked` are the paths below /proc that are covered or read-only: the kernel then gives no new /proc to a user
    namespace. `evidence` is what the engine is known by."""

    engine: str
    evidence: str
    masked: tuple[str, ...]

    def remedy(self, *needs: Need) -> str:
        """What to change so that the engine allows all of these, in its own words. A masked /proc is named beside
        missing namespaces: it would be the next thing to fail."""
        wanted = list(needs)
        if "namespaces" in wanted and "proc" not in wanted and self.masked:
            wanted.append("proc")
        words = _REMEDIES.get(self.engine)
        if words is None and wanted == ["volume"]:
            return f"if this is a container: give it {_named('volume')}"
        if words is None:
            return (
                "if this is a container: give it "
                + ", ".join(_named(need) for need in wanted)
                + " (podman and docker: --privileged gives all of it; `kezuri doctor` says more)"
            )
        given = [words[need] for need in wanted if need in words]
        if wanted == ["volume"]:
            if self.engine == "kubernetes":
                return "give the pod an emptyDir, or another volume, and name where it is mounted with KEZURI_ROOT"
            return f"give the store a volume: {self.engine} run {given[0]}"
        if self.engine == "kubernetes":
            pod = " and, in the pod's spec, hostUsers: false" if "proc" in wanted else ""
            return f"give the container the securityContext {{{', '.join(given)}}}{pod}"
        return f"start this container with: {self.engine} run {' '.join(given)} (or with --privileged)"


@cache
def here() -> Surroundings:
    """The surroundings of this process, looked at once: its helpers ask again where /etc is an image's."""
    return surroundings(os.environ, "/")


def surroundings(environ: Mapping[str, str], root: str) -> Surroundings:
    """Look around. The engines leave these signs: Kubernetes a variable and a line in /etc/hosts, podman
    /run/.containerenv, docker /.dockerenv beside an /etc/resolv.conf that it has mounted (a machine that was made from
    a container's files has the first alone), and others the variable `container`."""
    points = _points(os.path.join(root, "proc/self/mountinfo"))
    masked = tuple(point for point in points if point.startswith("/proc/"))
    engine, evidence = _engine(environ, root, points)
    return Surroundings(engine, evidence, masked)


def _engine(environ: Mapping[str, str], root: str, points: tuple[str, ...]) -> tuple[str, str]:
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes", "KUBERNETES_SERVICE_HOST"
    try:
        with open(os.path.join(root, "etc/hosts"), "rb") as file:
            if file.read(64).startswith(b"# Kubernetes-managed"):
                return "kubernetes", "/etc/hosts"
    except OSError:
        pass
    if os.path.exists(os.path.join(root, ".dockerenv")) and "/etc/resolv.conf" in points:
        return "docker", "/.dockerenv"
    if os.path.exists(os.path.join(root, "run/.containerenv")):
        return "podman", "/run/.containerenv"
    name = environ.get("container", "")
    if name:
        return ("podman" if name == "podman" else "container"), f"the variable container={name[:40]}"
    return "", ""


def _points(mountinfo: str) -> tuple[str, ...]:
    try:
        return mounts.points(mountinfo)
    except OSError:
        return ()


def _named(need: Need) -> str:
    return {
        "namespaces": "the right to make user namespaces and to mount in them (no seccomp or AppArmor profile)",
        "proc": "a /proc with nothing masked",
        "ids": "CAP_SETUID, CAP_SETGID and CAP_SETFCAP, without no_new_privs",
        "privilege": "CAP_SYS_ADMIN",
        "volume": "a volume for the store (named with --root or KEZURI_ROOT)",
    }[need]
