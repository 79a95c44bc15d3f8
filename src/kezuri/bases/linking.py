"""Whether every program of an image finds its dynamic linker and its libraries there."""

from collections.abc import Mapping

from kezuri.bases.elf import MACHINES, Linkage
from kezuri.bases.layer_writer import Placed
from kezuri.diagnostics import KezuriError
from kezuri.oci import Platform

TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
"""The directory under /usr/lib in which Debian keeps an architecture's libraries."""

_DEEPEST = 40


def check(
    programs: Mapping[str, Linkage],
    tree: Mapping[str, Placed],
    platform: Platform,
    name: str,
    further: tuple[str, ...] = (),
) -> None:
    """KezuriError naming each program of the image `name` that could not start, and what it lacks.

    A library may lie in Debian's library directories, in `further` ones, or beside the program; that it exists is what
    is checked, not its version."""
    triplet = TRIPLETS[platform.architecture]
    folders = ("lib", "usr/lib", "usr/local/lib", f"lib/{triplet}", f"usr/lib/{triplet}")
    lacking: list[str] = []
    for path, linkage in programs.items():
        if linkage.machine != MACHINES[platform.architecture]:
            lacking.append(f"/{path} is not for {platform.architecture}")
        if linkage.interpreter and not exists(linkage.interpreter, tree):
            lacking.append(f"/{path} needs {linkage.interpreter}")
        beside = path.rpartition("/")[0]
        lacking += [
            f"/{path} needs {library}"
            for library in linkage.needed
            if not any(exists(f"{folder}/{library}", tree) for folder in (*folders, *further, beside))
        ]
    if lacking:
        raise KezuriError.of(
            f"the recipe for {name} is incomplete: {'; '.join(lacking[:10])}",
            hint="Debian's packages have changed since it was written: report this to kezuri",
        )


def exists(path: str, tree: Mapping[str, Placed]) -> bool:
    """Whether the path leads to a file, symlinks followed within the tree."""
    left = [p for p in path.split("/") if p][::-1]
    at: list[str] = []
    steps = 0
    while left:
        part = left.pop()
        if part == "..":
            del at[-1:]
            continue
        if part == ".":
            continue
        there = tree.get("/".join([*at, part]))
        if there is None:
            return False
        if there.kind == "symlink":
            steps += 1
            if steps > _DEEPEST:
                return False
            if there.link.startswith("/"):
                at = []
            left += [p for p in there.link.split("/") if p][::-1]
            continue
        at.append(part)
    there = tree.get("/".join(at))
    return there is not None and there.kind == "file"
