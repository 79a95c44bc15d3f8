"""Why steps ran: each compared with the step that it was in an earlier build, and followed back to what began it."""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from kezuri.cache.journal import JournalBuild, JournalStage, JournalStep, Source
from kezuri.explain.pairing import counterparts, paired_stages
from kezuri.keys.alignment import Line, align
from kezuri.keys.difference import Difference, differences
from kezuri.plan.key import Components

Kind = Literal[
    "no-cache",
    "no-cache-filter",
    "lost",
    "pruned",
    "unbelieved",
    "failed",
    "canceled",
    "elsewhere",
    "no key",
    "new build",
    "new stage",
    "new step",
    "nearest",
    "text",
    "base",
    "step",
    "inserted",
    "removed",
    "files",
    "component",
]
"""What a reason says.

no-cache, no-cache-filter: earlier results were not to be used.
lost, pruned: the same key was paid for, and the layer (the result) is not there any more.
unbelieved, failed, canceled: the same key ran before, and gave no result that is kept.
elsewhere: another build ran it again in between.
no key: the step failed before it had one.
new build, new stage, new step: nothing to compare with.
nearest: how it differs from the nearest result that some other build left.
text: the instruction was edited.
base, step, inserted, removed: what comes before it is not what it was: the base image, the result of `step`, a step
that is new, a step that is not there any more.
files, component: this part of its own key.
"""

_OF_TEXT = (
    *("command", "script", "destination", "path", "owner", "mode", "link", "parents", "exclude", "unpack", "order"),
    *("network", "security"),
)
"""Components that follow from an instruction's own text, beside mounts and heredocs."""


class Reason(NamedTuple):
    """One reason. `name`, `before` and `after` are a component's, a text's, or an image's; `step` is the number of the
    step of this build that it speaks of. For files, `source` tells where they come from and `via` what happened there;
    for a step that was found in the cache, `via` tells why it is another one.
    """

    kind: Kind
    name: str = ""
    before: str | None = None
    after: str | None = None
    step: int = 0
    source: Source | None = None
    via: tuple["Reason", ...] = ()


class Answer(NamedTuple):
    """Why a step ran, or has another key than before.

    `was` is the step that it is compared with, of the build with the number `since`; None and 0 for none. `root` is
    what began it, `root_step` the number of the step that this is a reason of, 0 for none. No reasons: nothing about
    the step is new.
    """

    step: JournalStep
    reasons: tuple[Reason, ...]
    was: JournalStep | None = None
    since: int = 0
    root: Reason | None = None
    root_step: int = 0


class _Node(NamedTuple):
    """A step on the way to a state, or the image at the beginning of it."""

    line: Line
    state: str
    step: int


Nearest = Callable[[JournalStep], Components | None]
"""Finds the components of the result that is most like a step's, among all that were ever paid for."""


class Causes:
    """Compares one build with earlier ones, the latest first; they are only read as far as needed."""

    def __init__(self, build: JournalBuild, earlier: Iterable[JournalBuild], nearest: Nearest) -> None:
        self._build = build
        self._steps = {step.number: step for step in build.steps}
        self._more: Iterator[JournalBuild] = iter(earlier)
        self._earlier: list[JournalBuild] = []
        self._nearest = nearest
        self._pairs: dict[int, dict[int, JournalStep]] = {}
        self._known: dict[tuple[int, int], tuple[Reason, ...]] = {}

    def answers(self) -> tuple[Answer, ...]:
        """An answer for each step, in their order."""
        return tuple(self._answer(step) for step in self._build.steps)

    def _answer(self, step: JournalStep) -> Answer:
        if step.outcome == "not reached":
            return Answer(step, ())
        if not step.components:
            reason = Reason("no key", after=step.message)
            return Answer(step, (reason,), root=reason, root_step=step.number)
        old = self._counterpart(step)
        if old is not None:
            reasons = self._against(step, old)
            root, root_step = self._root(step, old, set()) if reasons else (None, 0)
            return Answer(step, reasons, self._pair(old)[step.number], old.heading.number, root, root_step)
        if step.outcome in ("cached", "shared"):
            return Answer(step, ())
        reasons = self._without_counterpart(step)
        return Answer(step, reasons, root=reasons[0], root_step=step.number)

    def _without_counterpart(self, step: JournalStep) -> tuple[Reason, ...]:
        if step.miss in ("no-cache", "no-cache-filter"):
            return (Reason("no-cache" if step.miss == "no-cache" else "no-cache-filter"),)
        if step.miss == "lost":
            return (Reason("lost"),)
        kind: Kind = "new build"
        if self._earlier and not any(step.number in self._pair(old) for old in self._earlier):
            matched = any(
                stage.number == step.stage for old in self._earlier for stage, _ in paired_stages(self._build, old)
            )
            kind = "new step" if matched else "new stage"
        if kind == "new step":
            return (Reason(kind),)
        near = self._nearest(step)
        found = differences(near, step.components) if near is not None else ()
        return (Reason(kind), *(Reason("nearest", d.name, d.before, d.after) for d in found))

    # the step that it was

    def _counterpart(self, step: JournalStep) -> JournalBuild | None:
        """The latest earlier build in which the step was reached. From where it was not there at all, only an equal
        instruction is the same one: in the long run every instruction is like some other."""
        equal = False
        for old in self._builds():
            was = self._pair(old).get(step.number)
            if was is None:
                equal = True
            elif was.components and (was.title == step.title or not equal):
                return old
        return None

    def _builds(self) -> Iterator[JournalBuild]:
        yield from self._earlier
        for build in self._more:
            self._earlier.append(build)
            yield build

    def _pair(self, old: JournalBuild) -> dict[int, JournalStep]:
        """The steps that this build's steps were in the earlier one, by number."""
        known = self._pairs.get(old.heading.number)
        if known is None:
            known = self._pairs[old.heading.number] = counterparts(self._build, old)
        return known

    # comparing

    def _against(self, step: JournalStep, old: JournalBuild) -> tuple[Reason, ...]:
        """What makes the step another one than it was in the earlier build."""
        key = (step.number, old.heading.number)
        if key not in self._known:
            self._known[key] = tuple(self._reasons(step, old))
        return self._known[key]

    def _reasons(self, step: JournalStep, old: JournalBuild) -> Iterator[Reason]:
        if step.miss in ("no-cache", "no-cache-filter"):
            yield Reason("no-cache" if step.miss == "no-cache" else "no-cache-filter")
            return
        was = self._pair(old).get(step.number)
        if was is None or not was.components:
            yield Reason("new step")
            return
        found = differences(was.components, step.components)
        if not found:
            if step.outcome not in ("cached", "shared"):
                yield Reason(_same_key(step, was))
            return
        of_text = [d for d in found if _follows_from_text(d)] if was.title != step.title else []
        files = [d for d in found if d.name.startswith("files") and _words(was) != _words(step)]
        if of_text or files:
            yield Reason("text", (of_text or files)[0].name, was.title, step.title)
            linked = [d for d in found if d.name == "state before" and None in (d.before, d.after)]
            found = tuple(d for d in found if d not in (*of_text, *files, *linked))
        for difference in found:
            if difference.name == "state before":
                if None not in (difference.before, difference.after):
                    yield from self._before(step, was, old)
            elif difference.name.startswith("files"):
                yield self._files(difference, step, was, old)
            else:
                yield Reason("component", *difference)

    def _before(self, step: JournalStep, was: JournalStep, old: JournalBuild) -> Iterator[Reason]:
        new_stage, old_stage = self._build.stage(step.stage), old.stage(was.stage)
        if new_stage is not None and old_stage is not None:
            before, after = _chain(old, old_stage, was.position), _chain(self._build, new_stage, step.position)
            yield self._parting(before, after, old) or Reason("elsewhere")

    def _parting(self, before: list[_Node], after: list[_Node], old: JournalBuild) -> Reason | None:
        """Where two ways part. A step that was found in the cache there has its reasons with it: nobody will look for
        them among those of the steps that ran."""
        found = _parting(before, after)
        if found is None or found.kind != "step" or self._steps[found.step].outcome != "cached":
            return found
        step = self._steps[found.step]
        reasons = self._against(step, old)
        if not reasons and step.state == self._pair(old)[step.number].state:
            # The step is what it was, elsewhere: another one that is written alike came before this one.
            return Reason("inserted", after=step.title, step=step.number)
        return found._replace(via=reasons or (Reason("elsewhere"),))

    def _files(self, difference: Difference, step: JournalStep, was: JournalStep, old: JournalBuild) -> Reason:
        """Files of a stage are followed to what happened there."""
        new_source, old_source = _source(step, difference.name), _source(was, difference.name)
        via: tuple[Reason, ...] = ()
        if new_source is not None and old_source is not None and new_source.kind == old_source.kind:
            if new_source.kind == "stage":
                new_stage, old_stage = self._build.stage(new_source.stage), old.stage(old_source.stage)
                if new_stage is not None and old_stage is not None:
                    parting = self._parting(_chain(old, old_stage), _chain(self._build, new_stage), old)
                    via = (parting,) if parting is not None else ()
            elif new_source.kind == "image":
                was_image, now_image = (_image(source.name, source.digest) for source in (old_source, new_source))
                via = (Reason("base", before=was_image, after=now_image),) if was_image != now_image else ()
        return Reason("files", *difference, source=new_source, via=via)

    # following back

    def _root(self, step: JournalStep, old: JournalBuild, seen: set[int]) -> tuple[Reason | None, int]:
        """What began it: the first reason that does not follow from another step."""
        seen.add(step.number)
        reasons = self._against(step, old)
        if not reasons:
            # Its key is what it was, and its result is not: somebody ran it again in between.
            return Reason("elsewhere"), step.number
        first = reasons[0]
        if first.kind == "new step" and self._counterpart(step) is None:
            return self._without_counterpart(step)[0], step.number
        behind = first.via[0] if first.kind == "files" and first.via else first
        if behind.kind == "inserted" and not self._against(self._steps[behind.step], old):
            # The step is what it was; that this one comes after it is what is new.
            return first, step.number
        if behind.kind in ("step", "inserted") and behind.step and behind.step not in seen:
            return self._root(self._steps[behind.step], old, seen)
        if behind.kind in ("base", "removed"):
            return behind, 0
        return first, step.number


def _same_key(step: JournalStep, was: JournalStep) -> Kind:
    if step.miss == "lost":
        return "lost"
    if was.outcome == "failed":
        return "failed"
    if was.outcome == "canceled":
        return "canceled"
    return "pruned" if was.kept else "unbelieved"


def _follows_from_text(difference: Difference) -> bool:
    return difference.name in _OF_TEXT or difference.name.startswith(("mount ", "heredoc "))


def _words(step: JournalStep) -> list[str]:
    """What a COPY or ADD names; nothing of a RUN, whose files are those of its mounts."""
    if step.kind == "RUN":
        return []
    _, *words = step.title.split()
    return [word for word in words if not word.startswith("--") or word.startswith("--from=")]


def _source(step: JournalStep, component: str) -> Source | None:
    return next((s for s in step.sources if s.component == component), None)


def _image(name: str, digest: str) -> str:
    return f"{name}@{digest}"


def _chain(build: JournalBuild, stage: JournalStage, end: int | None = None) -> list[_Node]:
    """What led to the state before the step at `end`, or to the stage's last: an image first, then steps."""
    parent = build.stage(stage.base_stage) if stage.base_stage >= 0 else None
    if parent is not None:
        nodes = _chain(build, parent)
    else:
        nodes = [_Node(Line("FROM", _image(stage.base, stage.digest)), stage.state, 0)]
    return nodes + [_Node(Line(s.kind, s.title), s.state, s.number) for s in stage.steps[:end]]


def _parting(old: list[_Node], new: list[_Node]) -> Reason | None:
    """The first place at which two ways part."""
    if old[0].state != new[0].state:
        return Reason("base", before=old[0].line.text, after=new[0].line.text)
    old, new = old[1:], new[1:]
    expected = 0
    for index, node in zip(align([n.line for n in old], [n.line for n in new]), new):
        if index is None:
            return Reason("inserted", after=node.line.text, step=node.step)
        if index > expected:
            return Reason("removed", before=old[expected].line.text)
        if old[index].state != node.state:
            return Reason("step", step=node.step)
        expected = index + 1
    return Reason("removed", before=old[expected].line.text) if expected < len(old) else None
