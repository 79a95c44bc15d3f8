"""An operation whose turn has come, and a result that is there for it: what a builder and its doors speak of."""

from typing import NamedTuple

from kezuri.keys.state import State
from kezuri.plan.key import Components
from kezuri.plan.operation import Operation, StagePlan


class Turn(NamedTuple):
    """An operation whose turn has come: the state that it meets, and its key, part by part. `key` is the digest of
    these, empty where the result was there at the first look."""

    stage: StagePlan
    position: int
    before: State
    components: Components = ()
    key: str = ""

    @property
    def operation(self) -> Operation:
        """What has to happen."""
        return self.stage.operations[self.position]

    @property
    def place(self) -> tuple[int, int]:
        """The number of the stage, and the position of the operation in it."""
        return self.stage.number, self.position


class Found(NamedTuple):
    """A result that is there: its layer, when it was made (seconds since the epoch), 0 for in this build, and the name
    of the imported cache that gave it, empty for the store's own."""

    layer: str
    created: float = 0.0
    cache: str = ""
