"""The stages and steps of one build in another one: which is which, whatever was edited in between."""

from kezuri.cache.journal import JournalBuild, JournalStage, JournalStep
from kezuri.keys.alignment import Line, align


def counterparts(build: JournalBuild, old: JournalBuild) -> dict[int, JournalStep]:
    """The steps that a build's steps were in an earlier one, by number."""
    found = {}
    for new_stage, old_stage in paired_stages(build, old):
        for index, step in zip(_align(old_stage, new_stage), new_stage.steps):
            if index is not None:
                found[step.number] = old_stage.steps[index]
    return found


def _align(old: JournalStage, new: JournalStage) -> tuple[int | None, ...]:
    return align([Line(s.kind, s.title) for s in old.steps], [Line(s.kind, s.title) for s in new.steps])


def paired_stages(build: JournalBuild, old: JournalBuild) -> list[tuple[JournalStage, JournalStage]]:
    """The stages of a build with the stages that they were: by platform, label and what they build for; then without
    the latter, which a build for one platform does not tell; the others by what they share."""
    left, others = list(old.stages), list(build.stages)
    found = []
    for name in (lambda s: (s.platform, s.label, _crossing(s)), lambda s: (s.platform, s.label)):
        rest = []
        for stage in others:
            was = next((s for s in left if name(s) == name(stage)), None)
            if was is not None:
                left.remove(was)
                found.append((stage, was))
            else:
                rest.append(stage)
        others = rest
    for stage in others:
        titles = {s.title for s in stage.steps}
        best = max(left, key=lambda was: len(titles.intersection(s.title for s in was.steps)), default=None)
        if best is not None and titles.intersection(s.title for s in best.steps):
            left.remove(best)
            found.append((stage, best))
    return found


def _crossing(stage: JournalStage) -> str:
    """The platform that a stage builds for, if it is not its own."""
    return next((s.name.target for s in reversed(stage.steps) if s.name.target), "")
