"""Where what stands under a cursor is defined: stages by name or number, and variables."""

import re
from collections.abc import Iterable, Iterator

from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Arg, Copy, Env, From, Instruction, Run
from kezuri.dockerfile.parser import Dockerfile
from kezuri.editor.symbols import name_span
from kezuri.plan.stages import WrittenStage, split_stages

_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def definition(dockerfile: Dockerfile, offset: int) -> Span | None:
    """The place of the name that gives a meaning to what stands at the offset; None where there is none."""
    instruction = instruction_at(dockerfile, offset)
    if instruction is None:
        return None
    head, stages = split_stages(dockerfile)
    text = dockerfile.source.text
    name = variable_at(text, offset)
    if name is not None:
        return next(_declared(name, _before(instruction, head, stages)), None)
    if isinstance(instruction, Arg) and instruction not in head:
        # `ARG NAME` within a stage stands for the one before the first FROM.
        word = _word(text, offset)
        if any(own == word and value is None for own, value in instruction.pairs):
            return next(_declared(word, head[::-1]), None)
    wanted = _stage_named(instruction, offset)
    return None if wanted is None else _stage(wanted, instruction, stages)


def instruction_at(dockerfile: Dockerfile, offset: int) -> Instruction | None:
    """The instruction in which an offset lies."""
    return next((i for i in dockerfile.instructions if i.node.span.start <= offset <= i.node.span.end), None)


def variable_at(text: str, offset: int) -> str | None:
    """The variable whose use (`$NAME`, `${NAME…`) is at an offset."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    for found in _VARIABLE.finditer(text, start, len(text) if end < 0 else end):
        if found.start() <= offset <= found.end():
            return found.group(1)
    return None


def _word(text: str, offset: int) -> str:
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    for found in _NAME.finditer(text, start, len(text) if end < 0 else end):
        if found.start() <= offset <= found.end():
            return found.group()
    return ""


def _stage_named(instruction: Instruction, offset: int) -> str | None:
    """What names a stage, or an image, at the offset."""
    if isinstance(instruction, From) and _in(instruction.image_span, offset):
        return instruction.image
    if isinstance(instruction, Copy) and instruction.from_span is not None and _in(instruction.from_span, offset):
        return instruction.source_image
    if isinstance(instruction, Run):
        for mount in instruction.mounts:
            if _in(mount.span, offset):
                return dict(mount.options).get("from")
    return None


def _stage(wanted: str, instruction: Instruction, stages: tuple[WrittenStage, ...]) -> Span | None:
    """The stage before the instruction with this name or, but for FROM, this number."""
    before = [stage for stage in stages if stage.start.node.number < instruction.node.number]
    named = [stage for stage in before if stage.start.name == wanted.lower()]
    if not named and wanted.isdecimal() and not isinstance(instruction, From):
        named = [stage for stage in before if str(stage.number) == wanted]
    return name_span(named[-1].start) if named else None


def _before(
    instruction: Instruction, head: tuple[Instruction, ...], stages: tuple[WrittenStage, ...]
) -> Iterator[Instruction]:
    """The instructions that can give a variable its value, the nearest first."""
    number = instruction.node.number
    seen: set[int] = set()
    stage = next((s for s in reversed(stages) if s.start.node.number < number), None)
    if isinstance(instruction, From):
        stage = None
    while stage is not None and stage.number not in seen:
        seen.add(stage.number)
        yield from (i for i in reversed(stage.instructions) if i.node.number < number)
        base = stage.start.image.lower()
        stage = next((s for s in stages[: stage.number] if s.start.name == base), None)
    yield from reversed(head)


def _declared(name: str, instructions: Iterable[Instruction]) -> Iterator[Span]:
    for instruction in instructions:
        if isinstance(instruction, Arg | Env) and any(own == name for own, _ in instruction.pairs):
            node = instruction.node
            place = re.compile(rf"(?<![\w$]){re.escape(name)}(?!\w)")
            found = place.search(node.source.text, node.keyword_span.end, node.span.end)
            yield Span(*found.span()) if found is not None else node.keyword_span


def _in(span: Span, offset: int) -> bool:
    return span.start <= offset <= span.end
