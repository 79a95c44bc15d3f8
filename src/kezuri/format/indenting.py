"""The lines of a command indented as one: only where the shell reads the same before and after."""

from kezuri.dockerfile.instructions import Instruction, Run, Shell
from kezuri.dockerfile.lines import SPACE
from kezuri.dockerfile.parser import Dockerfile
from kezuri.format.layout import INDENTATION, lay_out
from kezuri.format.rows import Head, Row, read_head
from kezuri.format.tokens import Token, tokens_of
from kezuri.shell.shape import shape

_TAB = 4
_SHELLS = ("sh", "bash", "ash", "dash", "ksh", "zsh")


def reindented(dockerfile: Dockerfile) -> tuple[str, frozenset[int]]:
    """The text with the lines of commands moved, those of one command by the same, so that the outermost are indented
    by four blanks; and the numbers of the RUNs that were. A command that would be another one stays, as do all in a
    file that names a shell whose language is not known here."""
    source = dockerfile.source.text
    if dockerfile.escape != "\\" or any(map(_foreign, dockerfile.instructions)):
        return source, frozenset()
    newline = "\r\n" if source.count("\r\n") * 2 > source.count("\n") else "\n"
    parts: list[str] = []
    numbers: set[int] = set()
    at = 0
    for instruction in dockerfile.instructions:
        if not isinstance(instruction, Run) or instruction.heredocs or not instruction.command.shell:
            continue
        span = instruction.node.span
        head = read_head(source, span.start, dockerfile.escape)
        tokens = tokens_of(instruction, head, dockerfile.escape)
        moved = _moved(head, tokens)
        if moved is not None:
            parts += (source[at : span.start], newline.join(lay_out(*moved, dockerfile.escape)))
            at = span.end
            numbers.add(instruction.node.number)
    return "".join((*parts, source[at:])), frozenset(numbers)


def _foreign(instruction: Instruction) -> bool:
    return isinstance(instruction, Shell) and instruction.argv[0].rsplit("/", 1)[-1] not in _SHELLS


def _moved(head: Head, tokens: list[Token]) -> tuple[Head, list[Token]] | None:
    """The head and its tokens with the lines moved; None where nothing is to be moved, or may be."""
    body = next((token for token in tokens if token.body), None)
    if body is None:
        return None
    rows = _shifted(head.rows, head.row(body.start) + 1)
    before, after = ("".join(row.text for row in of)[body.start :].rstrip(SPACE) for of in (head.rows, rows))
    seen = shape(before)
    if before == after or seen is None or seen != shape(after):
        return None
    placed, at = [], 0
    for row in rows:
        placed.append(row._replace(at=at))
        at += len(row.text)
    end = body.start + len(after)
    return (
        head._replace(rows=tuple(placed), starts=tuple(row.at for row in placed)),
        [token._replace(end=end) if token is body else token for token in tokens],
    )


def _shifted(rows: tuple[Row, ...], first: int) -> tuple[Row, ...]:
    """Lines that may begin within a word stay: there a blank more would make two of it."""
    free = [
        number
        for number in range(first, len(rows))
        if rows[number].text.strip(SPACE) and (rows[number].indentation or rows[number - 1].text[-1:] in (" ", "\t"))
    ]
    widths = {number: len(rows[number].indentation.expandtabs(_TAB)) for number in free}
    least = min(widths.values(), default=0)
    shifted = list(rows)
    for number in free:
        blanks = INDENTATION + " " * (widths[number] - least)
        shifted[number] = rows[number]._replace(text=blanks + rows[number].text.lstrip(" \t"))
    return tuple(shifted)
