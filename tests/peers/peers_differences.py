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
        r"^/(dev|proc|sys|ctx|tt|deep|deep/cache|cache|m|m/.*|tmpfs|beside|new|new/m|.*/in|.*/cache|rel): only theirs$",
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
    Meant("docker", (), r"(?s)^refused by them: .*empty export - not implemented", "an image without layers"),
    Meant("docker", (), r"/(p|pipe): only ours$", "docker 20.10 did not copy named pipes"),
    Meant(
        "docker",
        ("add-archives",),
        r"^/d/\S+ \(\w+\) [ug]id: ours [34], ",
        "ADD --chown did not reach unpacked entries",
    ),
    Meant(
        "docker",
        (),
        r"\(file\) content: ours '(?s:.*)groups=",
        "steps did not have the group of their user among their groups before runc and BuildKit were mended in 2022",
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
        (),
        r"ours \('EXPOSE \[.*theirs \('EXPOSE map\[",
        "the history's form of EXPOSE has changed",
    ),
    Meant(
        "docker",
        (),
        r"^history \d+: ours \('HEALTHCHECK .*theirs \('HEALTHCHECK ",
        "--start-interval has been added to what is printed",
    ),
    Meant(
        "buildkit",
        (),
        r"\(directory\) mtime: ours \d+, theirs None$",
        "existing directories that are written into keep their time; in BuildKit they have the time of the build",
    ),
    Meant(
        "buildkit",
        (),
        r"(?s)^refused by us alone: .*unknown (user|group) ",
        "BuildKit takes a --chown of a name that the image does not know for 0",
    ),
    Meant(
        "buildkit",
        (),
        r"(?s)^refused by them alone: .*error: failed to solve: lstat /[^:]*: no such file or directory$",
        "a wildcard that matches nothing below a directory that BuildKit has therefore not been sent",
    ),
    Meant(
        "buildkit",
        (),
        r"(?s)^refused by us alone: .*: (bzip2|gzip|xz|zstd): something else follows",
        "BuildKit does not read compressed archives to their end",
    ),
    Meant(
        "buildkit",
        (),
        r"(?s)^refused by them alone: [^\n]*--(parents|exclude).*(: not found|too many links|not a directory)$",
        "BuildKit does not find sources with a doubled slash, that excludes take away, or that are links to nothing; "
        "and it looks for directories that it passes over in the destination, too",
    ),
    Meant(
        "buildkit",
        (),
        r"(?s)^refused by them alone: ADD .*error: failed to solve: chtimes /[^:]*: not a directory$",
        "where a later entry of an archive takes the place of a directory, BuildKit still sets the directory's time",
    ),
    Meant(
        "buildkit",
        (),
        r"(?s)^refused by us alone: [^\n]*--parents.*is not a directory",
        "what stands before the pivot is a directory; BuildKit takes file/./ for the file",
    ),
    Meant(
        "buildkit",
        (),
        r"\(directory\) mtime: ours (\d+|None), theirs 1400000000$",
        "BuildKit leaves a directory out of a layer when nothing but its time has changed",
    ),
    Meant(
        "buildkit",
        (),
        r"(?s)^refused by them alone: ADD .*error: failed to solve: (open|mkdir|link|chtimes|mknod|mkfifo|symlink) /"
        r"[^:]*: no such file or directory$",
        "in an archive, what lies below a link that leads to nothing is put where the link leads",
    ),
    Meant(
        "buildkit",
        (),
        r"^again: \S* ?\d+ (COPY|ADD|WORKDIR) hits here, runs there$",
        "BuildKit counts more than reaches the image (directories that excludes leave empty, the metadata of the "
        "source's own directory); the images are compared all the same",
    ),
    Meant(
        "buildkit",
        (),
        r"^/(copy-|y/)?\S* \((file|directory)\) xattrs: ours \(\('(user\.|security\.capability)[^ ]*, .*theirs \(\)$",
        "BuildKit does not send extended attributes of contexts; buildah keeps them, too",
    ),
    Meant(
        "buildkit", ("run-files",), r"^/env \(file\) content: .*OTEL_", "its daemon shows steps where to send traces"
    ),
    Meant(
        "buildkit",
        (),
        r"\(file\) together: ours \(\), ",
        "BuildKit leaves a file out of a layer that is replaced by one that equals it: other names stay linked to it",
    ),
    Meant("buildkit", (), r"^/(dev|proc|sys): only theirs$", "the runtime makes these in images that have none"),
    Meant("buildah", (), r"^config Labels: ours None, theirs {'io.buildah.version': [^,]*}$", "buildah adds it"),
    Meant("buildah", (), r"^config (WorkingDir: ours '/'|ArgsEscaped: ours True), theirs None$", "BuildKit sets it"),
    Meant(
        "buildah",
        (),
        r"^/(dev|proc|sys|run|etc/hostname|etc/hosts|etc/resolv.conf): only theirs$",
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
