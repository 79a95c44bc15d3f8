"""Packages of node: a directory in `node_modules` each, with a `package.json` that says what it is."""

import json
import re
from typing import Any, Final

from kezuri.packages.package import Package

_FIXTURE: Final = re.compile(
    r"(?:^|/)node_modules/[^/]+/(?:[^/]+/)*(?:tests?|__tests__|specs?|fixtures?|__fixtures__|examples?|benchmarks?)/"
    r"(?:[^/]+/)*node_modules/"
)


def package(data: bytes, path: str) -> Package | None:
    """The package whose `package.json` this is; None where it names none."""
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    name, version = document.get("name"), document.get("version")
    if not isinstance(name, str) or not isinstance(version, str) or not name:
        return None
    directory = path.rpartition("/")[0]
    scope, _, own = name.rpartition("/")
    licence = document.get("license")
    if isinstance(licence, dict):
        licence = licence.get("type")
    return Package(
        "npm",
        own[:500],
        version[:200],
        directories=(directory,),
        namespace=scope[:500],
        licence=licence[:500] if isinstance(licence, str) else "",
    )


def is_record(path: str) -> bool:
    """Whether a `package.json` is that of an installed package: it lies right in a directory of `node_modules`, or in
    one of the places where official images unpack yarn. What a package keeps for its own tests is not installed."""
    directory = path.rpartition("/")[0]
    if _FIXTURE.search(directory):
        return False
    above, _, name = directory.rpartition("/")
    parent = above.rpartition("/")[2]
    if parent == "node_modules":
        return not name.startswith((".", "@"))
    if parent.startswith("@"):
        return above.rpartition("/")[0].rpartition("/")[2] == "node_modules"
    return above == "opt" and name.startswith("yarn-v")


def development(lock: bytes) -> list[str] | None:
    """The directories that npm's own record of a `node_modules` (`.package-lock.json`) marks as development
    dependencies; None where it is no such record."""
    try:
        document: Any = json.loads(lock)
    except (ValueError, RecursionError):
        return None
    packages = document.get("packages") if isinstance(document, dict) else None
    if not isinstance(packages, dict):
        return None
    return [
        path
        for path, entry in packages.items()
        if isinstance(entry, dict) and entry.get("dev") is True and path.startswith("node_modules/")
    ]


def development_of(manifest: bytes) -> list[str]:
    """The development dependencies that a package.json names."""
    try:
        document: Any = json.loads(manifest)
    except (ValueError, RecursionError):
        return []
    named = document.get("devDependencies") if isinstance(document, dict) else None
    return [name for name in named if isinstance(name, str)] if isinstance(named, dict) else []


def scoped(name: str, version: str) -> Package:
    """The package of a name with its scope."""
    scope, _, own = name.rpartition("/")
    return Package("npm", own[:500], version[:200], namespace=scope[:500])
