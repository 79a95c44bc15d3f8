"""Why a build did what it did, in words that can be shown: values that may be secret are hidden."""

from typing import NamedTuple

from kezuri.cache.journal import Heading, JournalStep, Source
from kezuri.explain.causes import Kind
from kezuri.explain.changes import Change


class Because(NamedTuple):
    """One reason (`kind` as in `kezuri.explain.causes`), with values that may be secret hidden.

    `name` is a component's: for a variable `ARG NAME` or `ENV NAME`. `step` is the number of the step that it speaks
    of, 0 for none. `files` are the paths that differ, None when that is not known (any more).
    """

    kind: Kind
    name: str
    before: str | None
    after: str | None
    step: int
    source: Source | None
    files: tuple[Change, ...] | None
    via: tuple["Because", ...]


class StepAnswer(NamedTuple):
    """A step and why it ran; `since` is the number of the build that it is compared with, 0 for none. `root` is the
    place of its root cause in the explanation's list, -1 for none."""

    step: JournalStep
    because: tuple[Because, ...]
    since: int
    root: int


class RootCause(NamedTuple):
    """Something that began it: a reason, of which step (0: of none), and the steps that ran because of it, with the
    seconds that they took."""

    because: Because
    step: int
    steps: tuple[int, ...]
    seconds: float


class Explanation(NamedTuple):
    """Why a build did what it did. `quiet`: nothing ran, the last time that it was made. `before` is the number of the
    build that it is compared with, 0 for none. `advice` is what would spare the next one work."""

    heading: Heading
    seconds: float
    error: str
    steps: tuple[StepAnswer, ...]
    roots: tuple[RootCause, ...]
    quiet: bool
    before: int
    advice: tuple[str, ...]
