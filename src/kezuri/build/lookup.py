"""Results of one build's operations: what they depend on, which are there, and which are kept."""

import threading
from typing import TYPE_CHECKING

from kezuri.build.turn import Found, Turn
from kezuri.cache.results import Results
from kezuri.keys.options import Options
from kezuri.keys.state import State, StateOf, next_state
from kezuri.keys.stepkeys import StepKeys
from kezuri.plan.inputs import BaseImage
from kezuri.plan.key import Components
from kezuri.plan.operation import Operation, StagePlan

if TYPE_CHECKING:
    from kezuri.cache.journal import Miss
    from kezuri.step.task import Outcome


class KeyedLookup:
    """The Lookup of a store (see `kezuri.build.doors`)."""

    def __init__(self, keys: StepKeys, results: Results, options: Options) -> None:
        self._keys = keys
        self._results = results
        self._options = options
        self._lock = threading.Lock()
        self._fresh: dict[str, str] = {}

    def base(self, image: BaseImage) -> State:
        """See Lookup. The image's layers are known to the store afterwards."""
        return self._keys.base(image)

    def ignored(self, stage: StagePlan) -> bool:
        """See Lookup: `--no-cache`, `--no-cache-filter`."""
        return self._options.ignores(stage)

    def components(self, operation: Operation, before: State, states: StateOf) -> Components:
        """See Lookup."""
        return self._keys.components(operation, before, states)

    def find(self, turn: Turn) -> Found | None:
        """See Lookup."""
        with self._lock:
            fresh = self._fresh.get(turn.key)
        if fresh is not None:
            return Found(fresh)
        record = None if self.ignored(turn.stage) else self._results.find(turn.components)
        return None if record is None else Found(record.layer, record.created)

    def missed(self, turn: Turn) -> "Miss":
        """See Lookup. What the operation takes from contexts is written down, for telling later what was different."""
        self._keys.keep_file_lists(turn.operation)
        if self.ignored(turn.stage):
            return "no-cache" if self._options.no_cache else "no-cache-filter"
        return "lost" if self._results.lost(turn.key) else "absent"

    def keep(self, turn: Turn, outcome: "Outcome", seconds: float) -> None:
        """See Lookup."""
        if outcome.believable:
            self._remember(turn, outcome.layer, seconds)
        with self._lock:
            self._fresh[turn.key] = outcome.layer

    def _remember(self, turn: Turn, layer: str, seconds: float, created: float = 0.0) -> None:
        """Let later builds find that an operation came to this layer; `created` as `Results.keep` has it."""
        self._results.keep(
            turn.components,
            state=next_state(turn.before, layer).id,
            layer=layer,
            kind=turn.operation.kind,
            title=turn.operation.title,
            seconds=seconds,
            created=created,
        )
