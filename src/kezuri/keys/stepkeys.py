"""The key of each operation in the state that it meets: all that a build needs which finds everything in the cache."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from kezuri.diagnostics import KezuriError, Place
from kezuri.keys.components import copy_components, run_components, workdir_components
from kezuri.keys.inputs import Inputs
from kezuri.keys.options import Options
from kezuri.keys.state import State, StateOf
from kezuri.plan.inputs import BaseImage, Choice, Remote
from kezuri.plan.key import Components
from kezuri.plan.operation import AgentMount, CopyOperation, Operation, RunOperation, SecretMount, WorkdirOperation
from kezuri.tree.selection import SourceError

_Made = TypeVar("_Made")


class StepKeys:
    """Computes keys. KezuriError, at the instruction's line, when a source is not there or a secret is missing."""

    def __init__(self, inputs: Inputs, options: Options) -> None:
        self._inputs = inputs
        self._options = options

    def base(self, image: BaseImage) -> State:
        """The state that an image gives, whose layers are known to the store afterwards."""
        return self._inputs.image(image)

    def components(self, operation: Operation, before: State, states: StateOf) -> Components:
        """The operation's key, part by part."""

        def taken(place: int, piece: Choice | Remote) -> tuple[str, str]:
            if isinstance(piece, Choice):
                return "files", self._inputs.digest(piece, states)
            return self._inputs.identity(piece)

        try:
            match operation:
                case RunOperation():
                    self._check(operation)
                    bound = {place: taken(place, piece)[1] for place, piece in operation.pieces}
                    return run_components(operation, before, self._options.settings, bound)
                case CopyOperation():
                    return copy_components(operation, before, _told_apart(each_piece(operation, taken)))
                case WorkdirOperation():
                    return workdir_components(operation, before)
        except KezuriError as error:
            raise error.at(place_of(error, operation)) from error

    def keep_file_lists(self, operation: Operation) -> None:
        """Write down what counted of each file that the operation takes from contexts, for telling differences later.
        That there is no room for it is no reason to fail."""
        with suppress(KezuriError):
            for _, piece in operation.pieces:
                if isinstance(piece, Choice):
                    self._inputs.keep_file_list(piece)

    def _check(self, operation: RunOperation) -> None:
        """Whether what the command asks for is allowed, and given."""
        for asked, entitlement in (
            (operation.network == "host", "network.host"),
            (operation.insecure, "security.insecure"),
        ):
            if asked and entitlement not in self._options.allow:
                raise KezuriError.of(
                    f"{entitlement} is not allowed", hint=f"`--allow {entitlement}` allows it for this build"
                )
        for mount in operation.mounts:
            if isinstance(mount, SecretMount) and mount.required and self._options.secrets.get(mount.id) is None:
                raise KezuriError.of(
                    f"secret {mount.id}: not found", hint=f"give it with --secret id={mount.id},src=FILE or env=NAME"
                )
            if isinstance(mount, AgentMount) and mount.required and mount.id not in self._options.agents:
                raise KezuriError.of(f"ssh agent {mount.id}: not found", hint=f"give it with --ssh {mount.id}")


def each_piece(operation: CopyOperation, make: Callable[[int, Choice | Remote], _Made]) -> list[_Made]:
    """What `make` gives for each piece and its place, in the order of the words. Where words are remote, an error of it
    becomes a SourceError that knows its word."""
    made = []
    for first, piece in operation.pieces:
        try:
            made.append(make(first, piece))
        except KezuriError as error:
            if not operation.remotes:
                raise
            raise at_word(error, first) from error
    return made


def at_word(error: KezuriError, first: int) -> SourceError:
    """The error with the word that it is about; words of a piece are counted from its first."""
    found = SourceError(*error.diagnostics, exit_code=error.exit_code)
    found.word = first + (error.word if isinstance(error, SourceError) else 0)
    return found


def place_of(error: KezuriError, operation: Operation) -> Place:
    """Where an error of the operation belongs: to the source word that it is about, else to the whole instruction."""
    place, spans = operation.node.place, operation.source_spans
    if isinstance(error, SourceError) and error.word < len(spans):
        return place._replace(span=spans[error.word])
    return place


def _told_apart(parts: Iterable[tuple[str, str]]) -> Components:
    """The parts, those of the same name numbered."""
    found: list[tuple[str, str]] = []
    for name, value in parts:
        same = sum(1 for other, _ in found if other == name or other.startswith(f"{name} "))
        found.append((f"{name} {same + 1}" if same else name, value))
    return tuple(found)
