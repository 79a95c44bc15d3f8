"""Which directories of this machine hold what the steps of a plan read."""

from collections.abc import Iterator, Mapping

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.wildcard import has_wildcard
from kezuri.layer.entry import Entry
from kezuri.plan.inputs import Choice, ContextInput
from kezuri.plan.operation import Plan
from kezuri.tree.directory import DirectoryTree
from kezuri.tree.tree import clean, resolve


def directories_read(plan: Plan, trees: Mapping[str, DirectoryTree]) -> Iterator[str]:
    """The directories in which a change can change what a step of the plan takes from a context, some of them more than
    once. `trees` are the contexts by name."""
    for choice in _choices(plan):
        tree = trees.get(choice.input.name) if isinstance(choice.input, ContextInput) else None
        if tree is not None:
            for word in choice.sources:
                yield from map(tree.host_path, _directories(tree, word, choice.literal))


def _choices(plan: Plan) -> Iterator[Choice]:
    for stage in plan.stages:
        for operation in stage.operations:
            yield from (piece for _, piece in operation.pieces if isinstance(piece, Choice))


def _directories(tree: DirectoryTree, word: str, literal: bool) -> Iterator[str]:
    """The directories in which a change can change what a source word selects: those on the way to it, and all below
    what it names, or below where its wildcards begin."""
    parts = clean(word).split("/")
    if not literal:
        fixed = [i for i, part in enumerate(parts) if has_wildcard(part)]
        parts = parts[: fixed[0]] if fixed else parts
    for path in dict.fromkeys(("/".join(parts), _resolved(tree, "/".join(parts)))):
        above = path
        while above:
            above = above.rpartition("/")[0]
            yield above
        yield from directories_below(tree, path)


def _resolved(tree: DirectoryTree, path: str) -> str:
    def lookup(at: str) -> Entry | None:
        found = tree.stat(at)
        return None if found is None else found.entry

    try:
        return resolve(path, lookup)
    except KezuriError:
        return path


def directories_below(tree: DirectoryTree, path: str) -> Iterator[str]:
    """The directory and all below it that ignore rules show; nothing when it is none."""
    try:
        found = tree.stat(path)
        if found is None or found.entry.kind != "dir":
            return
        stack = [path]
        while stack:
            at = stack.pop()
            yield at
            stack += [each.entry.path for each in tree.scan(at) if each.entry.kind == "dir"]
    except KezuriError:
        return  # it may have gone meanwhile; what cannot be read, the build tells
