"""The outline of a Dockerfile: its stages, and what stands in each."""

from typing import Literal, NamedTuple

from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Arg, Copy, Entrypoint, Env, From, Instruction, Run, Workdir
from kezuri.dockerfile.parser import Dockerfile
from kezuri.plan.stages import split_stages

_LONGEST = 60


class Symbol(NamedTuple):
    """Something with a name: `span` is all of it, `name_span` what is shown when it is chosen."""

    name: str
    detail: str
    kind: Literal["stage", "variable", "step", "setting"]
    span: Span
    name_span: Span
    inner: tuple["Symbol", ...] = ()


def symbols(dockerfile: Dockerfile) -> tuple[Symbol, ...]:
    """The ARGs before the first FROM, and the stages."""
    head, stages = split_stages(dockerfile)
    found = [_instruction(instruction) for instruction in head]
    for stage in stages:
        start = stage.start
        last = stage.instructions[-1] if stage.instructions else start
        name = name_span(start)
        span = Span(start.node.span.start, last.node.span.end)
        inner = tuple(map(_instruction, stage.instructions))
        found.append(Symbol(start.written_name or start.image, f"FROM {start.image}", "stage", span, name, inner))
    return tuple(found)


def name_span(start: From) -> Span:
    """Where a stage is given its name; its image where it has none."""
    if start.written_name is None:
        return start.image_span
    at = start.node.source.text.rfind(start.written_name, start.image_span.end, start.node.span.end)
    return Span(at, at + len(start.written_name)) if at >= 0 else start.node.keyword_span


def _instruction(instruction: Instruction) -> Symbol:
    node = instruction.node
    words = node.original.split()
    title = " ".join(words[1:]) or node.keyword
    kind: Literal["variable", "step", "setting"] = "setting"
    if isinstance(instruction, Arg | Env):
        kind, title = "variable", ", ".join(name for name, _ in instruction.pairs)
    elif isinstance(instruction, Run | Copy | Workdir):
        kind = "step"
    elif isinstance(instruction, Entrypoint):
        kind = "setting"
    short = title if len(title) <= _LONGEST else f"{title[: _LONGEST - 1]}…"
    return Symbol(f"{node.keyword} {short}" if title != node.keyword else title, "", kind, node.span, node.keyword_span)
