"""The source words of a COPY or ADD in pieces: local words beside each other are one choice, a remote word is alone."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from kezuri.diagnostics import KezuriError
from kezuri.keys.inputs import Choice, Inputs, StateOf
from kezuri.plan.key import Components
from kezuri.plan.operation import CopyOperation, Remote
from kezuri.tree.selection import SourceError

_Made = TypeVar("_Made")


def components_of_words(operation: CopyOperation, inputs: Inputs, states: StateOf) -> Components:
    """The parts of the key that say what the words are: of local words beside each other a digest of their files, of a
    remote word what it is now. SourceError for a word of which that cannot be found out."""

    def told(first: int, piece: Choice | Remote) -> tuple[str, str]:
        return ("files", inputs.digest(piece, states)) if isinstance(piece, Choice) else inputs.identity(piece)

    parts: list[tuple[str, str]] = []
    for name, value in each_piece(operation, told):
        same = sum(1 for other, _ in parts if other == name or other.startswith(f"{name} "))
        parts.append((f"{name} {same + 1}" if same else name, value))
    return tuple(parts)


def each_piece(operation: CopyOperation, make: Callable[[int, Choice | Remote], _Made]) -> list[_Made]:
    """What `make` gives for the index of the first word of a piece and the piece, in the order of the words. An error
    of it becomes a SourceError that knows its word."""
    made = []
    for first, piece in _pieces(operation):
        try:
            made.append(make(first, piece))
        except KezuriError as error:
            raise at_word(error, first) from error
    return made


def _pieces(operation: CopyOperation) -> Iterator[tuple[int, Choice | Remote]]:
    """The pieces, each with the index of its first word."""
    if not operation.remotes:
        yield 0, _choice(operation, operation.sources)
        return
    local: list[str] = []
    for index, (word, remote) in enumerate(zip(operation.sources, operation.remotes, strict=True)):
        if remote is None:
            local.append(word)
            continue
        if local:
            yield index - len(local), _choice(operation, tuple(local))
            local = []
        yield index, remote
    if local:
        yield len(operation.sources) - len(local), _choice(operation, tuple(local))


def _choice(operation: CopyOperation, words: tuple[str, ...]) -> Choice:
    return Choice(operation.input, words, operation.parents, operation.excludes)


def at_word(error: KezuriError, first: int) -> SourceError:
    """The error with the word that it is about; words of a piece are counted from its first."""
    found = SourceError(*error.diagnostics, exit_code=error.exit_code)
    found.word = first + (error.word if isinstance(error, SourceError) else 0)
    return found
