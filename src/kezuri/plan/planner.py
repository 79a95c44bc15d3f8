"""From a Dockerfile to a plan: stages, what they stand on, and only those that the target needs."""

import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

from kezuri.diagnostics import Diagnostic, KezuriError, Place, Span, nearest
from kezuri.dockerfile.expansion import expand
from kezuri.dockerfile.instructions import Arg, Copy, From, Instruction, Run
from kezuri.dockerfile.parser import Dockerfile, parse_trigger
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.contexts import NamedContext, find_context
from kezuri.plan.epoch import epoch_seconds
from kezuri.plan.evaluate import StageEvaluation
from kezuri.plan.facts import StageFacts, Survey
from kezuri.plan.growth import Growth
from kezuri.plan.operation import (
    BaseImage,
    ContextInput,
    ImageInput,
    ImageSource,
    Input,
    Plan,
    StageInput,
    StagePlan,
)
from kezuri.plan.paths import joined
from kezuri.plan.stages import Stage, Stages, names_used, split_stages
from kezuri.plan.variables import platform_arguments

_FRAMES = 20
"""More calls than one stage on the way to another takes."""

ImageResolver = Callable[[ImageSource, Platform], BaseImage]
"""Finds an image for a platform; KezuriError when it cannot be had. The planner asks once for each."""


class PlanRequest(NamedTuple):
    """What shapes a plan beside the Dockerfile. `contexts` is keyed by names as `context_name` folds them."""

    target: str = ""
    arguments: Mapping[str, str] = {}
    contexts: Mapping[str, NamedContext] = {}
    platform: Platform | None = None
    build_platform: Platform | None = None
    network: str = ""


class Planner:
    """Plans one build of one Dockerfile."""

    def __init__(self, dockerfile: Dockerfile, request: PlanRequest, resolve: ImageResolver) -> None:
        self._dockerfile = dockerfile
        self._request = request
        self._resolve = resolve
        self._build_platform = request.build_platform or Platform.host()
        self._platform = request.platform or self._build_platform
        self._head, stages = split_stages(dockerfile)
        self._named = Stages(stages, dockerfile.source)
        self._stages = stages
        self._done: dict[int, StagePlan] = {}
        self._evaluations: dict[int, StageEvaluation] = {}
        self._open: list[int] = []
        self._images: dict[tuple[ImageSource, Platform], BaseImage | KezuriError] = {}
        self._contexts_used: dict[str, None] = {}
        self._errors: list[KezuriError] = []
        self._globals: dict[str, str] = {}
        self._defaults: dict[str, str] = {}
        self._chosen = -1
        self._lenient = False
        self._absent: dict[ImageSource, KezuriError] = {}
        self._epoch: int | None = None
        self._growth = Growth(len(dockerfile.source.text))
        # A stage is planned while the one that needs it is: stages that stand on each other may be many.
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 1000 + _FRAMES * len(self._stages)))

    def plan(self) -> Plan:
        """The plan; KezuriError with every diagnostic that could be found in one go."""
        errors = [d for d in self._dockerfile.diagnostics if d.severity == "error"]
        if not self._stages:
            raise KezuriError(*(errors or [Diagnostic("error", "no build stage in the Dockerfile")]))
        target = self._named.target(self._request.target)
        self._evaluate_globals(target)
        # Names can be checked without asking for images, and are in every stage; one run shall report all that is
        # wrong.
        sound = self._check_names()
        if errors:
            found = [*errors, *(d for e in self._errors for d in e.diagnostics)]
            raise KezuriError(*sorted(found, key=lambda d: d.span.start if d.span else 0))
        if sound:
            try:
                self._visit(target, None)
            except KezuriError as error:
                self._errors.append(error)
        self._raise_errors()
        if self._request.platform is not None:
            final = self._done[target]
            self._done[target] = final._replace(config=final.config.made_for(self._platform))
        order = tuple(self._done.values())
        return Plan(order, target, tuple(self._contexts_used), epoch=self._epoch)

    def look(self, everything: bool) -> Survey:
        """As much as can be found out, for the checks: the target's stages, or every stage, also past errors. An image
        that cannot be asked for (exit code 125) is taken to be empty, and named in the answer."""
        if not self._stages or self._dockerfile.errors:
            try:
                self.plan()
            except KezuriError as error:
                self._errors = [error]
            return self.survey()
        self._lenient = True
        try:
            target = self._named.target(self._request.target)
        except KezuriError as error:
            self._errors.append(error)
            target = len(self._stages) - 1
        self._evaluate_globals(target)
        if not self._check_names():
            return self.survey()
        for index in range(len(self._stages)) if everything else (target,):
            try:
                self._visit(index, None)
            except KezuriError as error:
                self._errors.append(error)
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
        return Survey(self._chosen, tuple(facts), self._defaults, self._globals, tuple(self._errors), self._absent)

    def _raise_errors(self) -> None:
        if self._errors:
            unique = dict.fromkeys(d for e in self._errors for d in e.diagnostics)
            code = max(e.exit_code for e in self._errors)
            raise KezuriError(*sorted(unique, key=lambda d: d.span.start if d.span else 0), exit_code=code)

    def _evaluate_globals(self, target: int) -> None:
        name = self._request.target or self._stages[-1].start.name or "default"
        scope = platform_arguments(self._platform, self._build_platform, name)
        scope |= {k: v for k, v in self._request.arguments.items() if k in scope}
        self._globals, self._defaults, self._chosen = scope, dict(scope), target
        self._epoch = epoch_seconds(self._request.arguments.get("SOURCE_DATE_EPOCH", ""))
        for instruction in self._head:
            if not isinstance(instruction, Arg):
                continue
            for key, default in instruction.pairs:
                if self._growth.exceeded:
                    return
                try:
                    if key in self._request.arguments:
                        scope[key] = self._request.arguments[key]
                    elif default is not None:
                        scope[key] = expand(default, scope, self._dockerfile.escape)
                    self._growth.add(len(scope.get(key, "")))
                    if key == "SOURCE_DATE_EPOCH":
                        self._epoch = epoch_seconds(scope.get(key, ""), exit_code=1)
                except KezuriError as error:
                    self._errors.append(self._at(error, instruction.node.span))

    def _at(self, error: KezuriError, span: Span) -> KezuriError:
        first, *rest = error.diagnostics
        if first.source is None:
            first = first._replace(source=self._dockerfile.source, span=span)
        return KezuriError(first, *rest, exit_code=error.exit_code)

    def _fail(self, message: str, span: Span, hint: str = "") -> KezuriError:
        return KezuriError.of(message, hint=hint, source=self._dockerfile.source, span=span)

    # stages

    def _visit(self, index: int, span: Span | None) -> None:
        if index in self._done:
            return
        stage = self._stages[index]
        if index in self._open:
            circle = [*self._open[self._open.index(index) :], index]
            raise self._named.circular(circle, span or stage.start.node.span)
        self._open.append(index)
        try:
            self._done[index] = self._plan_stage(stage)
        finally:
            self._open.pop()

    def _plan_stage(self, stage: Stage) -> StagePlan:
        start = stage.start
        base, platform, title, inherited, replaced = self._base(stage)
        if isinstance(base, BaseImage):
            config = base.config._replace(created="", history=())
            if config.working_dir:
                # BuildKit joins it to itself, which only shows when it is relative.
                config = config._replace(working_dir=joined(config.working_dir, config.working_dir))
        elif inherited is not None:
            config = inherited.finished()._replace(on_build=())
        else:
            config = ImageConfig(platform, working_dir="/")
        triggers: tuple[str, ...] = ()
        if isinstance(base, BaseImage):
            triggers, config = base.config.on_build, config._replace(on_build=())
        elif inherited is not None:
            triggers = inherited.config.on_build
        evaluation = StageEvaluation(
            stage.number,
            config,
            self._dockerfile.source,
            self._dockerfile.escape,
            self._request.arguments,
            self._globals,
            self._request.network,
            platform,
            self._find,
            self._growth,
            inherited,
        )
        if not replaced:
            # A build context of the stage's own name stands for the whole stage, its instructions too.
            evaluation.run(self._triggered(triggers, start), triggers=True)
            evaluation.run(stage.instructions)
        self._errors += evaluation.errors
        self._evaluations[stage.number] = evaluation
        return StagePlan(
            number=stage.number,
            name=start.name or "",
            label=stage.label,
            base=base,
            base_title=title,
            node=start.node,
            platform=platform,
            operations=tuple(evaluation.operations),
            config=evaluation.finished(),
            history=tuple(evaluation.history),
            crossing=tuple(evaluation.crossing),
        )

    def _triggered(self, triggers: tuple[str, ...], start: From) -> tuple[Instruction, ...]:
        found = []
        for text in triggers:
            try:
                # The escape character of this file is not the one of the file in which the trigger was written.
                found.append(parse_trigger(text, self._dockerfile.source.name))
            except KezuriError as error:
                said = f"ONBUILD {text}: {error}"
                self._errors.append(self._fail(said, start.node.span, error.diagnostics[0].hint))
        return tuple(_moved(t, start.node.place) for t in found)

    def _base(self, stage: Stage) -> tuple[BaseImage | StageInput | None, Platform, str, StageEvaluation | None, bool]:
        start = stage.start
        platform = self._stage_platform(stage)
        if start.name and (replacing := self._replacing(start.name, platform)) is not None:
            image = self._context_image(replacing[1], platform, start.image_span)
            return image, platform, start.name, None, True
        name = self._base_name(stage)
        parent = self._named.earlier(stage, name)
        if parent is not None:
            self._visit(parent, start.image_span)
            return StageInput(parent), self._done[parent].platform, name, self._evaluations[parent], False
        if (context := find_context(self._request.contexts, name, platform)) is not None:
            return self._context_image(context[1], platform, start.image_span), platform, name, None, False
        if name == "scratch":
            # Nothing has no platform of its own, whatever --platform says: it is the target's, as in BuildKit.
            return None, self._platform, "scratch", None, False
        image = self._image(ImageSource("registry", name), platform, start.image_span)
        return image, platform, name, None, False

    def _stage_platform(self, stage: Stage) -> Platform:
        start = stage.start
        if not start.platform:
            return self._platform
        try:
            text = expand(start.platform, self._globals, self._dockerfile.escape)
            if not text:
                raise self._fail(f"empty platform value from expression {start.platform}", start.node.span)
            if text.lower() == "local":
                hint = "--platform=$BUILDPLATFORM is the platform of this machine"
                raise KezuriError.of(f"not a platform: {text!r}", hint=hint)
            return Platform.parse(text)
        except KezuriError as error:
            raise self._at(error, start.node.span) from error

    def _replacing(self, stage: str, platform: Platform) -> tuple[str, NamedContext] | None:
        """The named context that stands for a stage of its name. What `context` and `scratch` mean is settled."""
        return None if stage in ("context", "scratch") else find_context(self._request.contexts, stage, platform)

    def _base_name(self, stage: Stage) -> str:
        start = stage.start
        try:
            name = expand(start.image, self._globals, self._dockerfile.escape)
        except KezuriError as error:
            raise self._at(error, start.image_span) from error
        if not name:
            raise self._fail(
                f"base name ({start.image}) should not be blank",
                start.image_span,
                hint="an ARG before the first FROM gives the variable a default; `--build-arg` sets it",
            )
        return name

    def _context_image(self, context: NamedContext, platform: Platform, span: Span) -> BaseImage | None:
        if context.kind == "directory":
            raise self._fail(
                f"the build context {context.text} is a directory, and FROM needs an image",
                span,
                hint="use COPY --from with a directory, or give an oci-layout:// or docker-image:// context",
            )
        if context.kind == "registry" and context.text == "scratch":
            return None
        return self._image(ImageSource(context.kind, context.text), platform, span)

    def _image(self, source: ImageSource, platform: Platform, span: Span) -> BaseImage:
        known = self._images.get((source, platform))
        if isinstance(known, KezuriError):
            raise known
        if known is not None:
            return known
        try:
            image = self._resolve(source, platform)
        except KezuriError as error:
            first, *rest = error.diagnostics
            near = nearest(source.text, self._named.names)
            if near and source.kind == "registry" and "/" not in source.text and ":" not in source.text:
                hint = f"did you mean the stage `{near}`?"
                first = first._replace(hint=f"{hint}\n{first.hint}" if first.hint else hint)
            failed = self._at(KezuriError(first, *rest, exit_code=error.exit_code), span)
            if self._lenient and error.exit_code == 125:
                self._absent[source] = failed
                empty = BaseImage(source.text, "", ImageConfig(platform, working_dir="/"), (), source)
                self._images[(source, platform)] = empty
                return empty
            self._images[(source, platform)] = failed
            raise failed from error
        if not image.config.platform.architecture:
            # Images made without a builder may not say for which platform they are: what is built on one is for the
            # platform that the image was asked for, since the specification wants every image to say.
            image = image._replace(config=image.config._replace(platform=platform))
        self._images[(source, platform)] = image
        return image

    # inputs of COPY --from and RUN --mount=from=

    def _find(self, name: str, span: Span | None) -> Input:
        where = span or Span(0, 0)
        number = self._named.called(name, where)
        if number is not None:
            stage = self._stages[number]
            name = stage.start.name or ""
            if not name or (replacing := self._replacing(name, self._stage_platform(stage))) is None:
                self._refuse_later(stage, where)
                self._visit(number, where)
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
        return ImageInput(self._image(source, self._platform, where))

    def _refuse_later(self, stage: Stage, where: Span) -> None:
        current = self._stages[self._open[-1]]
        if stage.number > current.number:
            raise self._fail(
                f'cannot copy from stage "{stage.label}", it needs to be defined before current stage '
                f'"{current.label}"',
                where,
                hint="move the stage up in the Dockerfile",
            )

    def _check_names(self) -> bool:
        """Find what can be found without images, also in stages that nobody needs: names of bases that are none,
        indexes that do not exist, circles. Whether there are bases for all stages, and no circle."""
        sound = True
        needs: dict[int, list[tuple[int, Span]]] = {}
        for stage in self._stages:
            try:
                self._check_base(stage)
            except KezuriError as error:
                self._errors.append(error)
                sound = False
            edges = needs.setdefault(stage.number, [])
            for instruction in stage.instructions:
                for name, span in names_used(instruction):
                    if "$" in name:
                        continue
                    try:
                        found = self._named.called(name, span)
                        if found is None and name != "scratch":
                            Reference.parse(name)
                    except KezuriError as error:
                        self._errors.append(self._at(error, span))
                        continue
                    if found is not None:
                        edges.append((found, span))
        circle = self._named.circle(needs)
        if circle is not None:
            self._errors.append(circle)
        return sound and circle is None

    def _check_base(self, stage: Stage) -> None:
        """KezuriError when FROM names nothing that there could be. A base is an earlier stage: it cannot be in a
        circle that has no COPY or RUN in it."""
        name = self._base_name(stage)
        self._stage_platform(stage)
        if name == "scratch" or self._named.earlier(stage, name) is not None:
            return
        try:
            Reference.parse(name)
        except KezuriError as error:
            first = error.diagnostics[0]
            if self._named.earlier(stage, name.lower()) is not None:
                first = first._replace(hint=f"FROM takes names of stages in lower case: did you mean `{name.lower()}`?")
            failed = first._replace(source=self._dockerfile.source, span=stage.start.image_span)
            raise KezuriError(failed) from error


def _moved(trigger: Instruction, place: Place) -> Instruction:
    """A trigger has no place in this file: what goes wrong in it is shown at the FROM that fires it."""
    source, span = place
    trigger = trigger._replace(node=trigger.node._replace(source=source, span=span))
    if isinstance(trigger, Copy):
        return trigger._replace(source_spans=tuple(span for _ in trigger.source_spans), from_span=span)
    if isinstance(trigger, Run):
        return trigger._replace(mounts=tuple(m._replace(span=span) for m in trigger.mounts))
    return trigger
