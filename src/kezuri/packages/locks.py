"""Files of projects that say which packages are to be installed, each in one version: bytes in, packages out."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from kezuri.packages.npm import scoped
from kezuri.packages.package import Package
from kezuri.packages.program import module
from kezuri.packages.python import normalised

MOST: Final = 16 << 20
"""Bytes of such a file."""
_MOST_PACKAGES = 100_000
_WORD, _VERSION_WORD, _LONGEST = 400, 200, 2000


class Unreadable(Exception):
    """The file is not of the form that its name says; the text says what is wrong."""


def reader(name: str) -> "Callable[[bytes], Iterator[Package]] | None":
    """What reads a file of this name; None where it is none of these."""
    if name in _READERS:
        return _READERS[name]
    return _requirements if _REQUIREMENTS.fullmatch(name) else None


def read(name: str, data: bytes) -> list[Package]:
    """The packages that a file of this name locks, without those that only development needs. Unreadable where it is
    damaged, or says more than 100,000 of them."""
    found: dict[Package, None] = {}
    reads = reader(name)
    if reads is None or len(data) > MOST:
        raise Unreadable("it is too large")
    try:
        for package in reads(data):
            if package.name and len(package.full_name) <= _WORD and len(package.version) <= _VERSION_WORD:
                found[package] = None
            if len(found) > _MOST_PACKAGES:
                raise Unreadable("it names too many packages")
    except (TypeError, AttributeError, LookupError, RecursionError) as error:
        raise Unreadable("it is not of the form that its name says") from error
    except ValueError as error:
        raise Unreadable(" ".join(str(error).split())[:200]) from error
    return list(found)


def _lines(data: bytes) -> Iterator[str]:
    """The lines of a text, but for those that no such file has for their length."""
    return (line for line in data.decode("utf-8", "replace").split("\n") if len(line) < _LONGEST)


def _package_lock(data: bytes) -> Iterator[Package]:
    """Of npm: `packages` of versions 2 and 3, else the nested `dependencies` of version 1."""
    document = json.loads(data)
    if "packages" in document:
        for path, entry in document["packages"].items():
            _, between, name = path.rpartition("node_modules/")
            if between and not entry.get("dev") and not entry.get("link") and isinstance(entry.get("version"), str):
                licence = entry.get("license")
                called = scoped(entry.get("name") or name, entry["version"])
                yield called._replace(licence=licence) if isinstance(licence, str) else called
        return
    todo = [document.get("dependencies", {})]
    while todo:
        for name, entry in todo.pop().items():
            if not entry.get("dev") and isinstance(entry.get("version"), str):
                yield scoped(name, entry["version"])
            if entry.get("dependencies"):
                todo.append(entry["dependencies"])


_YARN_HEAD = re.compile(r'^"?(@?[^@"\s]+)@(?:npm:(@?[^@"\s]+)@)?')
_YARN_VERSION = re.compile(r'^  version:? "?([^"\s]+)"?$')


def _yarn(data: bytes) -> Iterator[Package]:
    """Of yarn, of its first version and later ones, which have `version: `. A package may be there under another name
    (`x@npm:lodash@4`)."""
    name = ""
    for line in _lines(data):
        if line[:1] not in (" ", "#", ""):
            head = _YARN_HEAD.match(line)
            name = head[2] or head[1] if head is not None and "@workspace:" not in line else ""
            continue
        found = _YARN_VERSION.match(line) if name else None
        if found is not None:
            yield scoped(name, found[1])
            name = ""


_PNPM = re.compile(r"^  '?/?((?:@[^/@\s]+/)?[^/@\s']+)[@/](\d[^(:_'\s]*)[^:]*:$")


def _pnpm(data: bytes) -> Iterator[Package]:
    """Of pnpm: the keys of `packages`."""
    inside = False
    for line in _lines(data):
        if line[:1] not in (" ", ""):
            inside = line.startswith("packages:")
        found = _PNPM.match(line) if inside else None
        if found is not None:
            yield scoped(found[1], found[2])


_REQUIREMENTS = re.compile(r"requirements(?:[-_.][\w.-]{1,60})?\.txt")
_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*===?\s*(v?\d[\w.!+-]*)\s*(?:[;#\\].*)?$")


def _requirements(data: bytes) -> Iterator[Package]:
    """Of pip: what is pinned by `==`; what is not is left to the day of the installation."""
    for line in _lines(data):
        found = _PINNED.match(line.strip())
        if found is not None:
            yield Package("pypi", normalised(found[1]), found[2])


def _pipfile(data: bytes) -> Iterator[Package]:
    for name, entry in json.loads(data).get("default", {}).items():
        version = entry.get("version", "")
        if version.startswith("=="):
            yield Package("pypi", normalised(name), version.lstrip("="))


def _tables(data: bytes) -> Iterator[dict[str, Any]]:
    import tomllib

    for each in tomllib.loads(data.decode("utf-8")).get("package", []):
        if isinstance(each.get("name"), str) and isinstance(each.get("version"), str):
            yield each


def _python(data: bytes) -> Iterator[Package]:
    """Of Poetry and uv, without the project itself."""
    for each in _tables(data):
        source = each.get("source", {})
        if not ({"virtual", "editable", "directory"} & set(source)) and each.get("category") != "dev":
            yield Package("pypi", normalised(each["name"]), each["version"])


def _cargo(data: bytes) -> Iterator[Package]:
    """Of Cargo: what has a source; the others are the project's own."""
    for each in _tables(data):
        if each.get("source"):
            yield Package("cargo", each["name"], each["version"])


_GO = re.compile(r"^(?:require\s+)?([\w.~-]+\.[\w.~/-]+)\s+(v\d\S*)\s*(?://.*)?$")
_REPLACED = re.compile(r"^(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>\s+(\S+)(?:\s+(v\S+))?$")


def _go(data: bytes) -> Iterator[Package]:
    """Of Go: what go.mod requires, and what replaces it."""
    found: dict[str, tuple[str, str]] = {}
    replaced: dict[str, tuple[str, str]] = {}
    block = ""
    for line in _lines(data):
        text = line.strip()
        if text.endswith("(") or text == ")":
            block = text.rpartition("(")[0].strip()
            continue
        if (block or text.partition(" ")[0]) == "require" and (match := _GO.match(text)) is not None:
            found[match[1]] = (match[1], match[2])
        elif (block or text.partition(" ")[0]) == "replace" and (match := _REPLACED.match(text)) is not None:
            replaced[match[1]] = (match[2], match[3] or "")
    for path, own in found.items():
        name, version = replaced.get(path, own)
        if not name.startswith((".", "/")):
            yield module(name, version)


_GEM = re.compile(r"^    ([\w.-]+) \((\d[^)\s-]*)[^)]*\)$")


def _gems(data: bytes) -> Iterator[Package]:
    """Of Bundler: what comes from a server of gems."""
    section = ""
    for line in _lines(data):
        if line[:1].isupper():
            section = line.strip()
        found = _GEM.match(line) if section == "GEM" else None
        if found is not None:
            yield Package("gem", found[1], found[2])


def _composer(data: bytes) -> Iterator[Package]:
    for each in json.loads(data).get("packages", []):
        space, _, name = each["name"].rpartition("/")
        yield Package("composer", name, each["version"], namespace=space, licence=" OR ".join(each.get("license", [])))


def _nuget(data: bytes) -> Iterator[Package]:
    for packages in json.loads(data).get("dependencies", {}).values():
        for name, entry in packages.items():
            if entry.get("type") != "Project" and isinstance(entry.get("resolved"), str):
                yield Package("nuget", name, entry["resolved"])


_GRADLE = re.compile(r"^([\w.-]+):([\w.-]+):([\w.+-]+)=")


def _gradle(data: bytes) -> Iterator[Package]:
    for line in _lines(data):
        found = _GRADLE.match(line)
        if found is not None:
            yield Package("maven", found[2], found[3], namespace=found[1])


_READERS: Final[dict[str, Callable[[bytes], Iterator[Package]]]] = {
    "package-lock.json": _package_lock,
    "npm-shrinkwrap.json": _package_lock,
    "yarn.lock": _yarn,
    "pnpm-lock.yaml": _pnpm,
    "Pipfile.lock": _pipfile,
    "poetry.lock": _python,
    "uv.lock": _python,
    "pdm.lock": _python,
    "Cargo.lock": _cargo,
    "go.mod": _go,
    "Gemfile.lock": _gems,
    "composer.lock": _composer,
    "packages.lock.json": _nuget,
    "gradle.lockfile": _gradle,
}
UNREAD: Final = frozenset(
    (
        *("pom.xml", "build.gradle", "build.gradle.kts", "setup.py", "Package.swift", "bun.lock", "bun.lockb"),
        *("mix.lock", "pubspec.lock", "conan.lock", "go.sum"),
    )
)
"""Files of projects that name packages and leave open which versions, or in a form that is not read."""
