"""Operations performed as tasks: the ground laid before, and layers packed beside."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from kezuri.build.needs import Needs
from kezuri.build.packers import Packers
from kezuri.build.turn import Turn
from kezuri.diagnostics import KezuriError
from kezuri.forms.forms import Forms
from kezuri.keys.state import StateOf
from kezuri.keys.stepkeys import place_of
from kezuri.plan.inputs import ImageInput
from kezuri.progress.calling_off import CallOff
from kezuri.sandbox.step import Output
from kezuri.step.failure import step_failed
from kezuri.step.task import Outcome, Performer
from kezuri.step.tasks import Tasks
from kezuri.store.store import Store


class TaskPerforming:
    """The Performing of a store (see `kezuri.build.doors`): has each operation done by a performer, as a task."""

    def __init__(
        self,
        store: Store,
        forms: Forms,
        needs: Needs,
        tasks: Tasks,
        performer: Performer,
        packers: Packers | None,
        cancel: CallOff,
    ) -> None:
        """`packers` pack the layers that leave; None when no blobs are wanted."""
        self._store = store
        self._forms = forms
        self._needs = needs
        self._tasks = tasks
        self._performer = performer
        self._packers = packers
        self._cancel = cancel
        self._gave_up = ""

    def alone(self, turn: Turn) -> AbstractContextManager[object]:
        """See Performing."""
        return self._store.lock(f"key-{turn.key[:40]}", cancel=self._cancel)

    def prepare(self, turn: Turn, base: Callable[[Callable[[], None]], None]) -> None:
        """Fetch, unpack or list what the operation works upon before its own time begins: that is the time of FROM."""
        operation, layers = turn.operation, turn.before.layers
        # Steps will run on these layers: unpacking them now spares reading them twice.
        mounted = operation.kind == "RUN" or turn.place in self._needs.directories
        if (mounted or not operation.linked) and not self._forms.unpacked(layers):
            base(lambda: self._forms.lay_out(layers, mounted))
        for source in operation.inputs:
            if isinstance(source, ImageInput):
                for layer, descriptor in zip(source.image.config.diff_ids, source.image.layers):
                    self._forms.know_pulled(layer, descriptor)
                # A copy takes files out of what the image is fetched as; only a step needs directories.
                self._forms.lay_out(source.image.config.diff_ids, operation.kind == "RUN")

    def perform(self, turn: Turn, states: StateOf, output: Output) -> Outcome:
        """See Performing."""
        operation, directory = turn.operation, turn.place in self._needs.directories
        try:
            task = self._tasks.task(operation, turn.components, turn.before, states, directory)
            outcome = self._performer.perform(task, output, self._cancel)
            if outcome.failure is not None:
                raise step_failed(task.command, outcome.failure, self._gave_up, operation.node.place)
        except KezuriError as error:
            raise error.at(place_of(error, operation)) from error
        if outcome.gave_up:
            self._gave_up = operation.title
        return outcome

    def advanced(self, turn: Turn, layer: str) -> None:
        """See Performing: what leaves is packed."""
        packers, leaves = self._packers, turn.stage.number in self._needs.exported
        # What lies in a cache of another machine may not even be needed here.
        if packers is not None and leaves and self._forms.usable(layer):
            packers.pack(layer)

    def finish(self) -> None:
        """See Performing."""
        if self._packers is not None:
            self._packers.wait()
