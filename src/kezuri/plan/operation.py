"""The operations of a build as values: what has to happen to a stage's files, and from what."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from kezuri.diagnostics import Span
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import BaseImage, Choice, ContextInput, Input, Piece, Remote, StageInput

if TYPE_CHECKING:
    from kezuri.dockerfile.instructions import Node


OperationKind = Literal["RUN", "COPY", "ADD", "WORKDIR"]
"""What an operation is called: the word of the instruction that it comes from."""


class BindMount(NamedTuple):
    """`--mount=type=bind`: files of an input. With `writable` the command may write to them; that is thrown away."""

    target: str
    input: Input
    source: str
    writable: bool

    @property
    def choice(self) -> Choice:
        """What it shows: a directory's own metadata is seen, too, but for the context's root, in whose place there is
        a directory of our own."""
        whole = not isinstance(self.input, ContextInput) or bool(self.source.strip("/."))
        return Choice(self.input, (self.source,), whole=whole, literal=True)

    @property
    def component(self) -> str:
        """The part of the key that says what the files are."""
        return f"files bound at {self.target}"


class CacheMount(NamedTuple):
    """`--mount=type=cache`: a directory that outlives the build, found again by its id. A new one begins with the files
    of `input` below `source`, or empty."""

    target: str
    id: str
    sharing: str
    input: Input | None
    source: str
    mode: int | None
    uid: int | None
    gid: int | None
    readonly: bool

    @property
    def choice(self) -> Choice | None:
        """What a new one begins with; None for nothing."""
        return None if self.input is None else Choice(self.input, (self.source,), literal=True)

    @property
    def component(self) -> str:
        """The part of the key that says what the files of `input` are."""
        return f"files seeding {self.target}"


class TmpfsMount(NamedTuple):
    """`--mount=type=tmpfs`; `size` in bytes, 0 for the kernel's default."""

    target: str
    size: int

    @property
    def choice(self) -> None:
        """It takes no files from anywhere."""


class SecretMount(NamedTuple):
    """`--mount=type=secret`: as a file (`target`), as an environment variable (`env`), or both."""

    id: str
    target: str
    env: str
    required: bool
    mode: int
    uid: int
    gid: int

    @property
    def choice(self) -> None:
        """It takes no files from anywhere."""


class AgentMount(NamedTuple):
    """`--mount=type=ssh`: the socket of an SSH agent at `target`."""

    id: str
    target: str
    required: bool
    mode: int
    uid: int
    gid: int

    @property
    def choice(self) -> None:
        """It takes no files from anywhere."""


RunMount = BindMount | CacheMount | TmpfsMount | SecretMount | AgentMount


class RunOperation(NamedTuple):
    """A command that changes the stage's files.

    `env` is the whole environment in order; `proxy` is added to it and never part of the key. `script` is a heredoc
    with a `#!` line, found by the command at /dev/pipes/`script_name`. `platform` is what the command is made for.
    `arguments` are the names of the ARGs that the command sees: declared before it in its stage, with or without a
    value, and not taken over by an ENV.
    """

    title: str
    history: str
    node: "Node"
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...]
    proxy: tuple[tuple[str, str], ...]
    cwd: str
    user: str
    mounts: tuple[RunMount, ...]
    network: str
    insecure: bool
    script_name: str
    script: bytes
    platform: Platform
    arguments: tuple[str, ...] = ()

    @property
    def kind(self) -> OperationKind:
        """The word of the instruction."""
        return "RUN"

    @property
    def linked(self) -> bool:
        """Whether its layer does not depend on the files before it: never."""
        return False

    @property
    def remotes(self) -> tuple[Remote | None, ...]:
        """What of it is fetched from elsewhere: nothing."""
        return ()

    @property
    def input_components(self) -> tuple[tuple[str, Input], ...]:
        """Its inputs (what is bound, and what new cache mounts are seeded with), each with the name of the part of the
        key that says what its files are."""
        mounts = (mount for mount in self.mounts if isinstance(mount, BindMount | CacheMount))
        return tuple((mount.component, mount.input) for mount in mounts if mount.input is not None)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What it takes files from beside its own stage."""
        return tuple(source for _, source in self.input_components)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What it takes: what is bound, and what new cache mounts are seeded with."""
        choices = ((position, mount.choice) for position, mount in enumerate(self.mounts))
        return tuple((position, choice) for position, choice in choices if choice is not None)

    @property
    def source_spans(self) -> tuple[Span, ...]:
        """It has no source words."""
        return ()

    @property
    def key_inputs(self) -> tuple[Input, ...]:
        """The inputs whose files count in the operation's key: all, also what seeds a cache mount."""
        return self.inputs

    def with_inputs(self, change: Callable[[Input], Input]) -> "RunOperation":
        """The operation with each of its inputs changed."""
        return self._replace(mounts=tuple(_with_input(mount, change) for mount in self.mounts))


class CopyOperation(NamedTuple):
    """Files taken from an input (or from heredocs) into the stage. `destination` is absolute and keeps a trailing
    slash; `chown` and `chmod` are expanded, empty when not given; `add` for ADD. `remotes` says for each source word
    what it is where it is remote; it is empty when none is."""

    title: str
    history: str
    node: "Node"
    add: bool
    input: Input
    sources: tuple[str, ...]
    heredocs: tuple[tuple[str, bytes], ...]
    order: tuple[int, ...]
    destination: str
    chown: str
    chmod: str
    link: bool
    parents: bool
    excludes: tuple[str, ...]
    unpack: bool | None
    source_spans: tuple[Span, ...]
    remotes: tuple[Remote | None, ...] = ()

    @property
    def kind(self) -> OperationKind:
        """The word of the instruction."""
        return "ADD" if self.add else "COPY"

    @property
    def linked(self) -> bool:
        """Whether its layer does not depend on the files before it."""
        return self.link

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of the ARGs that a command of it sees: it has no command."""
        return ()

    @property
    def input_components(self) -> tuple[tuple[str, Input], ...]:
        """Its input, with the name of the part of the key that says what its files are."""
        return (("files", self.input),)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What it takes files from: its one input, also where all its sources are remote or heredocs."""
        return (self.input,)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What it takes: local words beside each other are one choice, a remote word is alone."""
        if not self.remotes:
            return ((0, self._choice(self.sources)),)
        pieces: list[Piece] = []
        local: list[str] = []
        for index, (word, remote) in enumerate(zip(self.sources, self.remotes, strict=True)):
            if remote is None:
                local.append(word)
                continue
            if local:
                pieces.append((index - len(local), self._choice(tuple(local))))
                local = []
            pieces.append((index, remote))
        if local:
            pieces.append((len(self.sources) - len(local), self._choice(tuple(local))))
        return tuple(pieces)

    def _choice(self, words: tuple[str, ...]) -> Choice:
        return Choice(self.input, words, self.parents, self.excludes)

    @property
    def mounts(self) -> tuple[RunMount, ...]:
        """Nothing is mounted for it."""
        return ()

    @property
    def key_inputs(self) -> tuple[Input, ...]:
        """The inputs whose files count in the operation's key."""
        return (self.input,)

    def with_inputs(self, change: Callable[[Input], Input]) -> "CopyOperation":
        """The operation with each of its inputs changed."""
        return self._replace(input=change(self.input))


class WorkdirOperation(NamedTuple):
    """A directory that must exist, made as `user` if it does not."""

    title: str
    history: str
    node: "Node"
    path: str
    user: str

    @property
    def kind(self) -> OperationKind:
        """The word of the instruction."""
        return "WORKDIR"

    @property
    def linked(self) -> bool:
        """Whether its layer does not depend on the files before it: never."""
        return False

    @property
    def remotes(self) -> tuple[Remote | None, ...]:
        """What of it is fetched from elsewhere: nothing."""
        return ()

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of the ARGs that a command of it sees: it has no command."""
        return ()

    @property
    def input_components(self) -> tuple[tuple[str, Input], ...]:
        """It takes no files from anywhere."""
        return ()

    @property
    def inputs(self) -> tuple[Input, ...]:
        """It takes no files from anywhere."""
        return ()

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """It takes nothing."""
        return ()

    @property
    def source_spans(self) -> tuple[Span, ...]:
        """It has no source words."""
        return ()

    @property
    def mounts(self) -> tuple[RunMount, ...]:
        """Nothing is mounted for it."""
        return ()

    @property
    def key_inputs(self) -> tuple[Input, ...]:
        """No files count in its key."""
        return ()

    def with_inputs(self, change: Callable[[Input], Input]) -> "WorkdirOperation":
        """Itself: it has no inputs."""
        return self


def _with_input(mount: RunMount, change: Callable[[Input], Input]) -> RunMount:
    if isinstance(mount, BindMount):
        return mount._replace(input=change(mount.input))
    if isinstance(mount, CacheMount) and mount.input is not None:
        return mount._replace(input=change(mount.input))
    return mount


Operation = RunOperation | CopyOperation | WorkdirOperation


class HistoryItem(NamedTuple):
    """A line of the image's history. `stage` and `operation` (an index into that stage's operations) say whose layer it
    describes; both are -1 for a line without a layer."""

    created_by: str
    stage: int = -1
    operation: int = -1


class StagePlan(NamedTuple):
    """A stage: the base it stands on, what has to happen, and the config that it ends with.

    `base` is a resolved image, another stage, or None for scratch. `config` and `history` include what a base stage
    brought; `config.diff_ids` and `config.history` are those of the base image. `crossing` says for each operation
    which platform the variables in force name as the target, None where they name none. `written` is the stage's
    place in the file where stages of several platforms have been numbered anew.
    """

    number: int
    name: str
    label: str
    base: BaseImage | StageInput | None
    base_title: str
    node: "Node"
    platform: Platform
    operations: tuple[Operation, ...]
    config: ImageConfig
    history: tuple[HistoryItem, ...]
    crossing: tuple[Platform | None, ...] = ()
    written: int = -1

    @property
    def ordinal(self) -> int:
        """The stage's place in the Dockerfile, counted from 0."""
        return self.number if self.written < 0 else self.written


class Target(NamedTuple):
    """What a build gives for one platform: the stage whose files and config it is."""

    platform: Platform
    stage: int


class Plan(NamedTuple):
    """What a build has to do: the stages that the target reaches, each after those it needs.

    Built for several platforms (`kezuri.plan.platforms`), it has one of `targets` for each, in the order in which they
    were asked for, and `target` is the first one's stage. `epoch` is SOURCE_DATE_EPOCH in seconds, as it was given or
    as the default of an ARG before the first FROM.
    """

    stages: tuple[StagePlan, ...]
    target: int
    contexts: tuple[str, ...]
    targets: tuple[Target, ...] = ()
    epoch: int | None = None

    @property
    def wanted(self) -> tuple[int, ...]:
        """The numbers of the stages whose images are wanted."""
        return tuple(target.stage for target in self.targets) or (self.target,)

    def stage(self, index: int) -> StagePlan:
        """The stage with this number; KeyError when the target does not need it."""
        for stage in self.stages:
            if stage.number == index:
                return stage
        raise KeyError(index)
