"""A Dockerfile as it is written, whether it can be built or not: its parts from FROM to FROM, its triggers opened."""

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import From, Instruction, Onbuild
from kezuri.dockerfile.parser import Dockerfile, parse

Kind = TypeVar("Kind", bound=Instruction)


class Piece(NamedTuple):
    """An instruction; `trigger` says that it stands behind ONBUILD. Spans are spans of the file all the same, and the
    node has the number of the whole instruction."""

    instruction: Instruction
    trigger: bool


class Part(NamedTuple):
    """What stands from one FROM to the next. `start` is None for what stands before the first FROM: ARGs, and
    instructions that have no place there. `number` is the stage's, -1 for that."""

    number: int
    start: From | None
    pieces: tuple[Piece, ...]

    def own(self, kind: type[Kind]) -> Iterator[Kind]:
        """The instructions of that kind, those left out that stand behind ONBUILD."""
        for instruction, trigger in self.pieces:
            if isinstance(instruction, kind) and not trigger:
                yield instruction


def parts(dockerfile: Dockerfile) -> tuple[Part, ...]:
    """The parts of the file in its order; the one before the first FROM is there if there is anything in it."""
    pieces = [Piece(i, False) for i in (*dockerfile.strays, *dockerfile.instructions) if not isinstance(i, Onbuild)]
    pieces += [Piece(i, True) for i in _triggers(dockerfile)]
    pieces.sort(key=lambda piece: piece.instruction.node.number)
    found: list[Part] = []
    start: From | None = None
    body: list[Piece] = []
    for piece in pieces:
        if isinstance(piece.instruction, From) and not piece.trigger:
            if start is not None or body:
                found.append(_part(found, start, body))
            start, body = piece.instruction, []
        else:
            body.append(piece)
    if start is not None or body:
        found.append(_part(found, start, body))
    return tuple(found)


def _part(before: list[Part], start: From | None, body: list[Piece]) -> Part:
    number = -1 if start is None else before[-1].number + 1 if before else 0
    return Part(number, start, tuple(body))


def _triggers(dockerfile: Dockerfile) -> tuple[Instruction, ...]:
    """What stands behind each ONBUILD, forbidden there or not: the file is read again with blanks in place of that
    word, so that every place stays where it is."""
    text = dockerfile.source.text
    if "onbuild" not in text.lower():
        return ()
    words: list[Span] = []
    at = 0
    for instruction in sorted((*dockerfile.strays, *dockerfile.instructions), key=lambda i: i.node.number):
        node = instruction.node
        words += _refused(text, at, node.span.start)
        at = node.span.end
        if isinstance(instruction, Onbuild):
            words.append(node.keyword_span)
    words += _refused(text, at, len(text))
    starts = {_after(text, word.end): word for word in words if "\n" not in text[word.start : word.end]}
    pieces, at = list[str](), 0
    for start, word in starts.items():
        if text[start : start + 1] not in ("", "#", "\n"):
            pieces += (text[at : word.start], " " * (word.end - word.start))
            at = word.end
    again = parse("".join((*pieces, text[at:])), dockerfile.source.name)
    return tuple(i for i in (*again.strays, *again.instructions) if i.node.keyword_span.start in starts)


def _refused(text: str, start: int, end: int) -> list[Span]:
    """The ONBUILDs between two instructions: what stands behind them is no trigger."""
    import re

    return [Span(*m.span(1)) for m in re.compile(r"(?mi)^[ \t]*(onbuild)[ \t]").finditer(text, start, end)]


def _after(text: str, at: int) -> int:
    """Where the word after that place begins, past the end of a continued line too."""
    import re

    found = re.compile(r"(?:[ \t\v\f\r]|[\\`][ \t\r]*\n)*").match(text, at)
    return at if found is None else found.end()
