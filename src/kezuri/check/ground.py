"""What the name of an image says about it: its distribution, its C library, its language, what is not in it."""

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci.reference import Reference

Family = Literal["scratch", "distroless", "alpine", "debian", "rpm", "busybox", "wolfi", ""]
"""What an image is made of: `debian` is Ubuntu too, `rpm` everything with rpm; empty: nobody can know by the name."""

Libc = Literal["musl", "glibc", "none", ""]

_LIBRARIES = (
    "docker.io/library/",
    "public.ecr.aws/docker/library/",
    "mirror.gcr.io/library/",
    "registry.hub.docker.com/library/",
    "quay.io/lib/",
)
_DEBIAN = frozenset(
    (
        "debian", "ubuntu", "node", "python", "ruby", "golang", "rust", "perl", "gcc", "buildpack-deps", "erlang",
        "elixir", "haskell", "swift", "julia", "maven", "gradle", "eclipse-temurin", "php", "pypy",
    )
)  # fmt: skip
_RPM = frozenset(
    ("fedora", "centos", "rockylinux", "almalinux", "amazonlinux", "oraclelinux", "amazoncorretto", "openjdk")
)
_ALPINE = frozenset(("alpine", "composer"))
_LANGUAGES = {
    "node": "node", "python": "python", "pypy": "python", "ruby": "ruby", "golang": "go", "rust": "rust",
    "openjdk": "java", "eclipse-temurin": "java", "amazoncorretto": "java", "maven": "java", "gradle": "java",
    "php": "php", "composer": "php", "perl": "perl", "elixir": "elixir", "erlang": "erlang", "swift": "swift",
    "gcc": "c", "haskell": "haskell", "oven/bun": "bun", "denoland/deno": "deno",
}  # fmt: skip
_BUILDPACK = frozenset(("node", "python", "ruby", "golang", "rust", "perl", "gcc", "buildpack-deps", "erlang", "pypy"))
"""Official images whose full variant stands on buildpack-deps: compilers, curl and wget are in it."""
_PLAIN = _BUILDPACK | {"debian", "ubuntu", "alpine", "busybox"}
"""Those of which is known what their small variants do not have."""
_COMPILERS = frozenset(("golang", "rust", "maven", "gradle", "gcc", "haskell", "swift", "buildpack-deps", "composer"))
"""Official images that are for building, not for running."""
_SERVERS_OWN_USER = ("nonroot", "rootless", "unprivileged", "non-root", "chainguard/", "cgr.dev/", "bitnami/")
_SLIM = frozenset(("node", "python", "ruby", "debian", "perl", "rust"))
_ALPINES = frozenset(("node", "python", "ruby", "golang", "php", "eclipse-temurin"))
_DIRECTORIES = {
    "golang": "/go", "composer": "/app", "php": "/var/www/html", "gradle": "/home/gradle", "oven/bun": "/home/bun/app",
}  # fmt: skip


class Ground(NamedTuple):
    """An image by its name. `name` is without registry and `library/` for official ones, `official` tells of those.

    `full` is the variant with everything in it, `small` one that a tag calls slim or alpine.
    """

    text: str
    name: str
    tag: str
    family: Family
    libc: Libc
    language: str
    official: bool

    @property
    def small(self) -> bool:
        """A variant made small."""
        return "slim" in self.tag or self.family in ("alpine", "busybox", "scratch", "distroless", "wolfi")

    @property
    def full(self) -> bool:
        """An official image with all of Debian's build tools in it."""
        return self.official and self.name in _BUILDPACK and not self.small

    @property
    def compiler(self) -> bool:
        """An official image that is there for building: what it builds runs without it."""
        if self.name.startswith("mcr.microsoft.com/dotnet/"):
            return self.name.endswith("/sdk")
        return self.official and self.name in _COMPILERS

    @property
    def shell(self) -> bool | None:
        """Whether it has a shell; None where the name does not say."""
        if self.family == "scratch":
            return False
        if self.family == "distroless":
            return "debug" in self.tag
        return True if self.family else None

    @property
    def root(self) -> bool | None:
        """Whether its user is root; None where the name does not say."""
        if any(sign in f"{self.text}" for sign in _SERVERS_OWN_USER):
            return False
        if self.family == "distroless" or self.family == "scratch":
            return True
        if self.name == "php" and ("fpm" in self.tag or "apache" in self.tag):
            return None  # it starts as root, and answers as www-data
        return True if self.official and (self.name in _PLAIN or self.name in _LANGUAGES) else None

    @property
    def directory(self) -> str:
        """The working directory that it begins with."""
        return _DIRECTORIES.get(self.name, "/")

    @property
    def smaller(self) -> tuple[str, ...]:
        """Endings of tags of the same version that are smaller, the nearest first."""
        if not self.official or self.small or self.name == "debian":
            return ()
        found = []
        if self.name in _SLIM:
            found.append("slim")
        if self.name in _ALPINES:
            found.append("alpine")
        return tuple(found)

    def lacks(self, program: str) -> bool:
        """Whether a program is surely not in it."""
        from kezuri.check.programs import lacks

        return lacks(self.text, program)

    def version(self) -> tuple[int, ...]:
        """The numbers that the tag begins with: `(1, 17, 2)` of `1.17.2-alpine`; empty for none."""
        found = re.match(r"v?(\d+(?:\.\d+)*)", self.tag)
        return tuple(int(n) for n in found[1].split(".")) if found is not None and len(found[1]) < 20 else ()


SCRATCH = Ground("scratch", "scratch", "", "scratch", "none", "", False)
UNKNOWN = Ground("", "", "", "", "", "", False)


@lru_cache(256)
def ground(image: str) -> Ground:
    """What an image's name says; `UNKNOWN` with that text where it is no name, or holds a variable."""
    if image == "scratch":
        return SCRATCH
    try:
        reference = Reference.parse(image, default_tag=False)
    except KezuriError:
        return UNKNOWN._replace(text=image)
    whole = f"{reference.host}/{reference.path}"
    library = next((p for p in _LIBRARIES if whole.startswith(p)), None)
    name = whole.removeprefix(library) if library is not None else whole.removeprefix("docker.io/")
    tag, official = reference.tag, library is not None
    family: Family = ""
    libc: Libc = ""
    if "distroless/" in name:
        family, libc = "distroless", "none" if "/static" in name else "glibc"
    elif "alpine" in tag or (official and name in _ALPINE) or name.endswith("/alpine"):
        family, libc = "alpine", "musl"
    elif official and name == "busybox":
        family = "busybox"
        libc = "none" if "uclibc" in tag or "musl" in tag else "glibc"
    elif name.startswith(("cgr.dev/chainguard/", "chainguard/")):
        family, libc = "wolfi", "none" if name.endswith("/static") else "glibc"
    elif official and name in _DEBIAN:
        family, libc = "debian", "glibc"
    elif (official and name in _RPM) or name.startswith("registry.access.redhat.com/ubi"):
        family, libc = "rpm", "glibc"
        if name == "openjdk" and ("slim" in tag or "buster" in tag or "bullseye" in tag):
            family = "debian"
    elif name in ("oven/bun", "denoland/deno") or name.startswith("mcr.microsoft.com/dotnet/"):
        family, libc = "debian", "glibc"
        if "distroless" in tag or "chiseled" in tag or (name == "denoland/deno" and "bin" in tag):
            family, libc = "", ""
    elif "ubuntu" in tag or "debian" in tag or "bookworm" in tag or "bullseye" in tag or "jammy" in tag:
        family, libc = "debian", "glibc"
    language = _LANGUAGES.get(name, "")
    if name.startswith("mcr.microsoft.com/dotnet/"):
        language = "dotnet"
    return Ground(image, name, tag, family, libc, language, official)
