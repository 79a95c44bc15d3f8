"""`build`: from a request to an image, wired from the concrete parts."""

import errno
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from time import time
from typing import TYPE_CHECKING, Any

from kezuri.app.definition import Definition, Workbench
from kezuri.app.delivery import Delivery, packing
from kezuri.app.request import BuildRequest, BuildResult, Settings
from kezuri.app.session import Session
from kezuri.app.stored_image import StoredImage
from kezuri.build.builder import Builder, Built
from kezuri.build.chronicle import Chronicle
from kezuri.build.lookup import KeyedLookup
from kezuri.build.telling import BuildTelling
from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.linux.disk import disk_error
from kezuri.oci.reference import Reference
from kezuri.plan.operation import Plan
from kezuri.progress.calling_off import CallOff
from kezuri.progress.events import Listener, Warned, WorkName
from kezuri.progress.reporter import Reporter, Ticket, reason

if TYPE_CHECKING:
    from kezuri.app.caches import Caches
    from kezuri.app.debugging import Tell
    from kezuri.app.performing import StepsHere
    from kezuri.app.pushing import Pushing
    from kezuri.build.doors import Performing
    from kezuri.oci.descriptor import Descriptor
    from kezuri.progress.expected import Expected
    from kezuri.travel.places import CacheTarget


def build(
    request: BuildRequest,
    settings: Settings,
    listener: Listener,
    stand_ins: Callable[[str], None] | None = None,
    look: "Tell | None" = None,
    expect: "Callable[[Expected], None] | None" = None,
) -> BuildResult:
    """Build the image that the request asks for; KezuriError when that fails, with nothing half-done left behind.

    With `look`, a failed RUN opens a shell on this process's terminal before anything of it is cleared away; the
    function is told of the failure first.

    With `expect`, that function is told, before the first step runs, how long it may take: what earlier builds took is
    only looked up where somebody wants to know.

    With `stand_ins`, base images that no registry gives are assembled from packages where that is possible, and the
    function is told so: never without being asked.
    """
    try:
        return _Build(request, settings, listener, stand_ins, look, expect).run()
    except OSError as error:
        # A disk can fill up wherever something is written.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise disk_error(error, error.filename or settings.root) from error


class _Build:
    def __init__(
        self,
        request: BuildRequest,
        settings: Settings,
        listener: Listener,
        stand_ins: Callable[[str], None] | None,
        look: "Tell | None" = None,
        expect: "Callable[[Expected], None] | None" = None,
    ) -> None:
        self._expect = expect
        self._stand_ins = stand_ins
        self._look = look
        self._steps: StepsHere | None = None
        self._caches: Caches | None = None
        self._keeps = look is not None or bool(request.salvage)
        self._request = request
        self._settings = settings
        self._listener = listener
        self._reporter = Reporter(listener)
        self._cancel = CallOff()
        self._fetching: dict[str, Ticket] = {}
        self._fetched: set[str] = set()
        self._fetching_lock = threading.Lock()
        self._images = request.images
        nameless = [output for output in request.pushed if output.by_digest]
        named = (output for output in self._images if output not in nameless)
        names = (*request.tags, *(name for output in named for name in output.options.names))
        self._names = tuple(str(_tag(name)) for name in dict.fromkeys(names))

    def run(self) -> BuildResult:
        began = time()
        with ExitStack() as held:
            held.callback(self._end_fetches)
            session = held.enter_context(
                Session(
                    self._settings,
                    pull=self._request.pull,
                    progress=self._fetch_progress,
                    stand_ins=self._stand_ins,
                    warn=self._warn,
                    cancel=self._cancel,
                )
            )
            self._session = session
            definition = Definition(self._request, session, self._reporter, self._listener, held, self._cancel)
            plan = definition.plan()
            # The first output's way to pack is that of layers which are packed while the build goes on.
            self._packing = packing((self._images or (StoredImage(),))[0], plan.epoch)
            session.forms = session.forms.for_epoch(plan.epoch)
            caches = self._open_caches(held)
            pushing = self._pushing(session, held)
            delivery = Delivery(
                *(self._request, self._names, plan.epoch, session, self._reporter, self._listener, pushing, caches),
                self._provenance(definition, plan, began),
            )
            delivery.check(plan)
            if pushing is not None:
                pushing.check()
            # Layers that are made one do not go as they are.
            send = pushing.ahead if pushing is not None and not self._request.squash else None
            parallelism = self._settings.max_parallelism or max(2, os.cpu_count() or 1)
            imported = caches.imported if caches is not None else None
            bench = definition.workbench(plan, parallelism, imported.selection if imported is not None else None)
            while True:
                try:
                    built = self._build(plan, definition, bench, held, send)
                    result = delivery.deliver(plan, built)
                    break
                except KezuriError:
                    if caches is None:
                        raise
                    # Where a cache lacked what it said to have, the build goes on without that.
                    if not caches.gave_up:
                        with suppress(KezuriError):
                            caches.adopt()
                        raise
                    caches.go_on()
                    self._cancel.clear()
                    session.reconnect()
            if caches is not None:
                caches.adopt()
                caches.export(plan, self._packing)
            if built.ran and result.digest and definition.subject is not None:
                from kezuri.app.after_build import findings

                for diagnostic in findings(definition.subject, plan, built, session, time() - began):
                    self._listener(Warned(time(), diagnostic))
            return result

    def _open_caches(self, held: ExitStack) -> "Caches | None":
        if not self._request.cache_from and not self._request.cache_to:
            return None
        from kezuri.app.caches import Caches

        self._caches = Caches(
            self._request.cache_from,
            tuple(map(self._bounded, self._request.cache_to)),
            self._session,
            self._reporter,
            self._warn,
            self._fetch_progress,
            self._cancel,
            self._request.builtin.cache_namespace,
            self._names,
        )
        if self._caches.imported is not None:
            held.enter_context(self._caches.imported)
        return self._caches

    def _bounded(self, target: "CacheTarget") -> "CacheTarget":
        """The exported cache with the bound of the settings, if it is local and has none of its own."""
        most = self._settings.max_local_cache
        return target if target.kind != "local" or target.most or not most else target._replace(most=most)

    def _provenance(
        self, definition: Definition, plan: Plan, began: float
    ) -> "Callable[[int], Mapping[str, Any]] | None":
        """What says how the image of a stage was built, if that is wanted."""
        request = self._request
        if not request.provenance:
            return None
        from kezuri.app.provenance import provenance

        return lambda stage: provenance(request, definition, plan, stage, began, time())

    def _pushing(self, session: Session, held: ExitStack) -> "Pushing | None":
        if not self._request.pushed:
            return None
        from kezuri.app.pushing import Pushing

        bring = self._caches.bring if self._caches is not None else None
        return held.enter_context(Pushing(self._request.pushed, self._request.tags, session, self._reporter, bring))

    def _warn(self, text: str) -> None:
        self._listener(Warned(time(), Diagnostic("warning", text)))

    # fetching

    def _fetch_progress(self, digest: str, current: int, total: int) -> None:
        """A layer is on its way: a step of its own, so that a long pull is seen."""
        with self._fetching_lock:
            if digest in self._fetched:
                return
            ticket = self._fetching.get(digest)
            if ticket is None:
                name = WorkName(f"fetch layer {digest[:19]}", internal=True)
                ticket = self._fetching[digest] = self._reporter.start(name)
            if current >= total:
                self._fetched.add(digest)
        ticket.status(digest[:19], current, total, current >= total)
        if current >= total:
            ticket.done()

    def _end_fetches(self) -> None:
        """Every step that began has an end, also a layer that never came."""
        for digest, ticket in self._fetching.items():
            if digest not in self._fetched:
                ticket.failed("it did not arrive")

    # building

    def _build(
        self,
        plan: Plan,
        definition: Definition,
        bench: Workbench,
        held: ExitStack,
        send: "Callable[[Descriptor], None] | None",
    ) -> Built:
        session, request, caches = self._session, self._request, self._caches
        lookup = KeyedLookup(bench.keys, bench.results, bench.options) if caches is None else caches.lookup(bench)
        chronicle = Chronicle(session.store.database, definition.asked(), plan)
        telling = BuildTelling(plan, self._reporter, session.forms, chronicle)

        def performing(ahead: Sequence[tuple[int, int]]) -> "AbstractContextManager[Performing]":
            from kezuri.app.performing import StepsHere

            if caches is not None:
                caches.ready(plan, list(ahead))
            mounts = caches.mounts if caches is not None else None
            if self._expect is not None:
                from kezuri.forecast.expectation import expectation

                with suppress(KezuriError):  # It may be as well that nobody can tell.
                    self._expect(expectation(plan, ahead, definition.durations(), bench.options.parallelism))
            self._steps = StepsHere(request, plan, session, bench, self._packing, held, self._cancel, send, mounts)
            return self._steps.performing(ahead, packs=bool(self._images), keep_failed=self._keeps)

        builder = Builder(plan, lookup, telling, performing, self._cancel, bench.options.parallelism)
        try:
            built = builder.build()
        except BaseException as error:
            if isinstance(error, KezuriError) and caches is not None and caches.gave_up:
                raise
            chronicle.close(reason(error).partition("\n")[0], telling.name)
            told = self._look_at(error)
            if told is not error:
                raise told from error
            raise
        chronicle.close("", telling.name)
        return built

    def _look_at(self, error: BaseException) -> BaseException:
        """Everything else of the build has ended: what the failed step left can be looked at, and is let go of. The
        error, with what is said about that."""
        if self._steps is None or not self._keeps:
            return error
        from kezuri.step.failure import StepFailed

        wreck = self._steps.left(error.left) if isinstance(error, StepFailed) else None
        if wreck is None or not isinstance(error, StepFailed):
            return error
        if self._request.salvage:
            from kezuri.app.salvage import salvage

            error = error.noting(*salvage(self._request.salvage, wreck))
        if self._look is not None:
            from kezuri.app.debugging import look

            look(wreck, error, self._session.sandbox(), self._look)
        return error


def _tag(name: str) -> Reference:
    reference = Reference.parse(name)
    if reference.digest:
        raise KezuriError.of(f"a name for a new image cannot carry a digest: {name}", exit_code=2)
    return reference
