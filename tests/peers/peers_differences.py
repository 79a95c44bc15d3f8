"""The differences between kezuri and its peers that are meant, each with its reason.

docker stands for any version with BuildKit: the reasons name 20.10, whose rules are the oldest ones; buildah for 1.28.
"""

import re
from typing import NamedTuple


class Meant(NamedTuple):
    """A difference that may be: in these cases (in all when there are none), where a line of the comparison matches."""

    peer: str
    cases: tuple[str, ...]
    pattern: str
    reason: str


MEANT = [
    Meant(
        "docker",
        (),
        r"\(directory\) mtime: ours \d+, theirs None$",
        "copied directories keep the time of their source; docker 20.10 set it before it wrote into them, "
        "and left /etc touched by the mount points of RUN",
    ),
    Meant(
        "docker",
        (),
        r"^/(proc|sys|ctx|tt|deep|deep/cache): only theirs$",
        "docker 20.10 leaves the mount points of RUN in the layer; BuildKit has removed them since 0.11",
    ),
    Meant(
        "docker",
        ("copy-chmod",),
        r"^/(a|b|c|c/new|e) \(\w+\) mode: ours \d+, theirs 755$",
        "--chmod was not applied to directories that are made, and lost set-id bits, before Dockerfile 1.3",
    ),
    Meant(
        "docker",
        (),
        r"^history \d+: ours \('(COPY|ADD) --(chown|chmod)=[^']*', False\), theirs \('(COPY|ADD) [^-]",
        "docker 20.10 did not write --chown and --chmod into the history",
    ),
    Meant(
        "docker",
        ("copy-all", "copy-attributes"),
        r"^/(y/)?able \(file\) xattrs: ours \(\('security.capability'",
        "BuildKit loses the capabilities of context files where it sets their owner; buildah keeps them, too",
    ),
    Meant(
        "docker",
        ("copy-group-alone",),
        r"^/g \(file\) gid: ours 7, theirs 0$",
        "docker 20.10 took the empty group of 7: for 0; BuildKit 0.25 keeps the number of the user for the group",
    ),
    Meant("docker", ("copy-from",), r"/p: only ours$", "docker 20.10 did not copy named pipes"),
    Meant(
        "docker",
        ("add-archives",),
        r"^/d/\S+ \(\w+\) [ug]id: ours [34], ",
        "ADD --chown did not reach unpacked entries",
    ),
    Meant(
        "docker",
        ("workdir",),
        r"ours \('WORKDIR /w/x', False\), theirs \('WORKDIR /w/x/', False\)",
        "docker 20.10 wrote the trailing slash into the history",
    ),
    Meant(
        "docker",
        ("variables", "heredocs"),
        r"^history \d+: ours \('ARG (\w+)=.*theirs \('ARG \1",
        "docker 20.10 wrote ARG as it stands in the Dockerfile, not with the value that it has",
    ),
    Meant(
        "docker",
        ("variables",),
        r"^history \d+: ours \('RUN \|4 .*theirs \('RUN \|5 ",
        "docker 20.10 counted an ARG that is declared twice twice",
    ),
    Meant(
        "docker",
        ("metadata",),
        r"ours \('EXPOSE \[.*theirs \('EXPOSE map\[",
        "the history's form of EXPOSE has changed",
    ),
    Meant(
        "docker",
        ("metadata", "health-none"),
        r"^history \d+: ours \('HEALTHCHECK .*theirs \('HEALTHCHECK ",
        "--start-interval has been added to what is printed",
    ),
    Meant("buildah", (), r"^config Labels: ours None, theirs {'io.buildah.version': [^,]*}$", "buildah adds it"),
    Meant("buildah", (), r"^config (WorkingDir: ours '/'|ArgsEscaped: ours True), theirs None$", "BuildKit sets it"),
    Meant(
        "buildah",
        (),
        r"^/(proc|sys|run|etc/hostname|etc/hosts|etc/resolv.conf): only theirs$",
        "buildah leaves the mount points of RUN in the layer",
    ),
    Meant(
        "buildah",
        (),
        r"\(directory\) mtime: ours \d+, theirs None$",
        "buildah gives the directory that it copies into, and /etc, the time of the build",
    ),
    Meant(
        "buildah",
        (),
        r"/(x|two) \(file\) mtime: ours 1599999899, theirs 1599999900$",
        "buildah rounds times up; BuildKit keeps the fraction",
    ),
    Meant("buildah", (), r"set-id \(file\) mode: ours 4755, theirs 755$", "BuildKit keeps set-id bits of the context"),
    Meant(
        "buildah",
        ("copy-chmod",),
        r"^/(a|c|c/new|e) \(directory\) mode: ours \d+, theirs 755$",
        "BuildKit gives an octal --chmod to directories that are made, too",
    ),
    Meant("buildah", ("shell-forms",), r"^config (Cmd|Shell): ours \[", "images in OCI's format have no SHELL"),
    Meant(
        "buildah",
        ("add-archives",),
        r"^/d/\S+ \(\w+\) [ug]id: ours ",
        "BuildKit gives --chown to what an archive holds, buildah to the directories that it does not hold",
    ),
]


def meant(peer: str, case: str, line: str) -> bool:
    """Whether a line of the comparison is one of the differences above."""
    return any(
        one.peer == peer and (not one.cases or case in one.cases) and re.search(one.pattern, line) for one in MEANT
    )
