"""Which steps of the journal made the layers of an image, and where its base ends."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from kezuri.cache.journal import JournalBuild, JournalStep
from kezuri.explain.profiling import chain
from kezuri.oci.config import chain_id
from kezuri.plan.key import state_of

Known = Mapping[str, Collection[str]]
"""By the diff id of a layer the ids that the store has for it."""


class Made(NamedTuple):
    """What a build of the journal says of an image: `steps` by the number of the layer that each made, and the number
    of layers of the base, -1 where the build was made on another one. `base` is the base's name."""

    build: JournalBuild
    steps: Mapping[int, JournalStep]
    base_layers: int
    base: str

    def whole(self, count: int) -> bool:
        """Whether it explains all of so many layers."""
        return self.base_layers >= 0 and self.base_layers + len(self.steps) == count


def made_by(builds: Iterable[JournalBuild], diff_ids: Sequence[str], known: Known) -> Made | None:
    """What the build says that explains most of the layers, of equal ones the first; None where none made any."""
    own = [set(known.get(diff_id, ())) for diff_id in diff_ids]
    every = {layer for layers in own for layer in layers}
    starts: dict[str, int] | None = None
    best: Made | None = None
    for build in builds:
        if not any(step.layer in every for step in build.steps):
            continue
        starts = _starts(diff_ids) if starts is None else starts
        for stage in build.stages:
            stages = chain(build, stage)
            bottom, steps = stages[0], [step for below in stages for step in below.steps]
            begin = starts.get(bottom.state, -1)
            found = Made(build, _matched(own, steps, begin), begin, bottom.base)
            if found.steps and (best is None or _worth(found) > _worth(best)):
                best = found
        if best is not None and best.whole(len(diff_ids)):
            return best
    return best


def _worth(made: Made) -> tuple[int, bool]:
    return len(made.steps), made.base_layers >= 0


def _starts(diff_ids: Sequence[str]) -> dict[str, int]:
    """By the id of the state that they give as a base, the numbers of lowest layers."""
    found = {state_of("scratch"): 0}
    chain = ""
    for count, diff_id in enumerate(diff_ids, 1):
        chain = chain_id((chain, diff_id)) if chain else diff_id
        found.setdefault(state_of("base", chain), count)
    return found


def _matched(own: Sequence[Collection[str]], steps: Iterable[JournalStep], begin: int) -> dict[int, JournalStep]:
    """The steps by their layers, both in their order; layers that others put in between have none."""
    found: dict[int, JournalStep] = {}
    waiting: Iterator[JournalStep] = (step for step in steps if step.layer)
    at = max(begin, 0)
    for step in waiting:
        place = next((n for n in range(at, len(own)) if step.layer in own[n]), -1)
        if place >= 0:
            found[place] = step
            at = place + 1
    return found
