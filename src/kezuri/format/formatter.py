"""A Dockerfile in one style: casing, blanks, line breaks, blank lines; whatever could change a build is left alone."""

import re
from typing import NamedTuple

from kezuri.dockerfile.instructions import From, Instruction
from kezuri.dockerfile.lines import SPACE, continued
from kezuri.dockerfile.parser import Dockerfile, parse
from kezuri.format.equality import TOP, differences
from kezuri.format.layout import lay_out
from kezuri.format.rows import read_head
from kezuri.format.tokens import tokens_of

_PRAGMA = re.compile(r"#\s*(?:check|escape|syntax)\s*=", re.IGNORECASE)


class Formatted(NamedTuple):
    """The new text. `kept` are the numbers of instructions that had to stay as they are, since in the style of the
    others they would have been read as something else."""

    text: str
    kept: tuple[int, ...]


def formatted(dockerfile: Dockerfile) -> Formatted:
    """The file, which has no errors (`verify` it before), in the style. What comes out is read again, and what is
    not what it was is written as it stood."""
    keep: set[int] = set()
    for _ in range(3):
        text = _written(dockerfile, keep)
        different = differences(dockerfile, parse(text, dockerfile.source.name))
        if not different:
            return Formatted(text, tuple(sorted(keep - {TOP})))
        if different <= keep:
            break
        keep |= different
    everything = (instruction.node.number for instruction in dockerfile.instructions)
    return Formatted(dockerfile.source.text, tuple(everything))


def _written(dockerfile: Dockerfile, keep: set[int]) -> str:
    source = dockerfile.source.text
    mark = "\ufeff" if source.startswith("\ufeff") else ""
    newline = "\r\n" if source.count("\r\n") * 2 > source.count("\n") else "\n"
    lines: list[str] = []
    at, staged, filled = len(mark), False, False
    for instruction in dockerfile.instructions:
        span = instruction.node.span
        opens = isinstance(instruction, From)
        gap = source[at : span.start]
        if not lines and TOP in keep:
            lines += (line.rstrip("\r") for line in gap.split("\n")[:-1])
        else:
            lines += _between(gap, first=not lines, opens=opens and filled)
        # Of stages that are nothing but their FROM some are a list, and their author says so.
        staged = staged or opens
        filled = staged and not opens
        if instruction.node.number in keep:
            start = source.rfind("\n", 0, span.start) + 1
            indentation = source[max(start, at) : span.start]
            lines.append(("" if indentation.strip(SPACE) else indentation) + source[span.start : span.end])
        else:
            lines.append(_instruction(instruction, source, dockerfile.escape, newline))
        at = span.end
    lines += _between(source[at:], first=False, opens=False, last=True)
    return mark + newline.join(lines) + newline


def _instruction(instruction: Instruction, source: str, escape: str, newline: str) -> str:
    span = instruction.node.span
    head = read_head(source, span.start, escape)
    lines = lay_out(head, tokens_of(instruction, head, escape), escape)
    if continued(lines[-1], escape)[1]:
        return source[span.start : span.end]  # a blank of another kind stood behind the mark
    return newline.join(lines) + source[head.end : span.end]


def _between(gap: str, first: bool, opens: bool, last: bool = False) -> list[str]:
    """The lines between two instructions: comments without their indentation, never two blank lines, none at either end
    of the file, and one above what opens another stage than one that is nothing but its FROM."""
    found = gap.split("\n")
    if not first:
        del found[0]  # what is left of the line before
    if not last and found:
        del found[-1]  # the indentation of the next instruction
    lines: list[str] = []
    for raw in found:
        line = raw.strip(SPACE)
        if first and not lines and _PRAGMA.match(line) and raw is not found[0]:
            lines.append("")  # else it would be a directive
        if line or (lines and lines[-1]) or (not lines and not first):
            lines.append(raw.rstrip(SPACE) if _PRAGMA.match(line) or not line.startswith("#") else line)
    while last and lines and not lines[-1]:
        del lines[-1]
    if opens and "" not in lines:
        lines.insert(0, "")
    return lines
