"""Packages of Ruby, PHP, .NET and conda, by what their package managers leave beside them."""

import json
import re
from typing import Any, Final

from kezuri.packages.package import Package, path_of

_GEM_NAME: Final = re.compile(rb"^\s*\w+\.name\s*=\s*[\"']([^\"'\n]+)[\"']", re.MULTILINE)
_GEM_VERSION: Final = re.compile(
    rb"^\s*\w+\.version\s*=\s*(?:Gem::Version\.new\s*\(?\s*)?[\"']([^\"'\n]+)[\"']", re.MULTILINE
)
_GEM_LICENCE: Final = re.compile(rb"^\s*\w+\.licenses?\s*=\s*\[?\s*[\"']([^\"'\n]+)[\"']", re.MULTILINE)
_MOST = 100_000


def gem(data: bytes, path: str) -> Package | None:
    """The gem that a specification (`specifications/NAME-VERSION.gemspec`) describes."""
    name, version, licence = (pattern.search(data) for pattern in (_GEM_NAME, _GEM_VERSION, _GEM_LICENCE))
    if name is None or version is None:
        return None
    directory, _, file = path.rpartition("/")
    base = directory[: directory.rfind("specifications")]
    full = file.removesuffix(".gemspec")
    return Package(
        "gem",
        name[1].decode("utf-8", "replace")[:500],
        version[1].decode("utf-8", "replace")[:200],
        (path, path_of(base, "cache", f"{full}.gem")),
        (path_of(base, "gems", full),),
        licence=licence[1].decode("utf-8", "replace")[:500] if licence else "",
    )


def composer(data: bytes, path: str) -> tuple[Package, ...]:
    """The packages of a `vendor/composer/installed.json`."""
    document = _document(data)
    listed = document.get("packages") if isinstance(document, dict) else document
    here = path.rpartition("/")[0]
    found: list[Package] = []
    for each in listed[:_MOST] if isinstance(listed, list) else ():
        if not isinstance(each, dict):
            continue
        name, version, place = each.get("name"), each.get("version"), each.get("install-path")
        if not isinstance(name, str) or not isinstance(version, str) or not name:
            continue
        place = place if isinstance(place, str) else f"../{name}"
        space, _, own = name.rpartition("/")
        licences = each.get("license")
        licence = " OR ".join(word for word in licences if isinstance(word, str)) if isinstance(licences, list) else ""
        directory = path_of(here, place)
        if directory and len(own) < 500:
            found.append(Package("composer", own, version[:200], (), (directory,), space, licence=licence[:500]))
    return tuple(found)


def conda(data: bytes, path: str) -> tuple[Package, ...]:
    """The package of a record in `conda-meta`, with its files, which lie in the directory around that."""
    document = _document(data)
    if not isinstance(document, dict):
        return ()
    name, version, files, licence = (document.get(key) for key in ("name", "version", "files", "license"))
    if not isinstance(name, str) or not isinstance(version, str) or not name:
        return ()
    prefix = path.rpartition("/")[0].rpartition("/")[0]
    listed = [path_of(prefix, each) for each in files if isinstance(each, str)] if isinstance(files, list) else []
    licence = licence[:500] if isinstance(licence, str) else ""
    return (Package("conda", name[:500], version[:200], (*listed, path), licence=licence),)


def dotnet(data: bytes, path: str) -> tuple[Package, ...]:
    """The packages of a `NAME.deps.json`, with their files beside it. Those without any only helped to build."""
    document = _document(data)
    libraries = document.get("libraries") if isinstance(document, dict) else None
    targets = document.get("targets") if isinstance(document, dict) else None
    if not isinstance(libraries, dict) or not isinstance(targets, dict):
        return ()
    here = path.rpartition("/")[0]
    files: dict[str, list[str]] = {}
    for target in targets.values():
        for name, assets in target.items() if isinstance(target, dict) else ():
            if isinstance(assets, dict):
                files.setdefault(name, []).extend(_assets(assets, here))
    found: list[Package] = []
    for key, library in list(libraries.items())[:_MOST]:
        name, _, version = key.partition("/")
        kind = library.get("type") if isinstance(library, dict) else None
        if kind not in ("package", "runtimepack") or not name or len(key) > 700:
            continue
        # A runtime that an application brings itself is called `runtimepack.` and the name of its package.
        name = name.removeprefix("runtimepack.") if kind == "runtimepack" else name
        if files.get(key):
            found.append(Package("nuget", name, version, tuple(dict.fromkeys(files[key]))))
    return tuple(found)


def _assets(assets: dict[str, Any], here: str) -> list[str]:
    """Where what a library brings lies in an application that was published: most of it flat, beside the record."""
    found: list[str] = []
    for group in ("runtime", "native"):
        listed = assets.get(group)
        if isinstance(listed, dict):
            found += [path_of(here, name.rpartition("/")[2]) for name in listed]
    listed = assets.get("runtimeTargets")
    if isinstance(listed, dict):
        found += [path_of(here, name) for name in listed]
    listed = assets.get("resources")
    if isinstance(listed, dict):
        for name, about in listed.items():
            locale = about.get("locale") if isinstance(about, dict) else None
            if isinstance(locale, str):
                found.append(path_of(here, locale, name.rpartition("/")[2]))
    return found


def _document(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
