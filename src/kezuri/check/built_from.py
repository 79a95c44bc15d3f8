"""What a Dockerfile says of the image that a service is built from: its base, its directory, what steps mention."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from kezuri.dockerfile.instructions import Arg, Instruction, Run, Workdir
from kezuri.dockerfile.parser import parse
from kezuri.plan.stages import WrittenStage, split_stages

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")


class BuiltFrom(NamedTuple):
    """A stage of a Dockerfile with those that it stands on, its own first; `base` is the image below them."""

    base: str
    stages: tuple[WrittenStage, ...]

    @property
    def instructions(self) -> Iterator[Instruction]:
        """The instructions that make the image, those of the lowest stage first."""
        for stage in reversed(self.stages):
            yield from stage.instructions

    def mentions(self, word: str) -> bool:
        """Whether an instruction says the word: it may bring the program of that name."""
        form = re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])")
        return any(form.search(instruction.node.original) for instruction in self.instructions)

    @property
    def runs(self) -> Iterator[tuple[str, Run]]:
        """Its RUNs, each with the directory that it runs in, as far as WORKDIR says it."""
        at = "/"
        for instruction in self.instructions:
            if isinstance(instruction, Workdir):
                at = instruction.path if instruction.path.startswith("/") else f"{at.rstrip('/')}/{instruction.path}"
            elif isinstance(instruction, Run):
                yield at.rstrip("/") or "/", instruction


def built_from(text: str, target: str = "") -> BuiltFrom | None:
    """The stage of a Dockerfile that a target names, or the last; None where there is none."""
    head, stages = split_stages(parse(text, "Dockerfile"))
    if not stages:
        return None
    known = {name: value for one in head if isinstance(one, Arg) for name, value in one.pairs if value is not None}
    at = next((s for s in stages if s.start.name == target.lower()), None) if target else stages[-1]
    chain: list[WrittenStage] = []
    while at is not None:
        chain.append(at)
        image = _expanded(at.start.image, known)
        earlier = [s for s in stages[: at.number] if s.start.name == image.lower()]
        if not earlier:
            return BuiltFrom(image, tuple(chain))
        at = earlier[-1]
    return None


def _expanded(text: str, known: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda m: known.get(m[1] or m[2]) or m[3] or m[0], text)
