"""The words of an ADD of which some are remote: what they are, and their files, in the order of the words."""

from collections.abc import Iterator

from kezuri.diagnostics import KezuriError
from kezuri.keys.trees import Choice, StateOf, Trees
from kezuri.plan.key import Components
from kezuri.plan.operation import CopyOperation, Remote
from kezuri.tree.selection import Selection, SourceError


def mixed_components(operation: CopyOperation, trees: Trees, states: StateOf) -> Components:
    """The parts of the key that say what the words are: of local words beside each other a digest of their files.
    SourceError for a word of which that cannot be found out."""
    parts: list[tuple[str, str]] = []
    for first, piece in _pieces(operation):
        try:
            if isinstance(piece, Choice):
                name, value = "files", trees.digest(piece, states)
            else:
                name, value = trees.identity(piece)
        except KezuriError as error:
            raise _at(error, first) from error
        same = sum(1 for other, _ in parts if other == name or other.startswith(f"{name} "))
        parts.append((f"{name} {same + 1}" if same else name, value))
    return tuple(parts)


def mixed_selection(operation: CopyOperation, trees: Trees, states: StateOf) -> Selection:
    """What the words select, entry by entry. SourceError for a word that cannot be had."""
    roots: Selection = ()
    for first, piece in _pieces(operation):
        try:
            if isinstance(piece, Choice):
                roots += trees.select(piece, states)
            else:
                roots += (trees.fetched(piece, operation.excludes, bool(operation.unpack)),)
        except KezuriError as error:
            raise _at(error, first) from error
    return roots


def _pieces(operation: CopyOperation) -> Iterator[tuple[int, Choice | Remote]]:
    """Remote words, and runs of local ones, each with the index of its first word."""
    local: list[str] = []
    for index, (word, remote) in enumerate(zip(operation.sources, operation.remotes, strict=True)):
        if remote is None:
            local.append(word)
            continue
        if local:
            yield index - len(local), _choice(operation, local)
            local = []
        yield index, remote
    if local:
        yield len(operation.sources) - len(local), _choice(operation, local)


def _choice(operation: CopyOperation, words: list[str]) -> Choice:
    return Choice(operation.input, tuple(words), operation.parents, operation.excludes)


def _at(error: KezuriError, first: int) -> SourceError:
    """The error with the word that it is about; words of a piece are counted from its first."""
    found = SourceError(*error.diagnostics, exit_code=error.exit_code)
    found.word = first + (error.word if isinstance(error, SourceError) else 0)
    return found
