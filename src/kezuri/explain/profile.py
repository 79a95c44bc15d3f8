"""What the instructions of builds cost: seconds, bytes, and how often they ran and why, as values that can be shown."""

from typing import NamedTuple

from kezuri.cache.journal import Heading, JournalOutcome
from kezuri.explain.answers import Because, Explanation

UNKNOWN = -1
"""Stands for bytes that are not known any more, and (as in the journal) for a moment that was not written down."""

DID = ("ran", "failed", "canceled")
"""Outcomes of a step for which something was done."""


class Occasion(NamedTuple):
    """One build that had the step: its number, when it began (seconds since the epoch), what became of the step there,
    how long it took (0 where it was found), and what made it run; which files differed is known of the build that is
    looked at only."""

    build: int
    began: float
    outcome: JournalOutcome
    seconds: float
    because: tuple[Because, ...]


class InstructionCost(NamedTuple):
    """What one instruction cost.

    `number`, `stage`, `place`, `kind`, `title`, `line` and `outcome` are the step's in the build that is looked at;
    `label` is its stage's. `start` is how many seconds after the build began it did (UNKNOWN where that was not written
    down), `seconds` what it took there (0 where it was found).

    `added` are the bytes of files that its layer has, `wasted` those among them that the image does not show (of what
    is no part of the image: the last state of its stage), `hides` the bytes of layers below, of earlier instructions
    and of the base, that this one removed or replaced. All three are UNKNOWN where the layer is not here any more.
    `shipped` says whether the layer is part of the image. `times` are the builds that had the step, the latest first.
    """

    number: int
    stage: int
    label: str
    place: str
    kind: str
    title: str
    line: int
    outcome: JournalOutcome
    start: float
    seconds: float
    added: int
    wasted: int
    hides: int
    shipped: bool
    times: tuple[Occasion, ...]

    @property
    def ran(self) -> tuple[Occasion, ...]:
        """The builds in which something was done for it."""
        return tuple(each for each in self.times if each.outcome in DID)

    @property
    def spent(self) -> float:
        """The seconds that it took in all builds together."""
        return sum(each.seconds for each in self.times)

    @property
    def usual(self) -> float:
        """What it takes when it runs: the median of the seconds of all the times that it did; 0 where it never did."""
        took = sorted(each.seconds for each in self.times if each.outcome == "ran")
        if not took:
            return 0.0
        middle = len(took) // 2
        return took[middle] if len(took) % 2 else (took[middle - 1] + took[middle]) / 2


class BaseCost(NamedTuple):
    """What a stage begins with: the image's name (`scratch` for none, empty for an earlier stage), the bytes of its
    files (UNKNOWN where its layers are not here), and what was done for it: when that began, in seconds after the build
    did (UNKNOWN: nothing was written down), and how long it took."""

    stage: int
    label: str
    name: str
    size: int
    start: float
    seconds: float


class Profile(NamedTuple):
    """What the last builds of a project cost. `heading`, `seconds` and `error` are those of the build that is looked
    at, `bases` and `steps` its stages' and instructions', in their order; `builds` all that were gone through, the
    latest first, and `quiet` says that the last time nothing ran at all."""

    heading: Heading
    seconds: float
    error: str
    bases: tuple[BaseCost, ...]
    steps: tuple[InstructionCost, ...]
    builds: tuple[Heading, ...]
    quiet: bool
    explanation: Explanation

    @property
    def spent(self) -> float:
        """The seconds of work of the build that is looked at, whatever was done side by side."""
        return sum(each.seconds for each in self.bases) + sum(each.seconds for each in self.steps)
