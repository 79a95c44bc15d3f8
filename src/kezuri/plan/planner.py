"""From a Dockerfile to a plan: stages, what they stand on, and only those that the target needs."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from kezuri.diagnostics import Diagnostic, KezuriError, Span, nearest
from kezuri.dockerfile.expansion import expand
from kezuri.dockerfile.instructions import Arg, Copy, From, Instruction, Run
from kezuri.dockerfile.parser import Dockerfile, parse_trigger
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.evaluate import StageEvaluation
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
from kezuri.plan.variables import platform_arguments

ImageResolver = Callable[[ImageSource, Platform], BaseImage]
"""Finds an image for a platform; KezuriError when it cannot be had. The planner asks once for each."""


class NamedContext(NamedTuple):
    """A `--build-context`: a `directory`, or an image from a `registry` or `layout`; `text` says which."""

    kind: str
    text: str


class PlanRequest(NamedTuple):
    """What shapes a plan beside the Dockerfile. `contexts` is keyed by names as `context_name` folds them."""

    target: str = ""
    arguments: Mapping[str, str] = {}
    contexts: Mapping[str, NamedContext] = {}
    platform: Platform | None = None
    build_platform: Platform | None = None
    network: str = ""


class Stage(NamedTuple):
    """The instructions from one FROM to the next."""

    number: int
    start: From
    instructions: tuple[Instruction, ...]

    @property
    def label(self) -> str:
        """What progress and errors call the stage."""
        return self.start.name or f"stage-{self.number}"


def context_name(name: str) -> str:
    """The one form in which names of contexts are compared: `node` and `docker.io/library/node:latest` are the same."""
    try:
        folded = Reference.parse(name.lower() if "/" not in name and ":" not in name else name)
        return folded.familiar.removesuffix(":latest")
    except KezuriError:
        return name.lower()


def split_stages(dockerfile: Dockerfile) -> tuple[tuple[Instruction, ...], tuple[Stage, ...]]:
    """The global ARGs before the first FROM, and the stages."""
    head: list[Instruction] = []
    stages: list[Stage] = []
    start: From | None = None
    body: list[Instruction] = []
    for instruction in dockerfile.instructions:
        if isinstance(instruction, From):
            if start is not None:
                stages.append(Stage(len(stages), start, tuple(body)))
            start, body = instruction, []
        elif start is None:
            head.append(instruction)
        else:
            body.append(instruction)
    if start is not None:
        stages.append(Stage(len(stages), start, tuple(body)))
    return tuple(head), tuple(stages)


class Planner:
    """Plans one build of one Dockerfile."""

    def __init__(self, dockerfile: Dockerfile, request: PlanRequest, resolve: ImageResolver) -> None:
        self._dockerfile = dockerfile
        self._request = request
        self._resolve = resolve
        self._build_platform = request.build_platform or Platform.host()
        self._platform = request.platform or self._build_platform
        self._head, self._stages = split_stages(dockerfile)
        self._done: dict[int, StagePlan] = {}
        self._evaluations: dict[int, StageEvaluation] = {}
        self._open: list[int] = []
        self._images: dict[tuple[ImageSource, Platform], BaseImage | KezuriError] = {}
        self._contexts_used: dict[str, None] = {}
        self._errors: list[KezuriError] = []
        self._globals: dict[str, str] = {}

    def plan(self) -> Plan:
        """The plan; KezuriError with every diagnostic that could be found in one go."""
        errors = [d for d in self._dockerfile.diagnostics if d.severity == "error"]
        if not self._stages:
            raise KezuriError(*(errors or [Diagnostic("error", "no build stage in the Dockerfile")]))
        target = self._target()
        self._evaluate_globals(target)
        if errors:
            # Names can be checked without asking for images; one run shall report all that is wrong.
            self._check_names()
            found = [*errors, *(d for e in self._errors for d in e.diagnostics)]
            raise KezuriError(*sorted(found, key=lambda d: d.span.start if d.span else 0))
        self._visit(target, None)
        self._raise_errors()
        order = tuple(self._done.values())
        return Plan(order, target, tuple(self._contexts_used))

    def _raise_errors(self) -> None:
        if self._errors:
            unique = dict.fromkeys(d for e in self._errors for d in e.diagnostics)
            code = max(e.exit_code for e in self._errors)
            raise KezuriError(*unique, exit_code=code)

    def _target(self) -> int:
        if not self._request.target:
            return len(self._stages) - 1
        wanted = self._request.target.lower()
        for stage in reversed(self._stages):
            if stage.start.name == wanted:
                return stage.number
        if wanted.isdigit() and int(wanted) < len(self._stages):
            return int(wanted)
        names = [s.start.name for s in self._stages if s.start.name]
        near = nearest(wanted, names)
        raise KezuriError.of(
            f"target stage {self._request.target!r} could not be found",
            hint=f"did you mean `{near}`?" if near else f"the stages are: {', '.join(names) or 'all unnamed'}",
            source=self._dockerfile.source,
        )

    def _evaluate_globals(self, target: int) -> None:
        name = self._stages[target].start.name or "default"
        scope = platform_arguments(self._platform, self._build_platform, name)
        scope |= {k: v for k, v in self._request.arguments.items() if k in scope}
        self._globals = scope
        for instruction in self._head:
            if not isinstance(instruction, Arg):
                continue
            for key, default in instruction.pairs:
                try:
                    if key in self._request.arguments:
                        scope[key] = self._request.arguments[key]
                    elif default is not None:
                        scope[key] = expand(default, scope, self._dockerfile.escape)
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
            circle = [self._stages[i].label for i in [*self._open[self._open.index(index) :], index]]
            raise self._fail(
                f"circular dependency detected on stage: {stage.label}",
                span or stage.start.node.span,
                hint=f"the circle is {' -> '.join(circle)}",
            )
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
            if self._request.platform is not None or start.platform is not None:
                config = config._replace(platform=platform)
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
            self._find,
            inherited,
        )
        if not replaced:
            # A build context of the stage's own name stands for the whole stage, its instructions too.
            evaluation.run(self._triggered(triggers, start))
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
        )

    def _triggered(self, triggers: tuple[str, ...], start: From) -> tuple[Instruction, ...]:
        found = []
        for text in triggers:
            try:
                found.append(parse_trigger(text, self._dockerfile.source.name, self._dockerfile.escape))
            except KezuriError as error:
                said = f"ONBUILD {text}: {error}"
                self._errors.append(self._fail(said, start.node.span, error.diagnostics[0].hint))
        return tuple(_moved(t, start.node.span) for t in found)

    def _base(self, stage: Stage) -> tuple[BaseImage | StageInput | None, Platform, str, StageEvaluation | None, bool]:
        start = stage.start
        platform = self._platform
        if start.platform is not None:
            text = expand(start.platform, self._globals, self._dockerfile.escape)
            if not text:
                raise self._fail(f"empty platform value from expression {start.platform}", start.node.span)
            try:
                platform = Platform.parse(text)
            except KezuriError as error:
                raise self._at(error, start.node.span) from error
        if start.name and (replacing := self._request.contexts.get(context_name(start.name))) is not None:
            image = self._context_image(replacing, platform, start.image_span)
            return image, platform, start.name, None, True
        name = self._base_name(stage)
        if (context := self._request.contexts.get(context_name(name))) is not None:
            return self._context_image(context, platform, start.image_span), platform, name, None, False
        if name == "scratch":
            return None, platform, "scratch", None, False
        earlier = [s for s in self._stages[: stage.number] if s.start.name == name.lower()]
        if earlier:
            parent = earlier[-1].number
            self._visit(parent, start.image_span)
            return StageInput(parent), self._done[parent].platform, name, self._evaluations[parent], False
        image = self._image(ImageSource("registry", name), platform, start.image_span)
        return image, platform, name, None, False

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
            near = nearest(source.text, [s.start.name for s in self._stages if s.start.name])
            if near and source.kind == "registry" and "/" not in source.text and ":" not in source.text:
                hint = f"did you mean the stage `{near}`?"
                first = first._replace(hint=f"{hint}\n{first.hint}" if first.hint else hint)
            failed = self._at(KezuriError(first, *rest, exit_code=error.exit_code), span)
            self._images[(source, platform)] = failed
            raise failed from error
        self._images[(source, platform)] = image
        return image

    # inputs of COPY --from and RUN --mount=from=

    def _find(self, name: str, span: Span | None) -> Input:
        where = span or Span(0, 0)
        found = self._find_stage(name, where)
        if isinstance(found, int):
            self._visit(found, where)
            return StageInput(found)
        if found is not None:
            return found
        if name == "scratch":
            raise self._fail("scratch has no files to copy from", where)
        return ImageInput(self._image(ImageSource("registry", name), self._platform, where))

    def _find_stage(self, name: str, where: Span) -> Input | int | None:
        context = self._request.contexts.get(context_name(name))
        if context is not None:
            if context.kind == "directory":
                self._contexts_used[context_name(name)] = None
                return ContextInput(context_name(name))
            return ImageInput(self._image(ImageSource(context.kind, context.text), self._platform, where))
        for stage in reversed(self._stages):
            if stage.start.name == name.lower():
                return stage.number
        if name.isascii() and name.isdigit():
            if int(name) < len(self._stages):
                return int(name)
            raise self._fail(
                f"invalid from flag value {name}: stage index {name} does not exist",
                where,
                hint=f"the last stage is {len(self._stages) - 1}; they are counted from 0",
            )
        return None

    def _check_names(self) -> None:
        """Find what can be found without images: indexes that do not exist, variables in --from, circles."""
        needs: dict[int, list[tuple[int, Span]]] = {}
        for stage in self._stages:
            edges = needs.setdefault(stage.number, [])
            for instruction in stage.instructions:
                for name, span in _names_used(instruction):
                    if "$" in name:
                        continue
                    try:
                        found = self._find_stage(name, span)
                    except KezuriError as error:
                        self._errors.append(error)
                        continue
                    if isinstance(found, int):
                        edges.append((found, span))
            earlier = [s for s in self._stages[: stage.number] if s.start.name == stage.start.image.lower()]
            edges += [(s.number, stage.start.image_span) for s in earlier[-1:]]
        self._check_circles(needs)

    def _check_circles(self, needs: Mapping[int, list[tuple[int, Span]]]) -> None:
        state: dict[int, int] = {}

        def visit(index: int, path: list[int]) -> bool:
            state[index] = 1
            for other, span in needs.get(index, ()):
                if state.get(other) == 1:
                    circle = [self._stages[i].label for i in [*path[path.index(other) :], other]]
                    self._errors.append(
                        self._fail(
                            f"circular dependency detected on stage: {self._stages[other].label}",
                            span,
                            hint=f"the circle is {' -> '.join(circle)}",
                        )
                    )
                    return True
                if other not in state and visit(other, [*path, other]):
                    return True
            state[index] = 2
            return False

        for stage in self._stages:
            if stage.number not in state and visit(stage.number, [stage.number]):
                return


def _moved(trigger: Instruction, span: Span) -> Instruction:
    """A trigger has no place in this file: what goes wrong in it is shown at the FROM that fires it."""
    trigger = trigger._replace(node=trigger.node._replace(span=span))
    if isinstance(trigger, Copy):
        return trigger._replace(source_spans=tuple(span for _ in trigger.source_spans), from_span=span)
    if isinstance(trigger, Run):
        return trigger._replace(mounts=tuple(m._replace(span=span) for m in trigger.mounts))
    return trigger


def _names_used(instruction: Instruction) -> list[tuple[str, Span]]:
    if isinstance(instruction, Copy) and instruction.source_image is not None:
        return [(instruction.source_image, instruction.from_span or instruction.node.span)]
    if isinstance(instruction, Run):
        return [(v, m.span) for m in instruction.mounts for k, v in m.options if k == "from"]
    return []
