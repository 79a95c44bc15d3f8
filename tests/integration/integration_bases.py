"""Base images for the tests: given, made by the stand-in maker beside the checkout, or made by kezuri itself."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.integration_command import Kezuri
from tests.integration.integration_entries import PROJECT, absent, broken, examples, full_name


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
        return full_name(name) in self._manifests

    def require(self, names: Iterable[str]) -> None:
        """Skips the test by name when one of the images is not there."""
        missing = [name for name in names if name not in self]
        if missing:
            absent(f"no base image {', '.join(missing)} (bases: {self.origin})")

    def arguments(self, names: Iterable[str]) -> list[str]:
        """The flags of `kezuri build` that put these images in the place of the registry's."""
        flags = []
        for name in names:
            flags += ["--build-context", f"{name}=oci-layout://{self.directory}:{full_name(name)}"]
        return flags

    def diff_ids(self, name: str) -> list[str]:
        """The layers of an image, as its config names them."""
        manifest = self._blob(self._manifests[full_name(name)])
        found: list[str] = self._blob(manifest["config"]["digest"])["rootfs"]["diff_ids"]
        return found

    def _blob(self, digest: str) -> Any:
        algorithm, _, value = digest.partition(":")
        return json.loads((self.directory / "blobs" / algorithm / value).read_bytes())


def _wanted() -> list[str]:
    return sorted({full_name(base) for entry in [*examples(), *broken()] for base in entry.bases})


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
    maker = PROJECT.parent / "shared" / "bases" / "make-bases"
    if not maker.is_file():
        return None, f"there is no {maker}"
    directory, wanted = cache / "stand-ins", _wanted()
    with _alone(cache):
        if not _has(directory, wanted):
            if os.geteuid():
                return None, f"{maker} runs as root only"
            done = subprocess.run([sys.executable, maker, "--out", directory, *wanted], capture_output=True, text=True)
            if done.returncode:
                return None, f"{maker} failed: {(done.stderr or done.stdout).strip()[-300:]}"
    return directory, "stand-ins made from package registries"


def made_by_kezuri(cache: Path, kezuri: Kezuri) -> tuple[Path | None, str]:
    listed = kezuri("bases")
    if listed.code:
        return None, f"kezuri bases failed: {listed.err.strip()[-300:]}"
    known = [line.split()[0] for line in listed.out.splitlines()[1:] if line.strip()]
    names = [name for name in known if full_name(name) in _wanted()]
    directory = cache / "kezuri"
    with _alone(cache):
        if not _has(directory, names):
            made = kezuri("bases", "--out", str(directory), *names, timeout=1800)
            if made.code:
                return None, f"kezuri bases --out failed: {made.err.strip()[-300:]}"
    return directory, "made by kezuri bases"
