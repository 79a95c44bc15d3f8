"""Files that are thought to be changed: where they are, and which context or file of the build that concerns."""

import os
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.forecast.foresight import Cause
from kezuri.keys.inputs import Context
from kezuri.source.context import Context as BuildContext
from kezuri.tree.directory import DirectoryTree


class ChangedFiles(NamedTuple):
    """What each text that was given is, and the changed paths by context."""

    causes: tuple[Cause, ...]
    paths: dict[str, list[str]]


def changed_files(given: Iterable[str], contexts: Mapping[str, Context], context: BuildContext) -> ChangedFiles:
    """Find what the names mean. `contexts` are all that the plan takes files from, `context` is the build's own.
    KezuriError where no context is a directory."""
    roots = {name: os.path.realpath(c.tree.root) for name, c in contexts.items() if isinstance(c.tree, DirectoryTree)}
    if not roots:
        raise KezuriError.of(
            "a context from standard input has no files that could change",
            hint="give the context as a directory",
            exit_code=2,
        )
    deciding = _deciding(contexts, context)
    causes: list[Cause] = []
    paths: dict[str, list[str]] = {}
    for text in dict.fromkeys(given):
        place = _place(text, roots)
        role = deciding.get(place, "outside")
        for name, root in roots.items():
            inner = _within(place, root)
            if inner is not None:
                paths.setdefault(name, []).append(inner)
                role = "file" if role == "outside" else role
        causes.append(Cause(text, place, role))
    return ChangedFiles(tuple(causes), paths)


def _place(given: str, roots: Mapping[str, str]) -> str:
    """Where the file is. What is not there may be new or gone: then it is meant from the current directory, or from the
    context if only that has it."""
    here = _real(os.path.abspath(given))
    if os.path.isabs(given) or os.path.lexists(here) or "" not in roots:
        return here
    there = _real(os.path.join(roots[""], given))
    inside = any(_within(here, root) is not None for root in roots.values())
    return there if os.path.lexists(there) or not inside else here


def _deciding(contexts: Mapping[str, Context], context: BuildContext) -> dict[str, str]:
    """The files that decide what the plan is, there or not, with their role."""
    found: dict[str, str] = {}
    for name, of in contexts.items():
        if isinstance(of.tree, DirectoryTree):
            own = _real(os.path.join(of.tree.root, ".dockerignore"))
            if name or of.tree.ignore is None or _real(os.path.abspath(of.tree.ignore.source.name)) == own:
                found[own] = "ignore"
    if context.directory:
        file = os.path.join(context.directory, os.path.basename(context.dockerfile.name))
        found[_real(file)] = "dockerfile"
        found[_real(file + ".dockerignore")] = "ignore"
    return found


def _real(path: str) -> str:
    """The path with the links among its parents followed, but not itself."""
    head, name = os.path.split(path.rstrip("/") or "/")
    return os.path.join(os.path.realpath(head), name) if name else head


def _within(path: str, root: str) -> str | None:
    """The path relative to a directory, empty for the directory itself; None when it does not lie there."""
    if path == root:
        return ""
    prefix = root.rstrip("/") + "/"
    return path[len(prefix) :] if path.startswith(prefix) else None
