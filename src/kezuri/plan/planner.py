"""From a Dockerfile to a plan: stages, what they stand on, and only those that the target needs."""

import sys
from collections.abc import Mapping
from typing import NamedTuple

from kezuri.diagnostics import Diagnostic, KezuriError, Place
from kezuri.dockerfile.instructions import From, Instruction
from kezuri.dockerfile.parser import Dockerfile
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.plan.contexts import ImageResolver, Images, NamedContext, find_context
from kezuri.plan.evaluate import Shared, StageEvaluation
from kezuri.plan.facts import StageFacts, Survey
from kezuri.plan.head import Head
from kezuri.plan.inputs import BaseImage, ContextInput, ImageInput, ImageSource, Input, StageInput
from kezuri.plan.operation import Plan, StagePlan
from kezuri.plan.paths import joined
from kezuri.plan.stages import StageNames, WrittenStage, split_stages
from kezuri.plan.variables import Growth, platform_arguments

_FRAMES = 20
"""An upper bound of the nested Python calls between planning a stage and planning one that it needs."""


class PlanRequest(NamedTuple):
    """What shapes a plan beside the Dockerfile. `contexts` is keyed by names as `context_name` folds them."""

    target: str = ""
    arguments: Mapping[str, str] = {}
    contexts: Mapping[str, NamedContext] = {}
    platform: Platform | None = None
    build_platform: Platform | None = None
    network: str = ""


class _Base(NamedTuple):
    """What a stage stands on: an image, another stage or nothing (None), the platform, what it is called, and whether
    it is a build context of the stage's own name: that stands for the whole stage, its instructions too."""

    of: BaseImage | StageInput | None
    platform: Platform
    title: str
    replaces_stage: bool = False


class Planner:
    """Plans one build of one Dockerfile."""

    def __init__(self, dockerfile: Dockerfile, request: PlanRequest, resolve: ImageResolver) -> None:
        self._dockerfile = dockerfile
        self._request = request
        self._build_platform = request.build_platform or Platform.host()
        self._platform = request.platform or self._build_platform
        self._before, self._stages = split_stages(dockerfile)
        self._names = StageNames(self._stages)
        self._images = Images(resolve, self._names.names)
        self._head = Head(dockerfile.escape)
        self._growth = Growth(len(dockerfile.source.text))
        self._done: dict[int, StagePlan] = {}
        self._evaluations: dict[int, StageEvaluation] = {}
        self._open: list[int] = []
        self._contexts_used: dict[str, None] = {}
        self._errors: list[KezuriError] = []
        self._chosen = -1
        # Planning a stage calls for the stages that it needs, so that a long chain of stages is a deep recursion.
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 1000 + _FRAMES * len(self._stages)))

    def plan(self) -> Plan:
        """The plan; KezuriError with every diagnostic that could be found in one go."""
        errors = self._dockerfile.errors
        if not self._stages:
            raise KezuriError(*(errors or [Diagnostic("error", "no build stage in the Dockerfile")]))
        target = self._names.target(self._request.target)
        self._read_head(target)
        # Names can be checked without asking for images, and are in every stage; one run shall report all that is
        # wrong.
        sound = self._check_names()
        if errors:
            found = [*errors, *(d for e in self._errors for d in e.diagnostics)]
            raise KezuriError(*sorted(found, key=_start))
        if sound:
            self._try_visit(target)
        self._raise_errors()
        if self._request.platform is not None:
            final = self._done[target]
            self._done[target] = final._replace(config=final.config.made_for(self._platform))
        order = tuple(self._done.values())
        return Plan(order, target, tuple(self._contexts_used), epoch=self._head.epoch)

    def look(self, everything: bool) -> Survey:
        """As much as can be found out, for the checks: the target's stages, or every stage, also past errors. An image
        that cannot be asked for (exit code 125) is taken to be empty, and named in the answer."""
        if not self._stages or self._dockerfile.errors:
            try:
                self.plan()
            except KezuriError as error:
                self._errors = [error]
            return self.survey()
        self._images.lenient = True
        try:
            target = self._names.target(self._request.target)
        except KezuriError as error:
            self._errors.append(error)
            target = len(self._stages) - 1
        self._read_head(target)
        if self._check_names():
            for index in range(len(self._stages)) if everything else (target,):
                self._try_visit(index)
        return self.survey()

    @property
    def platform(self) -> Platform:
        """What is built for."""
        return self._platform

    def survey(self) -> Survey:
        """What was found out so far, beside the plan."""
        facts = []
        for number, evaluation in self._evaluations.items():
            plan = self._done.get(number)
            inherited = plan.base.stage if plan is not None and isinstance(plan.base, StageInput) else None
            facts.append(StageFacts(number, tuple(evaluation.met), inherited, plan))
        head, errors, absent = self._head, tuple(self._errors), self._images.absent
        return Survey(self._chosen, tuple(facts), head.defaults, head.arguments, errors, absent)

    def _raise_errors(self) -> None:
        if self._errors:
            unique = dict.fromkeys(d for e in self._errors for d in e.diagnostics)
            code = max(e.exit_code for e in self._errors)
            raise KezuriError(*sorted(unique, key=_start), exit_code=code)

    def _read_head(self, target: int) -> None:
        self._chosen = target
        name = self._request.target or self._stages[-1].start.name or "default"
        automatic = platform_arguments(self._platform, self._build_platform, name)
        given = self._request.arguments
        self._head = Head.read(self._before, self._dockerfile.escape, automatic, given, self._growth)
        self._errors += self._head.errors

    def _check_names(self) -> bool:
        errors, sound = self._names.errors(self._head)
        self._errors += errors
        return sound

    # stages

    def _try_visit(self, index: int) -> None:
        try:
            self._visit(index, None)
        except KezuriError as error:
            self._errors.append(error)

    def _visit(self, index: int, place: Place | None) -> None:
        """Plan a stage, after those that it needs, if it is not planned yet. `place` is where it is named."""
        if index in self._done:
            return
        stage = self._stages[index]
        if index in self._open:
            circle = [*self._open[self._open.index(index) :], index]
            raise self._names.circular(circle, place or stage.start.node.place)
        self._open.append(index)
        try:
            self._done[index] = self._plan_stage(stage)
        finally:
            self._open.pop()

    def _plan_stage(self, stage: WrittenStage) -> StagePlan:
        start, base = stage.start, self._base(stage)
        inherited = self._evaluations[base.of.stage] if isinstance(base.of, StageInput) else None
        triggers: tuple[str, ...] = ()
        if isinstance(base.of, BaseImage):
            triggers = base.of.config.on_build
            config = base.of.config._replace(created="", history=(), on_build=())
            if config.working_dir:
                # BuildKit joins the base's directory to itself: `a` becomes `/a/a`, and an absolute one stays.
                config = config._replace(working_dir=joined(config.working_dir, config.working_dir))
        elif inherited is not None:
            triggers = inherited.config.on_build
            config = inherited.finished()._replace(on_build=())
        else:
            config = ImageConfig(base.platform, working_dir="/")
        evaluation = StageEvaluation(stage.number, config, base.platform, self._shared(), inherited)
        if not base.replaces_stage:
            if triggers:
                evaluation.run(self._triggered(triggers, start), triggers=True)
            evaluation.run(stage.instructions)
        self._errors += evaluation.errors
        self._evaluations[stage.number] = evaluation
        return StagePlan(
            number=stage.number,
            name=start.name or "",
            label=stage.label,
            base=base.of,
            base_title=base.title,
            node=start.node,
            platform=base.platform,
            operations=tuple(evaluation.operations),
            config=evaluation.finished(),
            history=tuple(evaluation.history),
            crossing=tuple(evaluation.crossing),
        )

    def _shared(self) -> Shared:
        given, network = self._request.arguments, self._request.network
        return Shared(self._dockerfile.escape, given, self._head.arguments, network, self._find, self._growth)

    def _triggered(self, triggers: tuple[str, ...], start: From) -> tuple[Instruction, ...]:
        from kezuri.plan.triggers import fired

        found = tuple(fired(triggers, start))
        self._errors += (f for f in found if isinstance(f, KezuriError))
        return tuple(f for f in found if not isinstance(f, KezuriError))

    def _base(self, stage: WrittenStage) -> _Base:
        start = stage.start
        platform = self._stage_platform(start)
        if start.name and (replacing := self._replacing(start.name, platform)) is not None:
            image = self._context_image(replacing[1], platform, start.image_place)
            return _Base(image, platform, start.name, replaces_stage=True)
        name = self._head.base_name(start)
        parent = self._names.earlier(stage, name)
        if parent is not None:
            self._visit(parent, start.image_place)
            return _Base(StageInput(parent), self._done[parent].platform, name)
        if (context := find_context(self._request.contexts, name, platform)) is not None:
            return _Base(self._context_image(context[1], platform, start.image_place), platform, name)
        if name == "scratch":
            # A stage from scratch is for the target's platform, whatever its --platform says, as in BuildKit.
            return _Base(None, self._platform, name)
        return _Base(self._images.get(ImageSource("registry", name), platform, start.image_place), platform, name)

    def _stage_platform(self, start: From) -> Platform:
        return self._head.platform(start) or self._platform

    def _replacing(self, stage: str, platform: Platform) -> tuple[str, NamedContext] | None:
        """The named context that stands for a stage of its name. The names `context` and `scratch` have fixed
        meanings, which no named context replaces."""
        return None if stage in ("context", "scratch") else find_context(self._request.contexts, stage, platform)

    def _context_image(self, context: NamedContext, platform: Platform, place: Place) -> BaseImage | None:
        if context.kind == "directory":
            raise KezuriError.of(
                f"the build context {context.text} is a directory, and FROM needs an image",
                hint="use COPY --from with a directory, or give an oci-layout:// or docker-image:// context",
            ).at(place)
        if context.kind == "registry" and context.text == "scratch":
            return None
        return self._images.get(ImageSource(context.kind, context.text), platform, place)

    # inputs of COPY --from and RUN --mount=from=

    def _find(self, name: str, place: Place) -> Input:
        number = self._names.called(name, place)
        if number is not None:
            stage = self._stages[number]
            name = stage.start.name or ""
            if not name or (replacing := self._replacing(name, self._stage_platform(stage.start))) is None:
                self._refuse_later(stage, place)
                self._visit(number, place)
                return StageInput(number)
        else:
            replacing = find_context(self._request.contexts, name, self._platform)
        if replacing is not None:
            key, context = replacing
            if context.kind == "directory":
                self._contexts_used[key] = None
                return ContextInput(key)
            source = ImageSource(context.kind, context.text)
        else:
            source = ImageSource("registry", name)
        if source == ("registry", "scratch"):
            return ImageInput(BaseImage("scratch", "", ImageConfig(self._platform), (), source))
        return ImageInput(self._images.get(source, self._platform, place))

    def _refuse_later(self, stage: WrittenStage, place: Place) -> None:
        current = self._stages[self._open[-1]]
        if stage.number > current.number:
            raise KezuriError.of(
                f'cannot copy from stage "{stage.label}", it needs to be defined before current stage '
                f'"{current.label}"',
                hint="move the stage up in the Dockerfile",
            ).at(place)


def _start(diagnostic: Diagnostic) -> int:
    return diagnostic.span.start if diagnostic.span else 0
