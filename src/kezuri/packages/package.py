"""A package that an image holds, and a record of packages: one file in which a package manager keeps its accounts."""

from typing import Final, NamedTuple, Protocol
from urllib.parse import quote

SYSTEM: Final = frozenset(("deb", "apk", "rpm"))
"""The ecosystems of packages of the system, which its distribution keeps."""
_LOWERED = ("golang", "composer", "deb", "apk")
"""Ecosystems whose package URLs are written in small letters."""


class Package(NamedTuple):
    """A package as its record has it. `ecosystem` is the type of a package URL (deb, apk, rpm, npm, pypi, golang,
    maven, gem, cargo, composer, nuget, generic), `namespace` what such a URL has before the name.

    `files` belong to it one by one; `directories` belong to it whole, but for packages further
    down in it. Paths are relative to the root of the image. `source` and `source_version` are those of the package that
    it was built from, where they are its own they are empty. `licence` is in the words of the record. `size` is what
    the record says that it takes, in bytes. `built_here` says of a program that it was not fetched by its name and
    version: whoever made the image made it, too. `vendor` is who the record says takes care of it: the maintainer of
    dpkg and apk, the vendor of rpm.
    """

    ecosystem: str
    name: str
    version: str = ""
    files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    namespace: str = ""
    architecture: str = ""
    source: str = ""
    source_version: str = ""
    licence: str = ""
    size: int = 0
    built_here: bool = False
    vendor: str = ""

    def purl(self, distribution: str = "", **qualifiers: str) -> str:
        """Its package URL. A `distribution` (`debian`, `alpine`) is the namespace of a package of the system; what it
        is to say besides are `qualifiers`, those that are empty left out."""
        name, space, version = self.name, self.namespace or distribution, self.version
        qualifiers["arch"] = self.architecture
        if self.ecosystem in _LOWERED:
            name, space = name.lower(), space.lower()
        if self.ecosystem == "rpm":
            epoch, colon, rest = version.partition(":")
            version = rest if colon else version
            qualifiers["epoch"] = epoch if colon else ""
        parts = [f"pkg:{self.ecosystem}", *(part for part in space.split("/") if part), *name.split("/")]
        said = "/".join([parts[0], *(quoted(part, "") for part in parts[1:])])
        if version:
            said += f"@{quoted(version)}"
        asked = "&".join(f"{key}={quoted(value)}" for key, value in sorted(qualifiers.items()) if value)
        return f"{said}?{asked}" if asked else said

    @property
    def full_name(self) -> str:
        """Its name as people write it, with what stands before it."""
        between = ":" if self.ecosystem == "maven" else "/"
        return f"{self.namespace}{between}{self.name}" if self.namespace else self.name


class Record(NamedTuple):
    """What one file of an image tells: `packages`, the first of them being what the file itself is, where it is a
    program or an archive; or `files` of a package that another record names. `trouble` is what could not be read. A
    `text` is what it tells otherwise: the licences that a file of Debian's copyright names, an os-release."""

    kind: str
    packages: tuple[Package, ...] = ()
    files: tuple[str, ...] = ()
    trouble: str = ""
    text: str = ""


class Peek(Protocol):
    """A file's bytes, wherever they are."""

    def at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on; fewer where the file ends."""
        ...


class Bytes:
    """A file's bytes that are here, in the shape of those that are somewhere else."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on."""
        return self._data[offset : offset + size]


def quoted(text: str, safe: str = ":") -> str:
    """A part of a package URL as it is written there."""
    try:
        return quote(text, safe=safe, errors="surrogateescape")
    except UnicodeEncodeError:  # halves of surrogate pairs, as JSON can name them, are no bytes of anybody's
        return quote(text, safe=safe, errors="surrogatepass")


def text_of(data: bytes, most: int = 1000) -> str:
    """A word of somebody's file, as text: the bytes that are no UTF-8 stay what they are in names of files."""
    return data[:most].decode("utf-8", "surrogateescape").strip()


def path_of(*parts: str) -> str:
    """Parts of a path put together, relative to the root, without `.` and `..`; nothing leads out of the root."""
    found: list[str] = []
    for name in "/".join(parts).split("/"):
        if name == "..":
            del found[-1:]
        elif name not in ("", "."):
            found.append(name)
    return "/".join(found)


def number_of(text: bytes) -> int:
    """A size in a record; 0 for what is none."""
    text = text.strip()
    return int(text) if text.isdigit() and len(text) < 16 else 0
