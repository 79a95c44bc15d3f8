"""The doors of the builder, in memory: results, what was told, and a performer that does what a function says."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from kezuri.build.builder import Builder, Built
from kezuri.build.turn import Found, Turn
from kezuri.cache.journal import Miss
from kezuri.diagnostics import KezuriError
from kezuri.keys.state import State, StateOf, base_state
from kezuri.plan.inputs import BaseImage, StageInput
from kezuri.plan.key import Components, digest
from kezuri.plan.operation import Operation, Plan, StagePlan
from kezuri.progress.calling_off import CallOff
from kezuri.sandbox.step import Output
from kezuri.step.task import Outcome

Work = Callable[[str], Outcome | None]
"""What performing an operation of this title does; None for a layer that is named after the operation."""


class Memory:
    """The Lookup. `kept` are the layers of earlier builds by key, `ignoring` names stages whose are not used."""

    def __init__(self, ignoring: Sequence[str] = ()) -> None:
        self.kept: dict[str, str] = {}
        self.ignoring = ignoring
        self.unkeyed: set[str] = set()
        self.asked: list[str] = []
        self._fresh: dict[str, str] = {}

    def base(self, image: BaseImage) -> State:
        return base_state(image)

    def ignored(self, stage: StagePlan) -> bool:
        return stage.name in self.ignoring

    def components(self, operation: Operation, before: State, states: StateOf) -> Components:
        self.asked.append(operation.title)
        if operation.title in self.unkeyed:
            raise KezuriError.of(f"{operation.title}: no key")
        taken = [states(source).id for source in operation.inputs if isinstance(source, StageInput)]
        return (("title", operation.title), ("before", before.id), *(("taken", state) for state in taken))

    def find(self, turn: Turn) -> Found | None:
        if turn.key in self._fresh:
            return Found(self._fresh[turn.key])
        layer = None if self.ignored(turn.stage) else self.kept.get(digest(turn.components))
        return None if layer is None else Found(layer, 1.0)

    def missed(self, turn: Turn) -> Miss:
        return "no-cache-filter" if self.ignored(turn.stage) else "absent"

    def keep(self, turn: Turn, outcome: Outcome, seconds: float) -> None:
        self._fresh[turn.key] = outcome.layer
        if outcome.believable:
            self.kept[turn.key] = outcome.layer

    def forget_this_build(self) -> None:
        self._fresh = {}


class Heard:
    """The Telling: what was told, in order, as (word, title of the operation or name of the stage)."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.misses: list[Miss] = []
        self.believable: list[bool] = []
        self.ran = self.cached = 0

    def said_of(self, word: str) -> list[str]:
        return [name for said, name in self.said if said == word]

    def began(self, stage: StagePlan, state: State) -> None:
        self.said.append(("began", stage.name))

    def unkeyed(self, turn: Turn, error: KezuriError) -> None:
        self.said.append(("unkeyed", turn.operation.title))

    def found(self, turn: Turn, found: Found) -> None:
        self.said.append(("found" if found.created else "shared", turn.operation.title))
        self.cached += 1

    @contextmanager
    def performing(self, turn: Turn, miss: Miss) -> Iterator["HeardStep"]:
        self.misses.append(miss)
        step = HeardStep()
        try:
            yield step
        except BaseException as error:
            self.said.append(("called off" if not isinstance(error, KezuriError) else "failed", turn.operation.title))
            raise
        self.ran += 1
        self.said.append(("ran", turn.operation.title))
        self.believable += [step.outcome.believable] if step.outcome is not None else []

    def advanced(self, turn: Turn, layer: str, state: State) -> None:
        assert state.layers[-1] == layer and state.layers[:-1] == turn.before.layers

    def ended(self, stage: StagePlan) -> None:
        self.said.append(("ended", stage.name))


class HeardStep:
    """The Told of one operation."""

    seconds = 0.0

    def __init__(self) -> None:
        self.outcome: Outcome | None = None

    def base(self, prepare: Callable[[], None]) -> None:
        prepare()

    def begin(self) -> Output:
        return lambda stream, data: None

    def done(self, outcome: Outcome) -> None:
        self.outcome = outcome


class Hands:
    """The Performing: calls a function for each operation, and keeps how many were performed at once."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._now = 0
        self.most = 0
        self.open = 0
        self.ahead: list[tuple[int, int]] = []
        self.prepared: list[str] = []
        self.performed: list[str] = []
        self.layers: list[str] = []
        self.finished = 0

    @contextmanager
    def opened(self, ahead: Sequence[tuple[int, int]]) -> Iterator["Hands"]:
        """The factory that a builder is given."""
        self.ahead += ahead
        self.open += 1
        yield self
        self.open -= 1

    @contextmanager
    def alone(self, turn: Turn) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(turn.key, threading.Lock())
        with lock:
            yield

    def prepare(self, turn: Turn, base: Callable[[Callable[[], None]], None]) -> None:
        base(lambda: self.prepared.append(turn.operation.title))

    def perform(self, turn: Turn, states: StateOf, output: Output) -> Outcome:
        title = turn.operation.title
        with self._guard:
            self.performed.append(title)
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            return self._work(title) or Outcome(f"layer of {title} in {turn.stage.name}", 0.0)
        finally:
            with self._guard:
                self._now -= 1

    def advanced(self, turn: Turn, layer: str) -> None:
        self.layers.append(layer)

    def finish(self) -> None:
        self.finished += 1


class Run:
    """One build with the doors of this file."""

    def __init__(
        self,
        plan: Plan,
        memory: Memory,
        work: Work = lambda title: None,
        parallelism: int = 4,
        cancel: CallOff | None = None,
        hands: type[Hands] = Hands,
    ) -> None:
        self.heard = Heard()
        self.hands = hands(work)
        self.cancel = cancel if cancel is not None else CallOff()
        memory.forget_this_build()
        self._builder = Builder(plan, memory, self.heard, self.hands.opened, self.cancel, parallelism)

    def build(self) -> Built:
        return self._builder.build()
