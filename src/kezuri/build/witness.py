"""Who is told what becomes of each step, while a build is made: the door."""

from typing import TYPE_CHECKING, Protocol

from kezuri.plan.key import Components

if TYPE_CHECKING:
    from kezuri.cache.journal import Miss


class Witness(Protocol):
    """Told by the builder, from any thread. A step is named by its stage's number and its position in the stage."""

    def based(self, stage: int, state: str) -> None:
        """The stage begins with these files."""
        ...

    def found(self, stage: int, position: int, components: Components, created: float = 0.0) -> None:
        """The step's result was there: made at this moment (seconds since the epoch), or, for 0, in this build."""
        ...

    def ran(
        self, stage: int, position: int, components: Components, seconds: float, miss: "Miss", kept: bool = True
    ) -> None:
        """The step has run, because of `miss`; `kept` is whether its result may be used again."""
        ...

    def failed(
        self, stage: int, position: int, components: Components, seconds: float, miss: "Miss", error: BaseException
    ) -> None:
        """The step has failed or was called off. Without components it has failed before it had a key."""
        ...

    def advanced(self, stage: int, position: int, layer: str, state: str) -> None:
        """The step has led to this state."""
        ...
