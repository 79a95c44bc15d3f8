"""Walks a plan: finds what is paid for already, and runs the rest, independent stages at the same time."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kezuri.build.needs import Needs
from kezuri.build.telling import Telling
from kezuri.cache.results import Results
from kezuri.diagnostics import KezuriError
from kezuri.forms.forms import Forms
from kezuri.forms.packing import Packing
from kezuri.keys.options import Options
from kezuri.keys.state import SCRATCH, State, base_state, next_state
from kezuri.keys.stepkeys import StepKeys, place_of
from kezuri.plan.key import Components, digest
from kezuri.plan.operation import (
    BaseImage,
    ImageInput,
    Operation,
    Plan,
    RunOperation,
    StageInput,
    StagePlan,
)
from kezuri.progress.calling_off import CalledOff, CallOff
from kezuri.progress.events import StepName
from kezuri.progress.reporter import Reporter, Ticket, reason
from kezuri.store.store import Store

if TYPE_CHECKING:
    from kezuri.build.witness import Witness
    from kezuri.cache.journal import Miss
    from kezuri.step.task import Outcome, Performer
    from kezuri.step.tasks import Tasks


class Workers(NamedTuple):
    """What steps are done with; made only when there is something to do."""

    tasks: "Tasks"
    performer: "Performer"


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
        store: Store,
        results: Results,
        forms: Forms,
        keys: StepKeys,
        options: Options,
        packing: Packing | None,
        reporter: Reporter,
        cancel: CallOff,
        prepare: Callable[[list[tuple[int, int]]], Workers],
        witness: "Witness",
    ) -> None:
        """`packing` says how the target's layers leave, None when no blobs are wanted; `prepare` is called once
        before the first step runs, while there is still one thread only, with all that may run (stage and position),
        and gives what steps are done with."""
        self._plan = plan
        self._store = store
        self._results = results
        self._forms = forms
        self._keys = keys
        self._options = options
        self._packing = packing
        self._cancel = cancel
        self._prepare = prepare
        self._witness = witness
        self._needs = Needs(plan)
        self._telling = Telling(plan, reporter, forms.usable)
        self._gave_up = ""
        self._stages = {stage.number: _Stage(stage) for stage in plan.stages}
        self._layers: dict[tuple[int, int], str] = {}
        self._lock = threading.Lock()
        self._slots = threading.Semaphore(max(1, options.parallelism))
        self._fresh: dict[str, str] = {}
        self._ran = 0
        self._packers: list[threading.Event] = []
        self._error: BaseException | None = None

    def build(self) -> Built:
        """Build the target; KezuriError with the first failure. Nothing of a failed step remains."""
        waiting = [stage for stage in self._stages.values() if not self._resolve(stage)]
        if waiting:
            with self._forms.owners.threads(self._needs.reads_directories()):
                self._workers = self._prepare(
                    [(s.plan.number, i) for s in waiting for i in range(max(0, s.position), len(s.plan.operations))]
                )
                operations = [o for stage in waiting if self._ignored(stage) for o in stage.plan.operations]
                self._workers.performer.renew(self._workers.tasks.families(operations))
                self._run_all(waiting)
        states = {target: self._stages[target].state for target in self._needs.targets}
        return Built(states, self._layers, self._ran, self._telling.cached_steps)

    # looking up

    def _resolve(self, stage: _Stage) -> bool:
        """Go through the stage as far as results are there already; whether that was the whole stage."""
        if not self._start(stage):
            return False
        self._witness.based(stage.plan.number, stage.state.id)
        for position in range(stage.position, len(stage.plan.operations)):
            operation = stage.plan.operations[position]
            if self._ignored(stage) or not self._inputs_finished(operation):
                return False
            components = self._components(stage, position)
            record = self._results.find(components)
            if record is None:
                return False
            self._witness.found(stage.plan.number, position, components, record.created)
            self._telling.cached(stage.plan, position, record.layer)
            self._advance(stage, position, record.layer)
        self._telling.base(stage.plan)
        stage.finished.set()
        return True

    def _components(self, stage: _Stage, position: int) -> Components:
        operation = stage.plan.operations[position]
        try:
            return self._keys.components(operation, stage.state, self._state_of)
        except KezuriError as error:
            self._witness.failed(stage.plan.number, position, (), 0.0, "", error)
            raise

    def _start(self, stage: _Stage) -> bool:
        base = stage.plan.base
        if isinstance(base, StageInput):
            parent = self._stages[base.stage]
            if not parent.finished.is_set():
                return False
            stage.state = parent.state
        elif isinstance(base, BaseImage):
            for layer, descriptor in zip(base.config.diff_ids, base.layers):
                self._forms.know_pulled(layer, descriptor)
            stage.state = base_state(base)
            self._telling.started(stage.plan)
            if self._forms.unpacked(stage.state.layers):
                self._telling.base(stage.plan)
        stage.position = 0
        return True

    def _ignored(self, stage: _Stage) -> bool:
        chosen = self._options.no_cache_stages
        return self._options.no_cache or stage.plan.name in chosen or str(stage.plan.ordinal) in chosen

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

    def _advance(self, stage: _Stage, position: int, layer: str) -> None:
        with self._lock:
            self._layers[(stage.plan.number, position)] = layer
        stage.state = next_state(stage.state, layer)
        self._witness.advanced(stage.plan.number, position, layer, stage.state.id)
        stage.position = position + 1

    # running

    def _run_all(self, waiting: list[_Stage]) -> None:
        threads = [
            threading.Thread(target=self._run_stage, args=(stage,), name=stage.plan.label, daemon=True)
            for stage in waiting
        ]
        for thread in threads:
            thread.start()
        # Events, not Thread.join: a join that Ctrl-C interrupts takes a running thread for a finished one (bpo-45274).
        try:
            for stage in waiting:
                while not stage.finished.wait(0.5):
                    pass
            for packed in self._packers:
                while not packed.wait(0.5):
                    pass
        except BaseException:
            self._cancel.set()
            for stage in waiting:
                stage.finished.wait()
            raise
        if self._error is not None:
            raise self._error

    def _run_stage(self, stage: _Stage) -> None:
        try:
            if stage.position < 0:
                base = stage.plan.base
                if isinstance(base, StageInput):
                    self._state_of(base)
                self._start(stage)
                self._witness.based(stage.plan.number, stage.state.id)
            for position in range(stage.position, len(stage.plan.operations)):
                self._cancel.check()
                self._run_operation(stage, position)
            self._telling.base(stage.plan)
        except BaseException as error:
            stage.error = error
            with self._lock:
                # What other stages say once they are called off is not the reason.
                if self._error is None and not isinstance(error, CalledOff):
                    self._error = error
            self._cancel.set()
        finally:
            stage.finished.set()

    def _run_operation(self, stage: _Stage, position: int) -> None:
        operation = stage.plan.operations[position]
        components = self._components(stage, position)
        key = digest(components)
        for source in operation.inputs:
            # Waiting for another stage while holding a slot could keep that stage from ever running.
            if isinstance(source, StageInput):
                self._state_of(source)
        with self._slots:
            self._cancel.check()
            with self._store.lock(f"key-{key[:40]}", cancel=self._cancel):
                layer = self._paid_for(stage, position, components, key)
                if layer:
                    self._telling.cached(stage.plan, position, layer, key)
                else:
                    self._prepare_ground(stage, position, components)
                    ticket = self._telling.step(stage.plan, position, key)
                    layer = self._execute(stage, position, components, ticket)
                    self._telling.done(stage.plan, position, layer)
        self._advance(stage, position, layer)
        if self._packing is not None and stage.plan.number in self._needs.exported:
            self._pack_aside(layer)

    def _paid_for(self, stage: _Stage, position: int, components: Components, key: str) -> str:
        with self._lock:
            fresh = self._fresh.get(key)
        if fresh is not None:
            self._witness.found(stage.plan.number, position, components)
            return fresh
        if self._ignored(stage):
            return ""
        record = self._results.find(components)
        if record is None:
            return ""
        self._witness.found(stage.plan.number, position, components, record.created)
        return record.layer

    def _miss(self, stage: _Stage, key: str) -> "Miss":
        if self._ignored(stage):
            return "no-cache" if self._options.no_cache else "no-cache-filter"
        return "lost" if self._results.lost(key) else "absent"

    def _prepare_ground(self, stage: _Stage, position: int, components: Components) -> None:
        """Fetch, unpack or list what the operation works upon before its own time begins: that is the time of FROM."""
        operation = stage.plan.operations[position]
        layers = stage.state.layers
        # Steps will run on these layers: unpacking them now spares reading them twice.
        mounted = operation.kind == "RUN" or (stage.plan.number, position) in self._needs.directories
        try:
            # A linked copy does not look at what lies below.
            if (mounted or not operation.linked) and not self._forms.unpacked(layers):
                self._telling.base(stage.plan, lambda: self._forms.lay_out(layers, mounted))
            for source in operation.inputs:
                if isinstance(source, ImageInput):
                    for layer, descriptor in zip(source.image.config.diff_ids, source.image.layers):
                        self._forms.know_pulled(layer, descriptor)
                    # A copy takes files out of what the image is fetched as; only a step needs directories.
                    self._forms.lay_out(source.image.config.diff_ids, operation.kind == "RUN")
        except BaseException as error:
            self._witness.failed(
                stage.plan.number, position, components, 0.0, self._miss(stage, digest(components)), error
            )
            raise

    def _execute(self, stage: _Stage, position: int, components: Components, ticket: Ticket) -> str:
        operation = stage.plan.operations[position]
        directory = (stage.plan.number, position) in self._needs.directories
        miss = self._miss(stage, digest(components))
        self._keys.keep_file_lists(operation)
        try:
            outcome = self._perform(stage, operation, components, directory, ticket)
            layer = outcome.layer
            if outcome.believable:
                self._results.keep(
                    components,
                    state=next_state(stage.state, layer).id,
                    layer=layer,
                    kind=operation.kind,
                    title=operation.title,
                    seconds=ticket.seconds,
                )
        except BaseException as error:
            self._witness.failed(stage.plan.number, position, components, ticket.seconds, miss, error)
            ticket.failed(reason(error))
            raise
        with self._lock:
            self._fresh[digest(components)] = layer
            self._ran += 1
        self._witness.ran(stage.plan.number, position, components, ticket.seconds, miss, outcome.believable)
        ticket.done()
        return layer

    def _perform(
        self, stage: _Stage, operation: Operation, components: Components, directory: bool, ticket: Ticket
    ) -> "Outcome":
        """Hand the operation over and take what comes of it. KezuriError, at its place, when that is a failure."""
        tasks, performer = self._workers
        try:
            task = tasks.task(operation, components, stage.state, self._state_of, directory)
            outcome = performer.perform(task, ticket.output, self._cancel)
            if outcome.failure is not None:
                from kezuri.step.failure import step_failed

                assert isinstance(operation, RunOperation)
                raise step_failed(" ".join(operation.argv), outcome.failure, self._gave_up, operation.node.place)
        except KezuriError as error:
            raise error.at(place_of(error, operation)) from error
        if outcome.gave_up:
            self._gave_up = operation.title
        return outcome

    def _pack_aside(self, layer: str) -> None:
        """Compress the layer while the next step runs. What goes wrong here goes wrong again when the image is put
        together, and is told then."""
        packing = self._packing
        assert packing is not None

        packed = threading.Event()

        def pack() -> None:
            try:
                self._forms.blob(layer, packing)
            except (CalledOff, KezuriError, OSError):
                pass
            finally:
                packed.set()

        self._packers.append(packed)
        threading.Thread(target=pack, name="pack", daemon=True).start()

    def name(self, stage: int, position: int) -> StepName:
        """What progress calls a step of a stage."""
        return self._telling.name(self._stages[stage].plan, position)
