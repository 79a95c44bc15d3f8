"""Tasks made from the operations of a plan, and what they name supplied from what the build was given."""

from collections.abc import Iterable
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.forms.packing import Packing
from kezuri.keys.inputs import Inputs
from kezuri.keys.options import Options
from kezuri.keys.state import State, StateOf
from kezuri.keys.stepkeys import each_piece
from kezuri.plan.inputs import Choice, ContextInput, Remote
from kezuri.plan.key import Components, digest, state_of
from kezuri.plan.operation import (
    BindMount,
    CacheMount,
    CopyOperation,
    Operation,
    RunMount,
    RunOperation,
    WorkdirOperation,
)
from kezuri.step.task import Bind, Cache, Copy, Fetched, Files, MakeDirectory, Mount, Picked, Run, Stacked, Task
from kezuri.tree.selection import Root, Selection


class Tasks:
    """Makes the tasks of one build."""

    def __init__(
        self,
        inputs: Inputs,
        options: Options,
        packing: Packing,
        namespace: str = "",
        keep_failed: bool = False,
        retries: int = 0,
    ) -> None:
        """`packing` says how layers are packed that are not wanted as directories; `namespace` tells this build's cache
        mounts from others of the same id; `keep_failed` and `retries`: see `Run`."""
        self._inputs = inputs
        self._settings = options.settings
        self._packing = packing
        self._namespace = namespace
        self._keep_failed = keep_failed
        self._retries = retries

    def task(
        self, operation: Operation, components: Components, before: State, states: StateOf, directory: bool
    ) -> Task:
        """The operation, which has this key and meets this state, as a task. KezuriError as for its key."""
        return Task(self._work(operation, components, states), before.layers, directory, self._packing)

    def _work(self, operation: Operation, components: Components, states: StateOf) -> Run | Copy | MakeDirectory:
        match operation:
            case RunOperation():
                return self._run(operation, states)
            case CopyOperation():
                return self._copy(operation, _layer(components), states)
            case WorkdirOperation():
                return MakeDirectory(_layer(components), operation.path, operation.user)

    def families(self, operations: Iterable[Operation]) -> list[str]:
        """The families of all cache mounts of the operations."""
        mounts = (mount for operation in operations for mount in operation.mounts)
        caches = (mount for mount in mounts if isinstance(mount, CacheMount))
        return list(dict.fromkeys(family(self._namespace, mount) for mount in caches))

    def caches(self, operation: RunOperation, states: StateOf) -> list[Cache]:
        """The cache mounts of a command."""
        mounts = (self._mount(mount, states) for mount in operation.mounts if isinstance(mount, CacheMount))
        return [mount for mount in mounts if isinstance(mount, Cache)]

    def _run(self, operation: RunOperation, states: StateOf) -> Run:
        return Run(
            operation.argv,
            operation.env,
            operation.proxy,
            operation.cwd,
            operation.user,
            tuple(self._mount(mount, states) for mount in operation.mounts),
            operation.network,
            operation.insecure,
            operation.script_name,
            operation.script,
            operation.platform,
            self._settings,
            self._keep_failed,
            self._retries,
        )

    def _mount(self, mount: RunMount, states: StateOf) -> Mount:
        if isinstance(mount, BindMount):
            return Bind(mount.target, self._chosen(mount.choice, states), mount.writable)
        if isinstance(mount, CacheMount):
            seed = self._chosen(mount.choice, states) if mount.choice is not None else None
            return Cache(
                mount.target,
                self._namespace,
                mount.id,
                family(self._namespace, mount),
                mount.sharing,
                seed,
                mount.mode,
                mount.uid,
                mount.gid,
                mount.readonly,
            )
        return mount

    def _copy(self, operation: CopyOperation, layer: str, states: StateOf) -> Copy:
        def files(first: int, piece: Choice | Remote) -> Files:
            if isinstance(piece, Choice):
                return self._chosen(piece, states)
            identity = self._inputs.identity(piece)
            return Fetched(identity, without_credentials(piece), operation.excludes, bool(operation.unpack), first)

        return Copy(
            layer,
            tuple(each_piece(operation, files)),
            operation.heredocs,
            operation.destination,
            operation.chown,
            operation.chmod,
            operation.link,
            operation.add if operation.unpack is None else operation.unpack,
        )

    def _chosen(self, choice: Choice, states: StateOf) -> Picked | Stacked:
        found = self._inputs.digest(choice, states)
        how = (choice.sources, choice.parents, choice.excludes, choice.whole, choice.literal)
        if isinstance(choice.input, ContextInput):
            return Picked(found, choice.input.name, *how)
        return Stacked(found, self._inputs.state(choice.input, states).layers, *how)


class Given(NamedTuple):
    """The supplies that a build has on its own machine. `remotes` are the remote sources of the plan, with their
    credentials."""

    inputs: Inputs
    options: Options
    remotes: tuple[Remote, ...]

    def selection(self, files: Picked) -> Selection:
        """See Supplies: what was digested is what is given."""
        where = ContextInput(files.context)
        choice = Choice(where, files.words, files.parents, files.excludes, files.whole, files.literal)
        return self.inputs.selected(choice)

    def fetched(self, files: Fetched) -> Root:
        """See Supplies. Where a plan names one address with several credentials, which may show different files, those
        are taken that are meant."""
        for remote in self.remotes:
            if without_credentials(remote) == files.source and self.inputs.identity(remote) == files.identity:
                return self.inputs.fetched(remote, files.excludes, files.unpack)
        raise KezuriError.of(f"{files.identity[0]} is no source of this build")

    def secret(self, id: str) -> bytes | None:
        """See Supplies."""
        return self.options.secrets.get(id)

    def agent(self, id: str) -> str | None:
        """See Supplies."""
        return self.options.agents.get(id)


def without_credentials(source: Remote) -> Remote:
    """The remote source without what logs in there."""
    return source._replace(credentials="")


def family(namespace: str, mount: CacheMount) -> str:
    """Names the caches that are renewed together: those of an id that begin empty, or those that do not."""
    owned = (mount.mode, mount.uid, mount.gid) != (None, None, None)
    begun = "made of something" if mount.input is not None or owned else ""
    return state_of("mounts", namespace, mount.id, begun)[:32]


def _layer(components: Components) -> str:
    return f"copy-{digest(components)}"
