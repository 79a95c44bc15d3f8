"""What a build context is made of: its package managers by their files, and what a package.json says."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, NamedTuple

from kezuri.check.managers import LANGUAGES, Manager
from kezuri.check.surroundings import Surroundings


class Found(NamedTuple):
    """A package manager whose files are in a directory: which manifests, and which lock files."""

    manager: Manager
    manifests: tuple[str, ...]
    locks: tuple[str, ...]


class Stack(NamedTuple):
    """The package managers of one directory of the context, in the order of the table. Several of one language may
    share a manifest: those with a lock file come alone then."""

    directory: str
    found: tuple[Found, ...]

    @property
    def ecosystems(self) -> frozenset[str]:
        """The languages."""
        return frozenset(f.manager.ecosystem for f in self.found)

    def of(self, manager: Manager) -> Found | None:
        """The files of that manager."""
        return next((f for f in self.found if f.manager is manager), None)


@lru_cache(64)
def stack(surroundings: Surroundings, directory: str = "") -> Stack:
    """The managers whose manifests lie in the directory."""
    names = [name for name in surroundings.names(directory) if not name.endswith("/")]
    found = []
    for manager in LANGUAGES:
        manifests, locks = matching(names, manager.manifests), matching(names, manager.locks)
        if manifests or locks:
            found.append(Found(manager, manifests, locks))
    locked = {f.manager.ecosystem for f in found if f.locks}
    kept = [f for f in found if f.locks or f.manager.ecosystem not in locked or f.manager.name == "pip"]
    return Stack(directory, tuple(kept))


def matching(names: Iterable[str], patterns: Iterable[str]) -> tuple[str, ...]:
    """The names that one of the patterns fits, sorted."""
    exact, wild = set[str](), list[str]()
    for pattern in patterns:
        if any(char in pattern for char in "*?["):
            wild.append(pattern)
        else:
            exact.add(pattern)
    found = [name for name in names if name in exact or any(fnmatchcase(name, pattern) for pattern in wild)]
    return tuple(sorted(found))


def at(directory: str, name: str) -> str:
    """The path of a name in a directory of the context."""
    return f"{directory}/{name}" if directory else name


def package_json(surroundings: Surroundings | None, directory: str = "") -> Mapping[str, Any] | None:
    """The package.json of a directory of the context; None where there is none or it is no JSON object."""
    text = surroundings.read(at(directory, "package.json")) if surroundings is not None else None
    if text is None:
        return None
    from json import loads

    try:
        found = loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def section(document: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    """An object of a document; empty where it is something else."""
    found = document.get(name) if document is not None else None
    return found if isinstance(found, dict) else {}


def project_toml(surroundings: Surroundings | None, directory: str = "") -> Mapping[str, Any] | None:
    """The pyproject.toml of a directory of the context; None where there is none or it is no TOML."""
    text = surroundings.read(at(directory, "pyproject.toml")) if surroundings is not None else None
    if text is None:
        return None
    from tomllib import loads

    try:
        return loads(text)
    except (ValueError, RecursionError):
        return None
