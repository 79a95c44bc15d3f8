"""The catalogue of official tags: which tags of a repository are one image, and for which processors it is made."""

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from kezuri.alternatives.groups import Group
from kezuri.alternatives.library_files import read_library
from kezuri.diagnostics import KezuriError

_FILE = os.path.join(os.path.dirname(__file__), "catalogue.txt")
_MOST = 4 << 20
"""Bytes of a file of the catalogue; the largest one of today has 100 kB."""
LIBRARIES = (
    "docker.io/library/",
    "public.ecr.aws/docker/library/",
    "mirror.gcr.io/library/",
    "registry.hub.docker.com/library/",
    "quay.io/lib/",
)
"""Where the official images are, and registries that have the same ones."""


class Catalogue(NamedTuple):
    """The groups of each repository by its name (`node`); `date` is that of the data, as exact as it is known
    (`2026-08`), `source` where it came from."""

    repositories: Mapping[str, tuple[Group, ...]]
    date: str
    source: str

    def groups(self, repository: str) -> tuple[Group, ...]:
        """Those of a repository with its registry (`docker.io/library/node`); none for what is not an official one."""
        return self.repositories.get(official(repository), ())

    def group(self, repository: str, tag: str) -> Group | None:
        """The image that a tag names; None where it is not made any more, or was never."""
        return next((group for group in self.groups(repository) if tag in group.tags), None)


def official(repository: str) -> str:
    """The name of an official image by its repository: at Docker Hub, where the same images are, or in a registry that
    keeps copies below `library/` as Docker Hub's are; else empty."""
    for library in LIBRARIES:
        if repository.startswith(library):
            return repository[len(library) :]
    path, _, name = repository.rpartition("/")
    return name if path.endswith("/library") else ""


@lru_cache(1)
def embedded() -> Catalogue:
    """The catalogue that comes with kezuri."""
    with open(_FILE, encoding="utf-8") as file:
        return read_compact(file)


def read_compact(lines: Iterable[str]) -> Catalogue:
    """The form of `catalogue.txt`: `# date:` and `# source:`, a repository after `=`, then a line for each image, its
    tags before `|` and its architectures after it."""
    said: dict[str, str] = {}
    found: dict[str, list[Group]] = {}
    groups: list[Group] = []
    for line in lines:
        if line.startswith("#"):
            key, colon, value = line[1:].partition(":")
            if colon:
                said.setdefault(key.strip(), value.strip())
        elif line.startswith("="):
            groups = found.setdefault(line[1:].strip(), [])
        elif line.strip():
            tags, _, architectures = line.partition("|")
            groups.append(Group(tuple(tags.split()), tuple(architectures.split())))
    whole = {name: tuple(each) for name, each in found.items()}
    return Catalogue(whole, said.get("date", ""), said.get("source", ""))


def compact(catalogue: Catalogue) -> Iterator[str]:
    """The lines that `read_compact` reads."""
    yield f"# date: {catalogue.date}"
    yield f"# source: {catalogue.source}"
    for name in sorted(catalogue.repositories):
        yield f"= {name}"
        for group in catalogue.repositories[name]:
            yield f"{' '.join(group.tags)} | {' '.join(group.architectures)}"


def of_directory(path: str) -> Catalogue:
    """The library files of docker-library/official-images in a directory, one for each repository. KezuriError where
    there are none, or one cannot be read."""
    found: dict[str, tuple[Group, ...]] = {}
    newest = 0.0
    try:
        with os.scandir(path) as entries:
            files = sorted((entry for entry in entries if _is_library(entry)), key=lambda entry: entry.name)
        for entry in files:
            with open(entry.path, "rb") as file:
                data = file.read(_MOST + 1)
            if len(data) > _MOST:
                raise KezuriError.of(f"{entry.path} is too large to be a library file of official images", exit_code=2)
            groups = read_library(data.decode("utf-8", "replace"), entry.path)
            if groups:
                found[entry.name] = groups
                newest = max(newest, entry.stat().st_mtime)
    except OSError as error:
        why = error.strerror or str(error)
        raise KezuriError.of(f"the catalogue {path} cannot be read: {why}", exit_code=2) from error
    if not found:
        raise KezuriError.of(
            f"{path} holds no library files of official images",
            hint="it is the folder `library` of github.com/docker-library/official-images",
            exit_code=2,
        )
    return Catalogue(found, _day(newest), path)


def _is_library(entry: "os.DirEntry[str]") -> bool:
    name = entry.name
    return entry.is_file() and not name.startswith(".") and all(c.isalnum() or c in "._-" for c in name)


def _day(moment: float) -> str:
    """The day of a file's time; empty for the times that archives give to all their files."""
    from kezuri.oci.dates import timestamp

    return timestamp(moment)[:10] if moment > 86_400 else ""
