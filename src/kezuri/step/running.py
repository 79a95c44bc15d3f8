"""RUN: running it in the sandbox on the stage's layers."""

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from kezuri.diagnostics import KezuriError, SourceText
from kezuri.forms.forms import Forms
from kezuri.keys.state import State
from kezuri.keys.stepkeys import bound_by, located
from kezuri.keys.surroundings import Options
from kezuri.keys.trees import StateOf, Trees
from kezuri.linux import overlay
from kezuri.linux.directory import make_plain
from kezuri.oci.platform import Platform
from kezuri.plan.operation import (
    AgentMount,
    BindMount,
    CacheMount,
    ContextInput,
    Operation,
    RunOperation,
    SecretMount,
    TmpfsMount,
)
from kezuri.progress.calling_off import CallOff
from kezuri.sandbox import step as door
from kezuri.step.cachemounts import CacheMounts
from kezuri.step.failure import Tail, step_failed
from kezuri.step.redaction import Redaction
from kezuri.store.store import Store
from kezuri.tree.accounts import home, user_ids
from kezuri.tree.checksum import verify_unchanged
from kezuri.tree.materialise import materialise
from kezuri.tree.stack import StackView

if TYPE_CHECKING:
    from kezuri.step.wreck import Wreck


class RunSteps:
    """Runs the RUN steps of one build."""

    def __init__(
        self,
        store: Store,
        forms: Forms,
        trees: Trees,
        mounts: CacheMounts,
        sandbox: Callable[[], door.Sandbox],
        options: Options,
        source: SourceText,
        cancel: CallOff,
        keep_failed: bool = False,
    ) -> None:
        """`keep_failed`: what the first failed step left is kept as `wreck`, for the caller to look at and close."""
        self._keep_failed = keep_failed
        self._wreck_lock = threading.Lock()
        self.wreck: Wreck | None = None
        self._store = store
        self._forms = forms
        self._trees = trees
        self._cache_mounts = mounts
        self._sandbox = sandbox
        self._options = options
        self._source = source
        self._cancel = cancel
        self._abandoned = ""
        self._emulators: dict[Platform, tuple[door.Mount, ...]] = {}
        self._emulators_lock = threading.Lock()
        self.doubtful: set[str] = set()
        """Layers of steps that claim success although a client in them gave up."""

    def renew_caches(self, operations: Iterable[Operation]) -> None:
        """Empty the cache mounts of operations whose earlier results are not wanted (`--no-cache`)."""
        mounts = [m for o in operations if isinstance(o, RunOperation) for m in o.mounts if isinstance(m, CacheMount)]
        self._cache_mounts.renew(mounts)

    def execute(self, operation: RunOperation, before: State, states: StateOf, output: door.Output) -> str:
        """Run the command; the id of the layer with its changes. KezuriError when it ends badly: then nothing of it
        remains."""
        lowers = self._forms.directories(before.layers)
        view = self._forms.view(before.layers)
        tail = Tail()

        def heard(stream: int, data: bytes) -> None:
            tail.add(data)
            output(stream, data)

        with ExitStack() as held:
            scratch = held.enter_context(self._store.scratch("step"))
            upper, work = os.path.join(scratch, "diff"), os.path.join(scratch, "work")
            overlay.make_writable(upper, work, lowers)
            emulator = self._emulator(operation, scratch)
            inside = self._mounts(operation, states, scratch, held)
            inside = inside._replace(mounts=(*inside.mounts, *emulator))
            secrets = tuple(m.data for m in inside.mounts if isinstance(m, door.SecretMount))
            redaction = Redaction((*secrets, *inside.secrets), heard)
            step = self._step(operation, view, door.Root(lowers, upper, work), inside)
            try:
                outcome = self._sandbox().run(step, redaction, self._cancel)
            except KezuriError as error:
                raise located(error, operation, self._source) from error
            redaction.flush()
            self._cancel.check()
            if outcome.exit_code:
                failure = step_failed(
                    " ".join(operation.argv),
                    outcome,
                    tail,
                    self._source,
                    operation.node.span,
                    bool(self._options.ca_bundle),
                    self._abandoned,
                    _is_full(scratch),
                )
                self._keep(failure, operation, step, scratch, held)
                raise failure
            layer = f"run-{os.urandom(16).hex()}"
            if tail.abandoned:
                self._abandoned = operation.title
                self.doubtful.add(layer)
            self._forms.publish_directory(layer, upper)
        return layer

    def _keep(
        self, failure: KezuriError, operation: RunOperation, step: door.Step, scratch: str, held: ExitStack
    ) -> None:
        """Keep what a failed step holds, if that is wanted and it is the first."""
        if not self._keep_failed:
            return
        from kezuri.step.wreck import Wreck

        with self._wreck_lock:
            if self.wreck is None:
                self.wreck = Wreck(failure, operation, step, scratch, self._forms.userxattr, held.pop_all())

    def _step(self, operation: RunOperation, view: StackView, root: door.Root, inside: "_Inside") -> door.Step:
        try:
            uid, gid, groups = user_ids(operation.user, view)
        except KezuriError as error:
            first = error.diagnostics[0]
            raise KezuriError(
                first._replace(source=self._source, span=operation.node.span), exit_code=error.exit_code
            ) from error
        env = dict(operation.env)
        env.update(operation.proxy)
        env.update(inside.env)
        env.setdefault("HOME", home(uid, view))
        surroundings = self._options.surroundings
        return door.Step(
            root=root,
            argv=operation.argv,
            env=tuple(env.items()),
            cwd=operation.cwd,
            uid=uid,
            gid=gid,
            groups=groups,
            hostname=surroundings.hostname,
            mounts=inside.mounts,
            network="none" if operation.network == "none" else "host",
            hosts=surroundings.hosts,
            ulimits=surroundings.ulimits,
            shm_size=surroundings.shm_size or 64 << 20,
            insecure=operation.insecure,
            ca_bundle=self._options.ca_bundle,
        )

    def _mounts(self, operation: RunOperation, states: StateOf, scratch: str, held: ExitStack) -> "_Inside":
        mounts: list[door.Mount] = []
        env: dict[str, str] = {}
        secrets: list[bytes] = []
        agents = 0
        caches = [mount for mount in operation.mounts if isinstance(mount, CacheMount)]
        directories = iter(held.enter_context(self._cache_mounts.hold(caches, states)) if caches else ())
        for position, mount in enumerate(operation.mounts):
            match mount:
                case BindMount():
                    mounts.append(self._bind(mount, states, os.path.join(scratch, f"bind{position}")))
                case CacheMount():
                    mounts.append(door.HostMount(next(directories), mount.target, not mount.readonly))
                case TmpfsMount():
                    mounts.append(door.TmpfsMount(mount.target, mount.size))
                case SecretMount():
                    value = self._options.secrets.get(mount.id)
                    if value is None:
                        if mount.env:
                            env[mount.env] = ""
                        continue
                    if mount.target:
                        mounts.append(door.SecretMount(mount.target, value, mount.mode, mount.uid, mount.gid))
                    if mount.env:
                        secrets.append(value)
                        env[mount.env] = value.decode("utf-8", "surrogateescape")
                case AgentMount():
                    socket = self._options.agents.get(mount.id)
                    if socket is None:
                        continue
                    mounts.append(door.AgentMount(mount.target, socket, mount.mode, mount.uid, mount.gid))
                    if not agents and "SSH_AUTH_SOCK" not in dict(operation.env):
                        env["SSH_AUTH_SOCK"] = mount.target
                    agents += 1
        if operation.script:
            mounts.append(door.FileMount(f"/dev/pipes/{operation.script_name}", operation.script, 0o755))
        return _Inside(tuple(mounts), tuple(env.items()), tuple(secrets))

    def _emulator(self, operation: RunOperation, scratch: str) -> tuple[door.Mount, ...]:
        """What the step has to be shown so that programs of its platform start."""
        if operation.platform == Platform.host():
            return ()
        from kezuri.sandbox.foreign import emulator

        with self._emulators_lock:
            known = self._emulators.get(operation.platform)
            if known is None:
                try:
                    known = emulator(operation.platform, scratch)
                except KezuriError as error:
                    first, *rest = error.diagnostics
                    first = first._replace(source=self._source, span=operation.node.span)
                    raise KezuriError(first, *rest, exit_code=error.exit_code) from error
                self._emulators[operation.platform] = known
        return known

    def _bind(self, mount: BindMount, states: StateOf, scratch: str) -> door.Mount:
        if not isinstance(mount.input, ContextInput):
            lowers = self._trees.lowers(mount.input, states)
            if not lowers:
                make_plain(scratch)
                lowers = (scratch,)
            return door.TreeMount(lowers, mount.source, mount.target, mount.writable)
        # The step sees what the builder would copy: ignored files left out, everything owned by 0:0.
        from kezuri.step.copying import selected_items

        selection = self._trees.select(bound_by(mount), states)
        items, place = selected_items(selection)
        materialise(items, scratch)
        verify_unchanged(selection)
        if mount.source.strip("/."):
            for root in selection:
                if root.directory:
                    os.chmod(scratch, root.top.entry.mode)
                    os.utime(scratch, ns=(root.top.entry.mtime, root.top.entry.mtime))
        return door.TreeMount((scratch,), place, mount.target, mount.writable)


class _Inside(NamedTuple):
    mounts: tuple[door.Mount, ...]
    env: tuple[tuple[str, str], ...]
    secrets: tuple[bytes, ...]


def _is_full(directory: str) -> bool:
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize < 1 << 20
