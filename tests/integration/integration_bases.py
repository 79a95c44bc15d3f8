"""Base images for the tests: given, made by the stand-in maker beside the checkout, or made by kezuri itself."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.integration_command import Kezuri
from tests.integration.integration_entries import STAND_IN_MAKER, absent, broken, examples, full_name, without_shared

import kezuri.bases as kezuri_bases
from kezuri.bases.catalog import find, recipes
from kezuri.bases.recipe import Recipe
from kezuri.oci import Reference

MADE_BY_KEZURI = "made by kezuri bases"
"""Where the project's own bases come from, in the reason of a test that is skipped."""


class Bases:
    """An OCI layout that holds base images under their full names."""

    def __init__(self, directory: Path, origin: str) -> None:
        self.directory = directory
        self.origin = origin
        index = json.loads((directory / "index.json").read_bytes())
        self._manifests = {
            m["annotations"]["org.opencontainers.image.ref.name"]: m["digest"]
            for m in index["manifests"]
            if "org.opencontainers.image.ref.name" in m.get("annotations", {})
        }

    def __contains__(self, name: str) -> bool:
        return self._has(name, of_that_version=False)

    def _has(self, name: str, of_that_version: bool) -> bool:
        found = self._standing_for(name)
        return found is not None and (not of_that_version or found == full_name(name) or found == _made_for(name))

    def require(self, names: Iterable[str], *, of_that_version: bool = False) -> None:
        """Skips the test by name when one of the images is not there, nor, where the version does not matter, one of
        another version."""
        missing = [name for name in names if not self._has(name, of_that_version)]
        if missing:
            absent(f"no base image {', '.join(missing)} (bases: {self.origin})")

    def require_as_official(self, difference: str) -> None:
        """Skips the test where kezuri made the bases and they have this difference from the official ones (empty: none
        that matters)."""
        if difference and self.origin == MADE_BY_KEZURI:
            absent(f"{difference} (bases: {self.origin})")

    def arguments(self, names: Iterable[str]) -> list[str]:
        """The flags of `kezuri build` that put these images in the place of the registry's."""
        flags = []
        for name in names:
            flags += ["--build-context", f"{name}=oci-layout://{self.directory}:{self._standing_for(name)}"]
        return flags

    def place(self, name: str) -> str:
        """Where the image for this name lies, as `kezuri copy` is told."""
        return f"oci:{self.directory}:{self._standing_for(name)}"

    def diff_ids(self, name: str) -> list[str]:
        """The layers of an image, as its config names them."""
        manifest = self._blob(self._manifests[self._standing_for(name) or name])
        found: list[str] = self._blob(manifest["config"]["digest"])["rootfs"]["diff_ids"]
        return found

    def _standing_for(self, name: str) -> str | None:
        """The image for this name: its own; one that kezuri makes for both names; or one that differs only in the
        version, as golang:1.24-alpine stands for golang:1.22-alpine where that is the one that can be made."""
        full = full_name(name)
        for other in (full, _made_for(name)):
            if other in self._manifests:
                return other
        alike = _but_for_version(full)
        return max((other for other in self._manifests if _but_for_version(other) == alike), default=None)

    def _blob(self, digest: str) -> Any:
        algorithm, _, value = digest.partition(":")
        return json.loads((self.directory / "blobs" / algorithm / value).read_bytes())


def _made_for(name: str) -> str:
    """The name of the image that kezuri makes for this name; the name itself when it makes none."""
    recipe = find(Reference.parse(full_name(name)))
    return recipe.name if recipe is not None else full_name(name)


def _but_for_version(name: str) -> str:
    """`docker.io/library/golang:1.22-alpine` as `docker.io/library/golang:-alpine`; a tag without a version is kept."""
    repository, _, tag = name.rpartition(":")
    return f"{repository}:{re.sub(r'^[0-9.]+', '', tag)}"


_OF_FIXES = "docker.io/library/debian:bookworm-slim"
"""What most of the Dockerfiles stand on that fixes are tried on."""


def _wanted() -> list[str]:
    return sorted({full_name(base) for entry in [*examples(), *broken()] for base in entry.bases} | {_OF_FIXES})


def _has(directory: Path, names: Iterable[str]) -> bool:
    return (directory / "index.json").is_file() and all(name in Bases(directory, "") for name in names)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Holds the cache: the examples and the other tests run at the same time, and both want bases."""
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_by_stand_in_maker(cache: Path) -> tuple[Path | None, str]:
    if without_shared():
        return None, "there are no stand-ins beside the project"
    directory, wanted = cache / "stand-ins", _wanted()
    with _alone(cache):
        if not _has(directory, wanted):
            if os.geteuid():
                return None, f"{STAND_IN_MAKER} runs as root only"
            done = subprocess.run(
                [sys.executable, STAND_IN_MAKER, "--out", directory, *wanted], capture_output=True, text=True
            )
            if done.returncode:
                return None, f"{STAND_IN_MAKER} failed: {(done.stderr or done.stdout).strip()[-300:]}"
    return directory, "stand-ins made from package registries"


def made_of(source: Path) -> str:
    """What the code that makes bases is, in a few digits: bases of other code are not taken for its own."""
    found = hashlib.sha256()
    for path in sorted(source.rglob("*.py")):
        data = path.read_bytes()
        found.update(f"{path.relative_to(source)} {len(data)}\n".encode() + data)
    return found.hexdigest()[:16]


def _forget_old(cache: Path, own: Path) -> None:
    """Remove bases that no checkout has used for a week, and note that our own are used."""
    for directory in cache.glob("kezuri*"):
        if directory == own:
            os.utime(directory)
        elif directory.stat().st_mtime < time.time() - 7 * 86400:
            shutil.rmtree(directory)


def _wants(recipe: Recipe) -> bool:
    """Whether an example builds on this image, or on one that it can stand for."""
    alike = {_but_for_version(name) for name in _wanted()}
    return any(_but_for_version(name) in alike for name in (recipe.name, *recipe.aliases))


def made_by_kezuri(cache: Path, kezuri: Kezuri) -> tuple[Path | None, str]:
    names = [recipe.name for recipe in recipes() if _wants(recipe)]
    directory = cache / f"kezuri-{made_of(Path(kezuri_bases.__file__).parent)}"
    with _alone(cache):
        _forget_old(cache, directory)
        if not _has(directory, names):
            short = [name.removeprefix("docker.io/library/") for name in names]
            made = kezuri("bases", "--out", str(directory), *short, timeout=1800)
            if made.code:
                return None, f"kezuri bases --out failed: {made.err.strip()[-300:]}"
    return directory, MADE_BY_KEZURI
