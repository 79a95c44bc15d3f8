"""Package URLs (ECMA-427): read, written, and what packages they name."""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote

from kezuri.advisories.coordinates import Distribution
from kezuri.packages.package import SYSTEM, Package, quoted

_MOST = 4000
"""Characters of a package URL that is read."""
_TYPE = re.compile(r"[a-z][a-z0-9.-]{0,99}\Z")
_KEY = re.compile(r"[a-z][a-z0-9._-]{0,99}\Z")
_CALLED: Final = {"alpine": "apk", "dpkg": "deb", "debian": "deb", "python": "pypi", "java": "maven", "go": "golang"}
"""Types that some tools wrote before there was one list of them."""


class PackageURL(NamedTuple):
    """A package URL in its parts, decoded. `qualifiers` are in the order of their keys."""

    type: str
    namespace: str
    name: str
    version: str = ""
    qualifiers: tuple[tuple[str, str], ...] = ()
    subpath: str = ""

    def __str__(self) -> str:
        """Its canonical form."""
        parts = [self.type, *(part for part in self.namespace.split("/") if part), self.name]
        said = "pkg:" + "/".join(quoted(part, "") for part in parts)
        if self.version:
            said += f"@{quoted(self.version)}"
        if self.qualifiers:
            said += "?" + "&".join(f"{key}={quoted(value)}" for key, value in sorted(self.qualifiers) if value)
        return f"{said}#{quoted(self.subpath, '/')}" if self.subpath else said

    def qualifier(self, key: str) -> str:
        """The value of a qualifier; empty where there is none."""
        return dict(self.qualifiers).get(key, "")


def parse(text: str) -> PackageURL | None:
    """The parts of a package URL; None for what is none. As the specification tells readers to, it takes more than it
    writes: slashes behind the scheme, an unquoted `@` before a scope of npm."""
    if len(text) > _MOST or text[:4].lower() != "pkg:":
        return None
    rest, _, subpath = text[4:].partition("#")
    rest, _, asked = rest.partition("?")
    kind, slash, rest = rest.strip("/").partition("/")
    kind = kind.lower()
    rest = rest.strip("/")
    if not slash or not _TYPE.match(kind):
        return None
    at = rest.rfind("@")
    version = ""
    if at > 0 and rest[at - 1] != "/":
        rest, version = rest[:at], unquote(rest[at + 1 :], errors="replace")
    *above, name = (unquote(part, errors="replace") for part in rest.split("/") if part) if rest else ("",)
    if not name.strip("/"):
        return None
    qualifiers = {}
    for pair in asked.split("&") if asked else ():
        key, _, value = pair.partition("=")
        if _KEY.match(key.lower()) and value:
            qualifiers[key.lower()] = unquote(value, errors="replace")
    return PackageURL(kind, "/".join(above), name, version, tuple(sorted(qualifiers.items())), subpath)


def package(purl: PackageURL) -> Package:
    """The package that it names, as a record of packages would have told of it: the namespace of a package of the
    system, which is its distribution, is left out."""
    kind = _CALLED.get(purl.type, purl.type)
    name, version, space = purl.name, purl.version, purl.namespace
    source, source_version = "", ""
    if kind in SYSTEM:
        space = ""
        source, _, source_version = purl.qualifier("upstream").partition("@")
    if kind in ("deb", "rpm") and (epoch := purl.qualifier("epoch")) and ":" not in version:
        version = f"{epoch}:{version}"
    if kind == "pypi":
        name = re.sub(r"[-_.]+", "-", name).lower()
    return Package(
        kind,
        name,
        version,
        namespace=space,
        architecture=purl.qualifier("arch") if kind in SYSTEM else "",
        source=source if source != name else "",
        source_version=source_version if source_version != version else "",
    )


def of_package(package: Package, distribution: Distribution, *, foreign: bool = False) -> str:
    """The package URL of a package in documents for others: with its distribution and the source package that it was
    built from, by which other scanners find what is known about it. A `foreign` package of the system came from
    elsewhere than the distribution, and its URL does not say otherwise."""
    if package.ecosystem not in SYSTEM:
        return package.purl()
    upstream = ""
    if package.source and package.source != package.name:
        same = package.source_version in ("", package.version)
        upstream = package.source if same else f"{package.source}@{package.source_version}"
    elif package.source_version and package.source_version != package.version:
        upstream = f"{package.name}@{package.source_version}"
    if foreign or not distribution.id:
        return package.purl(upstream=upstream)
    release = f"{distribution.id}-{distribution.version}" if distribution.version else distribution.id
    return package.purl(distribution.id, distro=release, upstream=upstream)


def distribution(purl: PackageURL) -> Distribution | None:
    """The distribution that a package of the system says it is of; None where it does not say. The qualifier `distro`
    is `debian-12`, or with some `12` alone."""
    if _CALLED.get(purl.type, purl.type) not in SYSTEM or not purl.namespace:
        return None
    said = purl.qualifier("distro")
    name, dash, version = said.rpartition("-")
    if dash and version[:1].isdigit() and not name[:1].isdigit():
        return Distribution(name.lower(), version)
    space = purl.namespace.lower()
    version = said.removeprefix(f"{space}-")
    return Distribution({"redhat": "rhel"}.get(space, space), version if version != space else "")
