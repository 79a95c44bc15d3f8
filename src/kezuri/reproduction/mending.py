"""How differences between builds are mended: what is known of paths, of tools and of kinds, the special before the
general."""

import re
from typing import NamedTuple

from kezuri.reproduction.values import Kind


class Mending(NamedTuple):
    """What is known about a path: a pattern of it, what it is, and what to write."""

    path: str
    about: str
    mending: str
    kind: Kind = "content"
    """Which kind of difference it is where its looks do not say."""


_OLDER = "it is older than SOURCE_DATE_EPOCH: touch -d @$SOURCE_DATE_EPOCH FILE before the build"
_EPOCH = "give SOURCE_DATE_EPOCH: --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)"

PATHS = (
    Mending(r"var/log/apt/.*|var/log/dpkg\.log", "apt's log", "rm -rf /var/log/apt /var/log/dpkg.log in the same RUN"),
    Mending(r"var/log/.*", "a log", "remove it in the same RUN: rm -rf /var/log/*"),
    Mending(
        r"var/cache/ldconfig/aux-cache",
        "ldconfig's cache: inode numbers and times",
        "rm -f /var/cache/ldconfig/aux-cache in the same RUN",
        "time",
    ),
    Mending(r"var/cache/apt/.*\.bin", "apt's cache", "rm -rf /var/cache/apt/*.bin in the same RUN"),
    Mending(r"var/lib/apt/lists/.*", "apt's package lists", "rm -rf /var/lib/apt/lists/* in the same RUN"),
    Mending(r"var/cache/debconf/.*", "debconf's cache", "rm -rf /var/cache/debconf/*-old in the same RUN"),
    Mending(
        r"etc/shadow-?|etc/gshadow-?",
        "the day on which a password was changed",
        "run useradd with SOURCE_DATE_EPOCH set: ARG SOURCE_DATE_EPOCH before the RUN",
        "time",
    ),
    Mending(r"etc/(passwd|group|subuid|subgid)-", "a copy from before a user was added", "remove it in the same RUN"),
    Mending(r"etc/machine-id|var/lib/dbus/machine-id", "a random number", "end the RUN with : > /etc/machine-id"),
    Mending(r"etc/ssh/ssh_host_.*", "a key of this image only", "make it when the container starts, not in the image"),
    Mending(r"etc/ssl/private/ssl-cert-snakeoil\.key|etc/ssl/certs/ssl-cert-snakeoil\.pem", "a key", "remove it"),
    Mending(r"etc/ssl/certs/java/cacerts", "a keystore with times", "build with SOURCE_DATE_EPOCH, or copy one"),
    Mending(
        r".*\.pyc",
        "compiled with the time of its source in it",
        "ENV PYTHONDONTWRITEBYTECODE=1 and pip install --no-compile, or compileall --invalidation-mode unchecked-hash",
    ),
    Mending(
        r".*/\.npm/(_logs|_cacache)/.*|.*/\.npm/_update.*", "npm's cache", "RUN --mount=type=cache,target=/root/.npm"
    ),
    Mending(r".*/node_modules/\.cache/.*", "a cache", "rm -rf node_modules/.cache in the same RUN"),
    Mending(
        r".*/node_modules/\.(package-lock|modules)\..*", "when something was installed", "npm ci, from a lock file"
    ),
    Mending(r".*/\.next/(BUILD_ID|.*)", "Next.js's build id", "generateBuildId in next.config.js, of the commit"),
    Mending(r".*/\.cache/pip/.*", "pip's cache", "pip install --no-cache-dir, or a cache mount"),
    Mending(r".*/\.cache/go-build/.*", "Go's cache", "RUN --mount=type=cache,target=/root/.cache/go-build"),
    Mending(r".*/(dist-info|\.dist-info)/(RECORD|direct_url\.json)", "where and when it was installed", ""),
    Mending(r".*\.gz", "gzip writes name and time of the file into the header", "gzip -n"),
    Mending(
        r".*\.(jar|war|ear)",
        "an archive of Java",
        "Maven: project.build.outputTimestamp; Gradle: reproducibleFileOrder",
    ),
    Mending(
        r".*\.(zip|whl|egg|apk)",
        "an archive with times",
        "give its files one time first, and zip -X -r with sorted names",
    ),
    Mending(
        r".*\.(tar|tgz|tar\..*)",
        "an archive with times, owners and the order of a directory",
        "tar --sort=name --mtime=@$SOURCE_DATE_EPOCH --owner=0 --group=0 --numeric-owner",
    ),
    Mending(r".*\.a", "an archive of objects", "ar with D (deterministic), or ARFLAGS=crD"),
)

KINDS: dict[Kind, str] = {
    "time": "take the time from SOURCE_DATE_EPOCH, which the RUN sees after ARG SOURCE_DATE_EPOCH",
    "order": "sort what is listed: find ... | LC_ALL=C sort",
    "random": "give the generator a seed, or a name that is fixed",
    "address": "do not print addresses; Go: -trimpath -ldflags=-buildid=",
    "mode": "",
    "content": "",
    "config": "",
}

_BUILD_ID = "it follows from all else in the program: mend that, or link with -Wl,--build-id=none"
_COMMANDS = re.compile(r"&&|\|\||;|\n")
_DRAWN = re.compile(r"\$\{?RANDOM\b|/u?random\b|\b(?:uuidgen|mktemp|shuf|pwgen)\b|\bopenssl rand\b|\bsort -R\b")
_READ = re.compile(
    r"/proc/(?:meminfo|uptime|loadavg|stat|cpuinfo|self|\d+)\b|/sys/|\b(?:free|uptime|df|stat|ps)\b|\$\$|\bls -\w*i"
)
_DATE = re.compile(r"\bdate\b")
_PYTHON: dict[Kind, str] = {
    "order": "sort what is listed; for sets of Python PYTHONHASHSEED=0",
    "random": "give the generator a seed (Python's hash(): PYTHONHASHSEED=0), or a name that is fixed",
}
_MACHINES = "what the machine says of itself"
_MACHINE = "do not write it down: it is another one on each machine and each time"
_PATTERNS = tuple((re.compile(known.path), known) for known in PATHS)


def mending(path: str, what: str, kind: Kind, instruction: str, dated: bool = False) -> tuple[Kind, str, str]:
    """The kind of the difference, better known, what is known about it, and how it is mended; empty texts where nothing
    is. `dated`: the build has a SOURCE_DATE_EPOCH."""
    if what == "mtime":
        return kind, "when the file was changed", _OLDER if dated else _EPOCH
    if what in ("mode", "owner"):
        if instruction.upper().startswith(("COPY", "ADD")):
            flag = "--chmod" if what == "mode" else "--chown"
            return kind, "it follows the files of the context", f"write {instruction.split(' ')[0]} {flag}=..."
        return kind, "it follows umask or user", "set it: install -m, or umask 022 at the beginning of the RUN"
    for pattern, known in _PATTERNS:
        if pattern.fullmatch(path):
            kind = known.kind if kind == "content" else kind
            return kind, known.about, known.mending or KINDS[kind]
    kind, about = _of_command(kind, _writer(instruction, path))
    mended = _MACHINE if about == _MACHINES else KINDS[kind]
    if kind in ("order", "random") and re.search(r"\bpython[0-9.]*\b", instruction):
        mended = _PYTHON[kind]
    return kind, about, mended


def _of_command(kind: Kind, command: str) -> tuple[Kind, str]:
    """What the command says that wrote a file whose looks say nothing: its kind, and where its bytes come from."""
    if kind != "content" or not command:
        return kind, ""
    if _DRAWN.search(command):
        return "random", ""
    if _READ.search(command):
        return kind, _MACHINES
    return ("time", "") if _DATE.search(command) else (kind, "")


def _writer(instruction: str, path: str) -> str:
    """The command of a RUN that sends what it prints into the file; empty where none is seen to."""
    if not instruction.upper().startswith("RUN"):
        return ""
    into = re.compile(r">\s*[\"']?(?:\S*/)?" + re.escape(path.rpartition("/")[2]) + r"(?![\w.-])")
    return next((into.sub("", command) for command in _COMMANDS.split(instruction) if into.search(command)), "")


def of_program(mended: str) -> str:
    """How a build id is mended, where nothing better is known of its path (`mended`)."""
    return _BUILD_ID if mended == KINDS["random"] else mended


def of_config(field: str) -> tuple[str, str]:
    """The same of a field of the image's config."""
    if field == "created" or field.startswith("history"):
        return "when it was built", _EPOCH
    return "", ""
