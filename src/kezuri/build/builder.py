"""Walks a plan: finds what is paid for already, and has the rest performed, independent stages at the same time.

It only schedules, and knows nothing of stores, files or processes: what it asks and tells is in the doors of
`kezuri.build.doors`.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, NamedTuple

from kezuri.build.turn import Turn
from kezuri.diagnostics import KezuriError
from kezuri.keys.state import SCRATCH, State, next_state
from kezuri.plan.inputs import BaseImage, StageInput
from kezuri.plan.key import digest
from kezuri.plan.operation import Operation, Plan, StagePlan
from kezuri.progress.calling_off import CalledOff, CallOff

if TYPE_CHECKING:
    from kezuri.build.doors import Lookup, Performing, Telling


class Built(NamedTuple):
    """What a build came to: the final state of each target's stage, the layer of each operation by (stage, position),
    and how many steps ran and how many were paid for already."""

    states: dict[int, State]
    layers: dict[tuple[int, int], str]
    ran: int
    cached: int


class _Stage:
    """A stage on its way: how far it has come and what it has become."""

    def __init__(self, plan: StagePlan) -> None:
        self.plan = plan
        self.state = SCRATCH
        self.position = -1
        self.finished = threading.Event()
        self.error: BaseException | None = None


class Builder:
    """Builds one plan."""

    def __init__(
        self,
        plan: Plan,
        lookup: "Lookup",
        telling: "Telling",
        performing: "Callable[[Sequence[tuple[int, int]]], AbstractContextManager[Performing]]",
        cancel: CallOff,
        parallelism: int,
    ) -> None:
        """`performing` is called once, with all that may have to be performed (stage and position), before the first
        operation is, while there is still one thread only. `parallelism` is how many may be performed at once."""
        self._plan = plan
        self._lookup = lookup
        self._telling = telling
        self._performing = performing
        self._cancel = cancel
        self._stages = {stage.number: _Stage(stage) for stage in plan.stages}
        self._layers: dict[tuple[int, int], str] = {}
        self._lock = threading.Lock()
        self._slots = threading.Semaphore(max(1, parallelism))
        self._error: BaseException | None = None

    def build(self) -> Built:
        """Build the target; KezuriError with the first failure. Nothing of a failed operation remains."""
        waiting = [stage for stage in self._stages.values() if not self._resolve(stage)]
        if waiting:
            ahead = [(s.plan.number, i) for s in waiting for i in range(max(0, s.position), len(s.plan.operations))]
            with self._performing(ahead) as performing:
                self._perform_all(waiting, performing)
        states = {number: self._stages[number].state for number in self._plan.wanted}
        return Built(states, self._layers, self._telling.ran, self._telling.cached)

    # looking up

    def _resolve(self, stage: _Stage) -> bool:
        """Go through the stage as far as results are there already; whether that was the whole stage."""
        base = stage.plan.base
        if isinstance(base, StageInput) and not self._stages[base.stage].finished.is_set():
            return False
        self._begin(stage)
        for position, operation in enumerate(stage.plan.operations):
            if self._lookup.ignored(stage.plan) or not self._inputs_finished(operation):
                return False
            turn = self._turn(stage, position)
            found = self._lookup.find(turn)
            if found is None:
                return False
            self._telling.found(turn, found)
            self._advance(stage, turn, found.layer)
        self._telling.ended(stage.plan)
        stage.finished.set()
        return True

    def _begin(self, stage: _Stage) -> None:
        """Give the stage the state that it begins with, waiting for the stage that it is based on."""
        base = stage.plan.base
        if isinstance(base, StageInput):
            stage.state = self._state_of(base)
        elif isinstance(base, BaseImage):
            stage.state = self._lookup.base(base)
        self._telling.began(stage.plan, stage.state)
        stage.position = 0

    def _turn(self, stage: _Stage, position: int) -> Turn:
        turn = Turn(stage.plan, position, stage.state)
        try:
            return turn._replace(components=self._lookup.components(turn.operation, turn.before, self._state_of))
        except KezuriError as error:
            self._telling.unkeyed(turn, error)
            raise

    def _inputs_finished(self, operation: Operation) -> bool:
        return all(
            self._stages[source.stage].finished.is_set()
            for source in operation.inputs
            if isinstance(source, StageInput)
        )

    def _state_of(self, source: StageInput) -> State:
        stage = self._stages[source.stage]
        while not stage.finished.wait(0.2):
            self._cancel.check()
        if stage.error is not None:
            raise CalledOff
        return stage.state

    def _advance(self, stage: _Stage, turn: Turn, layer: str) -> None:
        with self._lock:
            self._layers[turn.place] = layer
        stage.state = next_state(stage.state, layer)
        stage.position = turn.position + 1
        self._telling.advanced(turn, layer, stage.state)

    # performing

    def _perform_all(self, waiting: list[_Stage], performing: "Performing") -> None:
        threads = [
            threading.Thread(target=self._perform_stage, args=(stage, performing), name=stage.plan.label, daemon=True)
            for stage in waiting
        ]
        # Events, not Thread.join: a join that Ctrl-C interrupts takes a running thread for a finished one (bpo-45274).
        try:
            for thread in threads:
                thread.start()
            for stage in waiting:
                while not stage.finished.wait(0.5):
                    pass
            performing.finish()
        except BaseException:
            self._cancel.set()
            for thread, stage in zip(threads, waiting):
                # One that was not started will not be.
                if thread.ident is not None:
                    stage.finished.wait()
            raise
        error = self._error or next((stage.error for stage in waiting if stage.error is not None), None)
        if error is not None:
            raise error

    def _perform_stage(self, stage: _Stage, performing: "Performing") -> None:
        try:
            if stage.position < 0:
                self._begin(stage)
            for position in range(stage.position, len(stage.plan.operations)):
                self._cancel.check()
                self._perform_turn(stage, position, performing)
            self._telling.ended(stage.plan)
        except BaseException as error:
            stage.error = error
            with self._lock:
                # What other stages say once they are called off is not the reason.
                if self._error is None and not isinstance(error, CalledOff):
                    self._error = error
            self._cancel.set()
        finally:
            stage.finished.set()

    def _perform_turn(self, stage: _Stage, position: int, performing: "Performing") -> None:
        turn = self._turn(stage, position)
        turn = turn._replace(key=digest(turn.components))
        for source in turn.operation.inputs:
            # Waiting for another stage while holding a slot could keep that stage from ever being performed.
            if isinstance(source, StageInput):
                self._state_of(source)
        with self._slots:
            self._cancel.check()
            with performing.alone(turn):
                found = self._lookup.find(turn)
                if found is not None:
                    self._telling.found(turn, found)
                    layer = found.layer
                else:
                    layer = self._perform(turn, performing)
        self._advance(stage, turn, layer)
        performing.advanced(turn, layer)

    def _perform(self, turn: Turn, performing: "Performing") -> str:
        with self._telling.performing(turn, self._lookup.missed(turn)) as told:
            performing.prepare(turn, told.base)
            outcome = performing.perform(turn, self._state_of, told.begin())
            self._lookup.keep(turn, outcome, told.seconds)
            told.done(outcome)
        return outcome.layer
