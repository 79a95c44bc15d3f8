"""A step as a value: what is to be done to a stack of layers, and what came of it.

A task names everything that it needs, and holds none of it: no path of this machine, no bytes of a secret, no open
file, no text of the Dockerfile. So it can be handed to another thread, process or machine (`kezuri.step.encoding` makes
JSON of it), where a `Performer` asks its `Supplies` for what the task names.

Layers are named by ids, and an id stands for one content for good: the diff id of a layer that came as a blob,
`copy-KEY` for what COPY, ADD and WORKDIR make (a function of the key), `run-RANDOM` for what a RUN left. The last has
no digest, because a directory is packed only if somebody wants the blob; instead its id is never used again.

Values of proxy variables are in a task, for they are part of the command's environment.
"""

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from kezuri.forms.packing import Packing
from kezuri.keys.options import RunSettings
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import Remote
from kezuri.plan.operation import AgentMount, SecretMount, TmpfsMount
from kezuri.progress.calling_off import CallOff
from kezuri.sandbox.step import Output
from kezuri.tree.selection import Root, Selection


class Picked(NamedTuple):
    """Files of a context: those that the words select, as a digest of their content. `context` is the name of a named
    context, empty for the build context; the other fields are those of `kezuri.plan.inputs.Choice`."""

    digest: str
    context: str
    words: tuple[str, ...]
    parents: bool = False
    excludes: tuple[str, ...] = ()
    whole: bool = False
    literal: bool = False


class Stacked(NamedTuple):
    """Files of a stage or an image: those that the words select in a stack of layers, lowest first. `digest` is that of
    their content; the other fields are as for Picked."""

    digest: str
    layers: tuple[str, ...]
    words: tuple[str, ...]
    parents: bool = False
    excludes: tuple[str, ...] = ()
    whole: bool = False
    literal: bool = False


class Fetched(NamedTuple):
    """A remote source. `identity` says which content of it is meant (a part of a key: see `Remotes.identity`); the
    source is without its credentials. `unpack`: an archive is taken apart, should it be one. `word` is the index of the
    source among the words of its instruction, for errors."""

    identity: tuple[str, str]
    source: Remote
    excludes: tuple[str, ...]
    unpack: bool
    word: int


Files = Picked | Stacked | Fetched


class Bind(NamedTuple):
    """Files mounted at `target`: those at `place` of what the words select; writes are discarded."""

    target: str
    files: Picked | Stacked
    writable: bool


class Cache(NamedTuple):
    """A directory that outlives the step, in the keeping of whoever performs it. Those with the same namespace, id,
    seed and owner are one cache. `family` names the caches that are renewed together (see `Performer.renew`)."""

    target: str
    namespace: str
    id: str
    family: str
    sharing: str
    seed: Picked | Stacked | None
    mode: int | None
    uid: int | None
    gid: int | None
    readonly: bool


Mount = Bind | Cache | TmpfsMount | SecretMount | AgentMount


class Run(NamedTuple):
    """A command that changes files. The fields are those of `kezuri.plan.operation.RunOperation`; `settings` is what
    the build gives to each RUN. `keep`: what a command leaves that fails is kept, if it is the first one.
    `retries`: how many times a command is run again that failed by the network alone."""

    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    proxy: tuple[tuple[str, str], ...]
    cwd: str
    user: str
    mounts: tuple[Mount, ...]
    network: str
    insecure: bool
    script_name: str
    script: bytes
    platform: Platform
    settings: RunSettings
    keep: bool = False
    retries: int = 0


class Copy(NamedTuple):
    """Files put in place. `layer` is the id that the layer must get; `unpack`: local archives are taken apart; the
    other fields are those of `kezuri.plan.operation.CopyOperation`."""

    layer: str
    files: tuple[Files, ...]
    heredocs: tuple[tuple[str, bytes], ...]
    destination: str
    chown: str
    chmod: str
    link: bool
    unpack: bool


class MakeDirectory(NamedTuple):
    """A directory that must exist, made as `user` if it does not. `layer` is the id that the layer must get."""

    layer: str
    path: str
    user: str


class Task(NamedTuple):
    """What is to be done on top of which layers, lowest first. `directory`: steps will run on what comes of it, so it
    is wanted as a directory; otherwise COPY, ADD and WORKDIR pack it as `packing` says, whose `epoch` is the build's
    SOURCE_DATE_EPOCH."""

    work: Run | Copy | MakeDirectory
    below: tuple[str, ...]
    directory: bool
    packing: Packing

    @property
    def command(self) -> str:
        """The command that is run, as one text; empty where none is."""
        return " ".join(self.work.argv) if isinstance(self.work, Run) else ""


class Failure(NamedTuple):
    """How a command failed. `exit_code`, `signal`, `oom`, `peak` and `memory` are those of
    `kezuri.sandbox.step.Exit`; `memory` is what the machine has where a step that was killed for it had no limit.
    `output` is the last lines that it printed, secrets masked. `left` names what it left, empty where that was not
    kept.

    What was seen beside it: the output says that a certificate was not trusted (`intercepted`) or that a program could
    not gain privileges (`unprivileged`); the disk is full; the step was shown a bundle of certificates (`bundle`);
    the line of the output that says that it was the network (`network`). `tries` is how many times it was run.
    `cause` is what the files of its root say to it (`kezuri.step.cause`), a sentence a line.
    """

    exit_code: int
    signal: int = 0
    oom: bool = False
    output: str = ""
    intercepted: bool = False
    unprivileged: bool = False
    disk_full: bool = False
    bundle: bool = False
    left: str = ""
    peak: int = 0
    memory: int = 0
    network: str = ""
    tries: int = 1
    cause: str = ""


class Outcome(NamedTuple):
    """What came of a task: the id of a layer, or a failure; and how many seconds it took.

    `gave_up`: the command claims success although a client in it gave up on the network. Its layer serves this build;
    it is no result for a later one, and a step that fails after it may fail because of it.
    """

    layer: str
    seconds: float
    gave_up: bool = False
    failure: Failure | None = None

    @property
    def believable(self) -> bool:
        """Whether the result may be used again."""
        return self.failure is None and not self.gave_up


class Supplies(Protocol):
    """Gives what tasks name. Layers are not among it: they come by way of the performer's store."""

    def selection(self, files: Picked) -> Selection:
        """The files that are picked from a context, entry by entry."""
        ...

    def fetched(self, files: Fetched) -> Root:
        """The files of a remote source. KezuriError when they cannot be had."""
        ...

    def secret(self, id: str) -> bytes | None:
        """The value of a secret; None when there is none of this id."""
        ...

    def agent(self, id: str) -> str | None:
        """The socket of an ssh agent on the performer's machine; None when there is none of this id."""
        ...


class Performer(Protocol):
    """Performs tasks: here, or elsewhere. Several threads may ask at once."""

    def perform(self, task: Task, output: Output, cancel: CallOff) -> Outcome:
        """Do it. A command that ends badly is an outcome. KezuriError, without a place in a Dockerfile, when the task
        cannot be performed (no such user, a file in the way, a disk that is full), CalledOff when it was called off;
        nothing remains of it then."""
        ...

    def renew(self, families: Iterable[str]) -> None:
        """Have tasks begin with empty caches in the place of those of these families (`--no-cache`). What a running
        step holds stays its own until it ends."""
        ...
