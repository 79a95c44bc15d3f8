"""Whether two Dockerfiles say the same: their instructions, directives and comments, one by one."""

from collections import Counter
from typing import Any

from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import From, Instruction, Node
from kezuri.dockerfile.lines import SPACE
from kezuri.dockerfile.parser import Dockerfile

TOP = -1
"""Stands for what is above the first instruction."""


def differences(one: Dockerfile, other: Dockerfile) -> set[int]:
    """The numbers of the instructions of `one` that mean something else in `other`, `TOP` where the directives do. All
    of them where it cannot be told which."""
    everything = {TOP, *(instruction.node.number for instruction in one.instructions)}
    if other.errors or len(one.instructions) != len(other.instructions):
        return everything
    different = {a.node.number for a, b in zip(one.instructions, other.instructions) if essence(a) != essence(b)}
    if _directives(one) != _directives(other):
        different.add(TOP)
    return different if different or remarks(one) == remarks(other) else everything


def essence(instruction: Instruction) -> Any:
    """What an instruction says, without where it stands and how its words are cased."""
    if isinstance(instruction, From):
        instruction = instruction._replace(as_keyword=instruction.as_keyword.upper())
    return _plain(instruction)


def remarks(dockerfile: Dockerfile) -> Counter[str]:
    """The comments of the file, those within instructions too, without the blanks around them."""
    source = dockerfile.source.text
    bodies = sorted(
        heredoc.body_span for instruction in dockerfile.instructions for heredoc in getattr(instruction, "heredocs", ())
    )
    found: list[str] = []
    at = body = 0
    for line in source.split("\n"):
        while body < len(bodies) and bodies[body].end <= at:
            body += 1
        inside = body < len(bodies) and bodies[body].start <= at
        bare = line.strip(SPACE)
        if bare.startswith("#") and not inside:
            found.append(bare)
        at += len(line) + 1
    return Counter(found)


def _plain(value: Any) -> Any:
    if isinstance(value, Node):
        # An indented comment is read with its mark: only where it is a `check=` does that make a difference.
        return value.keyword, [line for line in value.comment if line.lstrip("# \t").lower().startswith("check")]
    if isinstance(value, Span):
        return None
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    return value


def _directives(dockerfile: Dockerfile) -> list[tuple[str, str]]:
    return [(directive.name, directive.value) for directive in dockerfile.directives]
