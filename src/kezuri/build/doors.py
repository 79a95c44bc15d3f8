"""The doors of the builder: who says which results are there, who hears what becomes of each operation, who performs
them. Loaded by nobody who builds: they are for the types, and for who writes another implementation."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from kezuri.build.turn import Found, Turn
from kezuri.cache.journal import Miss
from kezuri.diagnostics import KezuriError
from kezuri.keys.state import State, StateOf
from kezuri.plan.inputs import BaseImage
from kezuri.plan.key import Components
from kezuri.plan.operation import Operation, StagePlan
from kezuri.sandbox.step import Output
from kezuri.step.task import Outcome


class Lookup(Protocol):
    """Says what results depend on, and which are there. Threads share it."""

    def base(self, image: BaseImage) -> State:
        """The state that an image gives."""
        ...

    def ignored(self, stage: StagePlan) -> bool:
        """Whether earlier results of the stage are not to be used."""
        ...

    def components(self, operation: Operation, before: State, states: StateOf) -> Components:
        """The key of an operation that meets this state. KezuriError when it cannot be done: a source is not there."""
        ...

    def find(self, turn: Turn) -> Found | None:
        """A result that may be used, of this build or, unless they are ignored, of an earlier one."""
        ...

    def missed(self, turn: Turn) -> Miss:
        """Why nothing was found for an operation that will be performed now."""
        ...

    def keep(self, turn: Turn, outcome: Outcome, seconds: float) -> None:
        """Remember what an operation has given: for this build, and, where it may be believed, for later ones."""
        ...


class Told(Protocol):
    """Tells of one operation that is performed."""

    @property
    def seconds(self) -> float:
        """How long it has been performed; 0 before `begin`."""
        ...

    def base(self, prepare: Callable[[], None]) -> None:
        """Call `prepare` in the time of the stage's FROM."""
        ...

    def begin(self) -> Output:
        """Its own time begins. Gives where its output goes."""
        ...

    def done(self, outcome: Outcome) -> None:
        """It has given this."""
        ...


class Telling(Protocol):
    """Hears what becomes of each operation. Threads share it, each for its own stage."""

    ran: int
    """How many operations were performed."""
    cached: int
    """How many were told to be paid for already."""

    def began(self, stage: StagePlan, state: State) -> None:
        """The stage begins with these files."""
        ...

    def unkeyed(self, turn: Turn, error: KezuriError) -> None:
        """The operation has failed before it had a key."""
        ...

    def found(self, turn: Turn, found: Found) -> None:
        """The result was there."""
        ...

    def performing(self, turn: Turn, miss: Miss) -> AbstractContextManager[Told]:
        """The operation is performed within the block, because of `miss`; it has failed when the block raises."""
        ...

    def advanced(self, turn: Turn, layer: str, state: State) -> None:
        """The operation has given this layer, and led to this state."""
        ...

    def ended(self, stage: StagePlan) -> None:
        """All of the stage is there."""
        ...


class Performing(Protocol):
    """Performs operations. Threads share it."""

    def alone(self, turn: Turn) -> AbstractContextManager[object]:
        """Nobody else, in this process or another one, performs an operation of the same key within the block."""
        ...

    def prepare(self, turn: Turn, base: Callable[[Callable[[], None]], None]) -> None:
        """Make ready what the operation works upon. `base` calls what it is given, in the time of the stage's FROM."""
        ...

    def perform(self, turn: Turn, states: StateOf, output: Output) -> Outcome:
        """Do it. KezuriError, at its place in the Dockerfile, when it fails."""
        ...

    def advanced(self, turn: Turn, layer: str) -> None:
        """The operation has given this layer, or it was found: what is done with it beside the next ones begins."""
        ...

    def finish(self) -> None:
        """Wait for what was begun beside."""
        ...


class Layers(Protocol):
    """Knows which layers are at hand."""

    def usable(self, layer: str) -> bool:
        """Whether nothing needs to be fetched for the layer."""
        ...

    def unpacked(self, layers: Sequence[str]) -> bool:
        """Whether there are directories of all of the layers."""
        ...
