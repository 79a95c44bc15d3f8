"""Commands of docker, buildx, buildah, podman and scanners that kezuri does not have: what to do in their place."""

from collections.abc import Mapping

_CONTAINERS = "kezuri keeps no containers: `kezuri run IMAGE` starts one, waits for it and removes it"
_WORKING = "kezuri has no working containers: write the steps into a Dockerfile, then `kezuri build`"
_CHANGED = "`kezuri append IMAGE DIR` puts files on an image, `kezuri mutate IMAGE` changes its settings"
_ALONE = "kezuri is one program without a daemon: there is nothing to manage"

_SCANS = "`kezuri scan IMAGE` finds what is known to be broken, `kezuri base IMAGE` better base images"

_OF_CONTAINERS = (
    *("ps", "exec", "logs", "stop", "start", "restart", "kill", "create", "rm", "wait", "top", "stats"),
    *("port", "pause", "unpause", "rename", "update", "container", "pod", "kube", "init", "healthcheck"),
)

ELSEWHERE: Mapping[str, str] = {
    "search": "look at the registry's own pages",
    "info": "`kezuri doctor` says what this machine can do, `kezuri version` what runs, `kezuri du` what the store has",
    "bake": "build its targets one by one: `kezuri build -f DOCKERFILE --target STAGE CONTEXT`",
    "compose": "build a service's image with `kezuri build -f DOCKERFILE CONTEXT`, as its build: section says",
    "untag": "`kezuri rmi NAME:TAG` takes a name away, and the image with its last one",
    "history": "`kezuri history IMAGE` shows an image's layers, `kezuri why` what the last builds did",
    "debug": "`kezuri build --on-error=shell` opens a shell where a step has failed",
    **dict.fromkeys(("dial-stdio", "install", "uninstall"), _ALONE),
    "plugin": _ALONE,
    "events": _ALONE,
    **dict.fromkeys(("scout", "cves", "quickview", "recommendations", "grype", "snyk"), _SCANS),
    "trivy": "write `kezuri scan` in its place: its words and options are understood (docs/scan.md)",
    "syft": "`kezuri sbom IMAGE` lists what an image consists of",
    **dict.fromkeys(("licenses", "licences"), "`kezuri scan --scanners licence IMAGE` lists the licences of packages"),
    "secrets": "`kezuri scan --scanners secret IMAGE` looks for secrets",
    "trust": "a digest in the name pins an image: FROM NAME@sha256:…",
    "network": "steps share the machine's network, or have none; --network of `kezuri run` is bridge, host or none",
    "secret": "a build's secrets are given by --secret id=ID,src=FILE",
    "unshare": "kezuri enters a user namespace by itself where it needs one",
    **dict.fromkeys(_OF_CONTAINERS, _CONTAINERS),
    **dict.fromkeys(("from", "mount", "umount", "containers"), _WORKING),
    **dict.fromkeys(("add", "commit"), _CHANGED),
    **dict.fromkeys(
        ("swarm", "service", "stack", "node", "checkpoint", "machine"), "kezuri builds images, and no more"
    ),
}
"""A command's name without its group, and the answer."""


def instead(name: str) -> str:
    """What to do in the place of a command, which may have a group before it (`image save`); empty for a name that none
    of these programs has."""
    group, _, verb = name.partition(" ")
    if group == "db":
        return ""
    if verb and group == "container":
        return _CONTAINERS
    if verb and group == "volume":
        return "there are `kezuri volume create`, `ls`, `inspect`, `rm` and `prune`"
    return ELSEWHERE.get(verb or group, "")
