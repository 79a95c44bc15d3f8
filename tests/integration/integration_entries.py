"""The examples and the broken recipes, as the files beside them describe them."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

PROJECT = Path(__file__).resolve().parents[2]
EXAMPLES = PROJECT / "examples"


STAND_IN_MAKER = PROJECT.parent / "shared" / "bases" / "make-bases"
"""Makes every base image that an example wants; not a part of the project, and not everybody has it."""


def without_shared() -> bool:
    """Whether the tests have only what the project itself has: as on a machine where nothing lies beside it, or when
    $KEZURI_TEST_WITHOUT_SHARED asks for that."""
    return os.environ.get("KEZURI_TEST_WITHOUT_SHARED", "") not in ("", "0") or not STAND_IN_MAKER.is_file()


def in_ci() -> bool:
    """Whether nothing may be skipped: in CI, where every base image can be had."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes") and not without_shared()


def absent(reason: str) -> None:
    """Skips the test, which names the reason; in CI fails it instead."""
    if in_ci():
        pytest.fail(f"nothing may be skipped in CI: {reason}", pytrace=False)
    pytest.skip(reason)


def advisory_sets() -> Path:
    """Where the archives of real advisories are; the test is skipped where none lie beside the project, in CI, too:
    nobody can fetch them."""
    place = STAND_IN_MAKER.parent.parent / "advisories"
    if without_shared() or not place.is_dir():
        pytest.skip("the real advisories do not lie beside the project")
    return place


class Entry(NamedTuple):
    """One build of an example, or one broken recipe: the directory that describes it, and what its file says."""

    name: str
    directory: Path
    data: Mapping[str, Any]

    @property
    def dockerfile(self) -> Path:
        return self.directory / str(self.data.get("dockerfile", "Dockerfile"))

    @property
    def context(self) -> Path:
        return (self.directory / str(self.data.get("context", "."))).resolve()

    @property
    def bases(self) -> tuple[str, ...]:
        return tuple(self.data.get("bases", ()))


def examples() -> list[Entry]:
    """Every build of every example."""
    found = []
    for path in sorted(EXAMPLES.glob("*/example.json")):
        for build in json.loads(path.read_text(encoding="utf-8"))["builds"]:
            name = (
                f"{path.parent.name}-{build.get('name') or build['dockerfile'].removeprefix('Dockerfile').strip('.')}"
            )
            found.append(Entry(name.rstrip("-"), path.parent, build))
    return found


def broken() -> list[Entry]:
    """The corpus of broken recipes."""
    return [
        Entry(path.parent.name, path.parent, json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(EXAMPLES.glob("broken/*/case.json"))
    ]


def part(entries: Sequence[Entry], number: int, of: int) -> list[Entry]:
    """The part with this number (from 1) when the entries are cut into so many runs of neighbours that weigh about the
    same. Neighbours stay together because they stand on the same bases, which are then unpacked once."""
    weights = [float(entry.data["slow_minutes"]) for entry in entries]
    total, before, found = sum(weights), 0.0, []
    for entry, weight in zip(entries, weights, strict=True):
        middle = before + weight / 2
        if int(middle / total * of) == number - 1:
            found.append(entry)
        before += weight
    return found


def full_name(name: str) -> str:
    """A reference written out as the layout's index has it: docker.io/library/node:20-alpine."""
    host = name.partition("/")[0]
    if "/" not in name:
        name = f"docker.io/library/{name}"
    elif "." not in host and ":" not in host and host != "localhost":
        name = f"docker.io/{name}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


Copier = Callable[[Entry], Path]
"""Copies the context of an entry to a directory of the test's own, where it may be changed."""
