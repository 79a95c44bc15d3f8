"""What surrounds a build, what its steps left, and what differs between two: as values."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Aspect = Literal["clock", "user", "umask", "locale", "order", "cores"]
ASPECTS: tuple[Aspect, ...] = ("clock", "user", "umask", "locale", "order", "cores")
"""`clock`: what time it is, for kezuri and for steps, and when the files of the context were checked out. `user`: who
runs kezuri. `umask`: that of kezuri, and the one under which the context was checked out. `locale`: language and time
zone of kezuri. `order`: in which directories are read, the context's and those of steps. `cores`: how many processors
there are."""

Kind = Literal["time", "order", "random", "address", "mode", "content", "config"]
"""`time`: a time stamp. `order`: the same things in another order. `random`: a number or a name made at random.
`address`: where something lay in memory. `mode`: permissions or owners that follow from umask and user. `content`: what
nobody knows a kind for. `config`: a field of the image's config."""


class Surroundings(NamedTuple):
    """What one build has around it. `shift` is how many seconds the clock is ahead; `uid` -1 for whoever runs us; with
    `reverse` directories are read backwards; `cores` 0 for all; `context` and `dockerfile` are where the copy of the
    build context is (empty: the user's own)."""

    shift: int = 0
    uid: int = -1
    umask: int = 0o022
    locale: str = "C.UTF-8"
    timezone: str = "UTC"
    reverse: bool = False
    cores: int = 0
    context: str = ""
    dockerfile: str = ""


class LeftEntry(NamedTuple):
    """What a step left at one path: as in Entry, with the SHA-256 of a file's bytes."""

    kind: str
    mode: int
    owner: tuple[int, int]
    size: int
    mtime: int
    link: str
    attributes: tuple[tuple[str, bytes], ...]
    digest: bytes


class StepLeft(NamedTuple):
    """A step of a build and what it left, by path: `stage` and `position` tell which one it is, `name` is what progress
    calls it, `line` the Dockerfile's, `text` the instruction; `stages` are those that it takes files from."""

    stage: int
    position: int
    name: str
    text: str
    line: int
    kind: str
    stages: tuple[int, ...]
    entries: Mapping[str, LeftEntry]


class Made(NamedTuple):
    """One build: the image's digest, its config as JSON, its steps in their order, the seconds since 1970 between
    which it ran, as it saw them itself, and how many processors it had (0: not known)."""

    digest: str
    config: Mapping[str, object]
    steps: tuple[StepLeft, ...]
    began: float
    ended: float
    cores: int = 0


class Unlike(NamedTuple):
    """One thing that is not the same: at a path (or a field of the config) of a step, what of it (`bytes`, `mtime`,
    `mode`, `owner`, `link`, `attributes`, `kind`, `new`, `gone`, `value`), both values as text, which kind of
    difference it is, what is known about it, and how it is mended (empty: nobody knows)."""

    path: str
    what: str
    before: str
    after: str
    kind: Kind
    about: str = ""
    mending: str = ""


class StepUnlike(NamedTuple):
    """A step and what of it differs. `follows` is the step whose difference came first and reached this one: through
    the files that it copies, or those below it; None where it is a cause by itself. The config has no step: its `line`
    is 0."""

    stage: int
    name: str
    text: str
    line: int
    found: tuple[Unlike, ...]
    follows: str = ""


class Unvaried(NamedTuple):
    """What could not be made another way, and why not."""

    aspect: Aspect
    why: str


class Reproduction(NamedTuple):
    """Two builds compared: digests, what was varied and what could not be, and each step that differs, in the order of
    the plan, causes among them."""

    before: str
    after: str
    varied: tuple[Aspect, ...]
    unvaried: tuple[Unvaried, ...]
    steps: tuple[StepUnlike, ...]

    @property
    def same(self) -> bool:
        """Whether both gave the same image, byte for byte."""
        return self.before == self.after
