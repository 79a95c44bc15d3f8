"""The performer of this machine: tasks done with the store, the sandbox and the supplies that are here."""

from collections.abc import Callable, Iterable
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Self

from kezuri.forms.forms import Forms
from kezuri.progress.calling_off import CallOff
from kezuri.sandbox.step import Output, Sandbox
from kezuri.step.cachemounts import CacheMounts, Elsewhere
from kezuri.step.copying import Copying
from kezuri.step.running import Ran, Running
from kezuri.step.selections import Selections
from kezuri.step.task import Copy, Outcome, Run, Supplies, Task
from kezuri.store.store import Store

if TYPE_CHECKING:
    from kezuri.step.wreck import Wreck


class LocalPerformer:
    """A Performer (see `kezuri.step.task`). The layers below a task are in its store or can be fetched into it, and so
    is afterwards the layer that it makes. Use it in a `with`: what failed commands left is let go of then."""

    def __init__(
        self,
        store: Store,
        forms: Forms,
        supplies: Supplies,
        sandbox: Callable[[], Sandbox],
        ca_bundle: str = "",
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """`sandbox` is called when a command is to be run, and says whether commands may gain privileges.
        `ca_bundle`: see Running; `elsewhere`: see CacheMounts."""
        selections = Selections(forms, supplies)
        self._caches = CacheMounts(store, forms.owners, selections, elsewhere)
        self._copying = Copying(store, forms, selections)
        self._running = Running(store, forms, selections, self._caches, supplies, sandbox, ca_bundle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def perform(self, task: Task, output: Output, cancel: CallOff) -> Outcome:
        """See Performer."""
        began = monotonic()
        work = task.work
        if isinstance(work, Run):
            ran = self._running.run(work, task, output, cancel)
        elif isinstance(work, Copy):
            ran = Ran(self._copying.copy(work, task))
        else:
            ran = Ran(self._copying.make_directory(work, task))
        return Outcome(ran.layer, monotonic() - began, ran.gave_up, ran.failure)

    def renew(self, families: Iterable[str]) -> None:
        """See Performer."""
        self._caches.renew(families)

    def left(self, name: str) -> "Wreck | None":
        """What a failed command left, by the name that its failure gives."""
        return self._running.left(name)
