"""What changed between two measurements of an image: figures, steps and packages, the largest growth first."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kezuri.growth.values import METRICS, Measurement, PackageSize, StepSize

_ALIKE = 0.6
"""How alike two instructions are, from 0 to 1, that are taken for one which was edited."""
_NEAR = 16
"""How many steps further on it is looked for."""


class FigureChange(NamedTuple):
    """One metric, before and after; None where it was not measured."""

    metric: str
    before: int | None
    after: int | None

    @property
    def more(self) -> int:
        """How much it grew; 0 where one of both is not known."""
        return 0 if self.before is None or self.after is None else self.after - self.before


class StepChange(NamedTuple):
    """A step of both images, of the earlier one only (it is gone), or of the later one only (it is new)."""

    before: StepSize | None
    after: StepSize | None

    @property
    def more(self) -> int:
        """How many plain bytes it added."""
        return (self.after.size if self.after else 0) - (self.before.size if self.before else 0)

    @property
    def step(self) -> StepSize:
        """The step as it is, or as it was where it is gone."""
        step = self.after or self.before
        assert step is not None
        return step


class PackageChange(NamedTuple):
    """A package of one or of both images; its version may have changed, and there may be several of a name."""

    ecosystem: str
    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    more: int


class Change(NamedTuple):
    """What changed. Steps and packages that are as they were are not there; those that grew most come first."""

    before: Measurement
    after: Measurement
    figures: tuple[FigureChange, ...]
    steps: tuple[StepChange, ...]
    packages: tuple[PackageChange, ...]


def change(before: Measurement, after: Measurement) -> Change:
    """The second measurement compared with the first."""
    figures = tuple(
        FigureChange(metric, before.figures.get(metric), after.figures.get(metric))
        for metric in METRICS
        if metric in before.figures or metric in after.figures
    )
    steps = [pair for pair in _aligned(before.steps, after.steps) if pair.more or pair.before is None or not pair.after]
    steps.sort(key=lambda pair: (-pair.more, pair.step.text))
    packages = sorted(_packages(before, after), key=lambda package: (-package.more, package.ecosystem, package.name))
    return Change(before, after, figures, tuple(steps), tuple(packages))


def _aligned(before: Sequence[StepSize], after: Sequence[StepSize]) -> Iterator[StepChange]:
    """The steps of both, those together that are the same instruction: in order, by their words; then what is left
    between two that agree, where the words are alike."""
    from difflib import SequenceMatcher

    ways = SequenceMatcher(None, [step.text for step in before], [step.text for step in after], autojunk=False)
    for tag, low, high, first, last in ways.get_opcodes():
        if tag == "equal":
            yield from (StepChange(old, new) for old, new in zip(before[low:high], after[first:last]))
        else:
            yield from _edited(list(before[low:high]), list(after[first:last]))


def _edited(old: list[StepSize], new: list[StepSize]) -> Iterator[StepChange]:
    from difflib import SequenceMatcher

    at = 0
    for step in new:
        word = step.text.partition(" ")[0]
        for number in range(at, min(at + _NEAR, len(old))):
            other = old[number]
            alike = SequenceMatcher(None, other.text, step.text, autojunk=False)
            # A base image that was changed has other instructions: they are compared one after the other.
            if (other.of_base and step.of_base) or (
                other.text.partition(" ")[0] == word
                and other.of_base == step.of_base
                and alike.real_quick_ratio() >= _ALIKE
                and alike.ratio() >= _ALIKE
            ):
                yield from (StepChange(gone, None) for gone in old[at:number])
                yield StepChange(other, step)
                at = number + 1
                break
        else:
            yield StepChange(None, step)
    yield from (StepChange(gone, None) for gone in old[at:])


def _packages(before: Measurement, after: Measurement) -> Iterator[PackageChange]:
    """Packages by name. Only the largest are recorded: what falls below the smallest of a full list is not said to be
    gone, nor one that rises above it to be new, unless it is larger than all that the other list leaves out."""
    was, now = _by_name(before.packages), _by_name(after.packages)
    least_before, least_after = _left_out(before), _left_out(after)
    for key in sorted(was.keys() | now.keys()):
        old, new = was.get(key, ()), now.get(key, ())
        size_before, size_after = sum(p.size for p in old), sum(p.size for p in new)
        if (not old and size_after <= least_before) or (not new and size_before <= least_after):
            continue
        versions = tuple(sorted({p.version for p in old})), tuple(sorted({p.version for p in new}))
        if size_before != size_after or versions[0] != versions[1]:
            yield PackageChange(*key, *versions, size_after - size_before)


def _left_out(measured: Measurement) -> int:
    """How large a package may be that is not in the list."""
    whole = measured.figures.get("packages", 0) <= len(measured.packages)
    return 0 if whole or not measured.packages else min(package.size for package in measured.packages)


def _by_name(packages: Sequence[PackageSize]) -> dict[tuple[str, str], tuple[PackageSize, ...]]:
    found: dict[tuple[str, str], tuple[PackageSize, ...]] = {}
    for package in packages:
        key = package.ecosystem, package.name
        found[key] = (*found.get(key, ()), package)
    return found
