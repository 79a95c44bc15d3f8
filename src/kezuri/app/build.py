"""`build`: from a request to an image, wired from the concrete parts."""

import errno
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from time import time
from typing import TYPE_CHECKING, Literal

from kezuri.app.definition import Definition
from kezuri.app.delivery import Delivery
from kezuri.app.request import BuildRequest, BuildResult, Output, Settings
from kezuri.app.session import Session
from kezuri.build.builder import Builder, Built, Workers
from kezuri.cache.question import Question
from kezuri.diagnostics import Diagnostic, KezuriError, SourceText, nearest
from kezuri.explain.chronicle import Chronicle
from kezuri.forms.forms import Packing
from kezuri.keys.surroundings import Options
from kezuri.keys.trees import Trees
from kezuri.linux.disk import disk_error
from kezuri.oci.reference import Reference
from kezuri.plan.operation import ImageInput, Plan, RunOperation, StageInput
from kezuri.progress.calling_off import CallOff
from kezuri.progress.events import Listener, Warned, WorkName
from kezuri.progress.reporter import Reporter, Ticket, reason

if TYPE_CHECKING:
    from kezuri.app.debugging import Tell
    from kezuri.step.running import RunSteps


def build(
    request: BuildRequest,
    settings: Settings,
    listener: Listener,
    stand_ins: Callable[[str], None] | None = None,
    look: "Tell | None" = None,
) -> BuildResult:
    """Build the image that the request asks for; KezuriError when that fails, with nothing half-done left behind.

    With `look`, a failed RUN opens a shell on this process's terminal before anything of it is cleared away; the
    function is told of the failure first.

    With `stand_ins`, base images that no registry gives are assembled from packages where that is possible, and the
    function is told so: never without being asked.
    """
    try:
        return _Build(request, settings, listener, stand_ins, look).run()
    except OSError as error:
        # A disk can fill up wherever something is written.
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise disk_error(error, error.filename or settings.root) from error


_ATTRIBUTES = (
    "name",
    "compression",
    "compression-level",
    "force-compression",
    "oci-mediatypes",
    "platform-split",
    "rewrite-timestamp",
    "store",
    "tar",
    "unpack",
)
"""Attributes of `--output` beside type and dest. `rewrite-timestamp`, `store` and `unpack` say what kezuri does
anyway."""


class _Build:
    def __init__(
        self,
        request: BuildRequest,
        settings: Settings,
        listener: Listener,
        stand_ins: Callable[[str], None] | None,
        look: "Tell | None" = None,
    ) -> None:
        self._stand_ins = stand_ins
        self._look = look
        self._runs: RunSteps | None = None
        self._request = request
        self._settings = settings
        self._listener = listener
        self._reporter = Reporter(listener)
        self._cancel = CallOff()
        self._fetching: dict[str, Ticket] = {}
        self._fetched: set[str] = set()
        self._fetching_lock = threading.Lock()
        self._epoch = request.epoch
        self._outputs = request.outputs or (Output("image", ""),)
        for output in self._outputs:
            _check_attributes(output)
        self._packing = self._choose_packing()
        self._names = tuple(str(_tag(name)) for name in self._all_tags())

    def _all_tags(self) -> tuple[str, ...]:
        names = list(self._request.tags)
        for output in self._outputs:
            for key, value in output.attributes:
                if key == "name":
                    names += [n for n in value.split(",") if n]
        return tuple(dict.fromkeys(names))

    def _choose_packing(self) -> Packing:
        said = dict(pair for output in self._outputs for pair in output.attributes)
        wanted = said.get("compression", self._request.compression) or "gzip"
        level = said.get("compression-level", "")
        if level and not level.isdigit():
            raise KezuriError.of(f"compression-level={level} is not a number", exit_code=2)
        kinds: dict[str, Literal["gzip", "zstd", "none"]] = {"gzip": "gzip", "zstd": "zstd", "uncompressed": "none"}
        if wanted not in kinds:
            raise KezuriError.of(f"unknown compression {wanted!r}", hint="gzip, zstd or uncompressed", exit_code=2)
        kind = kinds[wanted]
        if any(o.type == "docker" for o in self._outputs) and kind == "zstd":
            raise KezuriError.of(
                "a docker archive with zstd layers cannot be loaded by most versions of docker",
                hint="use --compression gzip, or --output type=oci",
                exit_code=2,
            )
        return Packing(kind, int(level) if level else self._request.compression_level)

    def run(self) -> BuildResult:
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
            definition = Definition(
                self._request, session, self._reporter, self._listener, held, self._epoch, self._cancel
            )
            plan = definition.plan()
            self._packing = self._packing._replace(epoch=plan.epoch)
            session.forms.epoch = plan.epoch
            delivery = Delivery(
                self._request, self._outputs, self._names, self._packing, session, self._reporter, self._listener
            )
            delivery.check(plan)
            built = self._build(plan, definition)
            return delivery.deliver(plan, built)

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

    def _build(self, plan: Plan, definition: Definition) -> Built:
        session, store = self._session, self._session.store
        trees, keys, results, options = definition.workbench(
            plan, self._settings.max_parallelism or max(2, os.cpu_count() or 1)
        )
        source = definition.dockerfile.source
        wants_blobs = any(o.type in ("image", "oci", "docker") for o in self._outputs)
        chronicle = Chronicle(store.database, self._asked(plan, definition), plan, source)
        builder = Builder(
            plan,
            store,
            results,
            session.forms,
            keys,
            options,
            self._packing if wants_blobs else None,
            self._reporter,
            self._cancel,
            lambda: self._prepare(plan, trees, options, source),
            chronicle,
        )
        try:
            built = builder.build()
        except BaseException as error:
            chronicle.close(reason(error).partition("\n")[0], builder.place)
            self._look_at(error)
            raise
        chronicle.close("", builder.place)
        return built

    def _look_at(self, error: BaseException) -> None:
        """Everything else of the build has ended: what the failed step left can be looked at, and is let go of."""
        wreck = self._runs.wreck if self._runs is not None else None
        if wreck is None:
            return
        with wreck:
            if wreck.error is error and self._look is not None:
                from kezuri.app.debugging import look

                look(wreck, self._session.sandbox(), self._look)

    def _asked(self, plan: Plan, definition: Definition) -> Question:
        context = definition.context
        name = context.dockerfile.name
        file = os.path.join(context.directory, os.path.basename(name)) if context.directory else name
        place = context.address or context.root or "-"
        return (place, file, self._request.target, self._request.platforms, os.getcwd())

    def _prepare(self, plan: Plan, trees: Trees, options: Options, source: SourceText) -> Workers:
        """Before the first step runs: a build that only copies needs neither namespaces nor a sandbox."""
        from kezuri.step.cachemounts import CacheMounts
        from kezuri.step.copying import CopySteps
        from kezuri.step.running import RunSteps
        from kezuri.upkeep.collection import Collection

        session, store, forms = self._session, self._session.store, self._session.forms
        operations = [o for stage in plan.stages for o in stage.operations]
        if any(isinstance(o, RunOperation) for o in operations):
            session.open_sandbox(self._request.new_privileges)
        elif os.geteuid() != 0 and (
            store.database.has_directories(forms.owners.known())
            or any(isinstance(getattr(o, "input", None), StageInput | ImageInput) for o in operations)
        ):
            # Directories may be read or made, by threads that could not enter a user namespace any more.
            forms.owners.enter()
        # What a killed build left behind goes before this one needs the space.
        for _ in Collection(store).abandoned():
            pass
        namespace = dict(self._request.build_args).get("BUILDKIT_CACHE_MOUNT_NS", "")
        mounts = CacheMounts(store, forms.owners, trees, self._cancel, namespace)
        keep_failed = self._look is not None
        self._runs = RunSteps(store, forms, trees, mounts, session.sandbox, options, source, self._cancel, keep_failed)
        remotes = [r for o in operations for r in getattr(o, "remotes", ()) if r is not None]
        if remotes:
            trees.prefetch(remotes)
        return Workers(
            self._runs,
            CopySteps(store, forms, trees, self._packing, source),
        )


def _check_attributes(output: Output) -> None:
    """KezuriError for an attribute that kezuri does not know or does not do: none is passed over in silence."""
    for key, value in output.attributes:
        false = value.lower() in ("false", "0", "f")
        if key.startswith("annotation"):
            from kezuri.export.annotations import of_attribute

            of_attribute(key, value)
            continue
        if key in _ATTRIBUTES and key not in ("oci-mediatypes", "force-compression"):
            continue
        if key == "mode" and output.type == "local":
            if value == "copy":
                continue
            raise KezuriError.of(
                f"--output mode={value} is not supported",
                hint="what is in the directory stays, as with mode=copy: remove it before",
                exit_code=2,
            )
        if key == "oci-mediatypes" and false:
            raise KezuriError.of(
                "--output oci-mediatypes=false is not supported",
                hint="images have OCI media types, as BuildKit's",
                exit_code=2,
            )
        if key == "force-compression" and not false:
            raise KezuriError.of(
                "--output force-compression is not supported", hint="layers of the base stay as they came", exit_code=2
            )
        if key not in _ATTRIBUTES:
            near = nearest(key, _ATTRIBUTES)
            raise KezuriError.of(
                f"--output type={output.type}: unknown attribute {key!r}",
                hint=f"did you mean {near}?" if near else f"there are {', '.join(_ATTRIBUTES)} and annotation.KEY",
                exit_code=2,
            )


def _tag(name: str) -> Reference:
    reference = Reference.parse(name)
    if reference.digest:
        raise KezuriError.of(f"a name for a new image cannot carry a digest: {name}", exit_code=2)
    return reference
