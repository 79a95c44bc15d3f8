"""What the steps of one build are performed with on this machine: wired when the first one has to be."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from kezuri.app.definition import Workbench
from kezuri.app.request import BuildRequest
from kezuri.app.session import Session
from kezuri.build.needs import Needs
from kezuri.build.packers import Packers
from kezuri.build.performing import TaskPerforming
from kezuri.forms.packing import Packing
from kezuri.oci.descriptor import Descriptor
from kezuri.plan.operation import Operation, Plan
from kezuri.progress.calling_off import CallOff
from kezuri.step.cachemounts import Elsewhere
from kezuri.step.local import LocalPerformer
from kezuri.step.tasks import Given, Tasks
from kezuri.store.schema import FormRow
from kezuri.upkeep.collector import Collector

if TYPE_CHECKING:
    from kezuri.sandbox.step import Sandbox
    from kezuri.step.wreck import Wreck


class StepsHere:
    """Opens what the steps of a plan are performed with. `held` lets go of it, and of what a failed step left, when the
    build has ended."""

    def __init__(
        self,
        request: BuildRequest,
        plan: Plan,
        session: Session,
        bench: Workbench,
        packing: Packing,
        held: ExitStack,
        cancel: CallOff,
        ahead: Callable[[Descriptor], None] | None = None,
        mounts: Elsewhere | None = None,
    ) -> None:
        """`packing` is how the first image leaves; `ahead` sends finished layers while others are made; `mounts`: see
        CacheMounts."""
        self._ahead = ahead
        self._mounts = mounts
        self._request = request
        self._plan = plan
        self._session = session
        self._bench = bench
        self._packing = packing
        self._held = held
        self._cancel = cancel
        self._performer: LocalPerformer | None = None

    @contextmanager
    def performing(
        self, ahead: Sequence[tuple[int, int]], *, packs: bool, keep_failed: bool
    ) -> Iterator[TaskPerforming]:
        """The Performing of a build that may have to perform what is `ahead` (stage and position); called while there
        is one thread only. `packs`: layers leave as blobs, and are packed beside; `keep_failed`: see `Run.keep`."""
        session, request, needs = self._session, self._request, Needs(self._plan)
        with session.forms.owners.threads(needs.reads_directories()):
            tasks = Tasks(
                self._bench.inputs,
                self._bench.options,
                self._packing,
                request.builtin.cache_namespace,
                keep_failed,
                request.retry_network,
            )
            performer = self._open()
            performer.renew(tasks.families(self._ignored(ahead)))
            packers = Packers(lambda layer: session.forms.blob(layer, self._packing), self._send) if packs else None
            yield TaskPerforming(session.store, session.forms, needs, tasks, performer, packers, self._cancel)

    def _sandbox(self) -> "Sandbox":
        disguise = self._request.disguise
        if disguise is None:
            return self._session.sandbox()
        from kezuri.sandbox.disguise import Disguised

        return Disguised(self._session.sandbox(), disguise)

    def _send(self, blob: FormRow) -> None:
        if self._ahead is not None:
            self._ahead(Descriptor(blob.media_type, blob.digest, blob.size))

    def left(self, name: str) -> "Wreck | None":
        """What a failed step left, by the name that its failure gives."""
        return self._performer.left(name) if self._performer is not None else None

    def _ignored(self, ahead: Sequence[tuple[int, int]]) -> Iterator[Operation]:
        """The operations of stages whose earlier results are not used."""
        for number, position in ahead:
            stage = self._plan.stage(number)
            if self._bench.options.ignores(stage):
                yield stage.operations[position]

    def _open(self) -> LocalPerformer:
        session, options, inputs = self._session, self._bench.options, self._bench.inputs
        operations: list[Operation] = [o for stage in self._plan.stages for o in stage.operations]
        # A build that only copies needs no sandbox.
        if any(operation.kind == "RUN" for operation in operations):
            session.open_sandbox(self._request.no_new_privileges, self._request.limits, foretold=True)
        # What a killed build left behind goes before this one needs the space.
        for _ in Collector(session.store, session.privilege).abandoned():
            pass
        remotes = [remote for operation in operations for remote in operation.remotes if remote is not None]
        if remotes:
            inputs.prefetch(remotes)
        supplies = Given(inputs, options, tuple(dict.fromkeys(remotes)))
        performer = LocalPerformer(
            *(session.store, session.forms, supplies, self._sandbox, options.ca_bundle, self._mounts)
        )
        self._performer = self._held.enter_context(performer)
        return self._performer
