"""What of an instruction may be moved: its words one by one, and the texts that stay as they are."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from kezuri.dockerfile.instructions import (
    Arg,
    Cmd,
    Command,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Instruction,
    Label,
    Onbuild,
    Run,
    Shell,
    Volume,
)
from kezuri.dockerfile.lines import BLANK, SPACE
from kezuri.dockerfile.statement import Statement, read_statement
from kezuri.dockerfile.words import Word, split_blanks, split_quoted
from kezuri.format.rows import Head

_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\],]')


class Token(NamedTuple):
    """A range of the logical line that is written in one piece: as it stands, or as `text`. `glued`: no blank before
    it. `breaks`: it begins a row. `body`: what a shell or an image gets byte for byte, its own line breaks included.
    `array`: a part of a JSON array."""

    start: int
    end: int
    text: str = ""
    glued: bool = False
    breaks: bool = False
    body: bool = False
    array: bool = False


def tokens_of(instruction: Instruction, head: Head, escape: str) -> list[Token]:
    """The tokens of the instruction; what lies between them is blanks and line breaks that mean nothing."""
    statement = read_statement(head.line, 0, escape)
    start = statement.start
    tokens = [Token(start, start + len(statement.written), statement.keyword)]
    if isinstance(instruction, Onbuild):
        # The trigger is kept in the image as it is written, its last blanks included.
        return [*tokens, Token(statement.at, len(head.line.text), body=True)]
    tokens += (Token(flag.start, flag.end) for flag in statement.flags)
    tokens += _lone_dashes(head.line.text, tokens[-1].end, statement.at)
    if statement.args:
        tokens += _arguments(instruction, statement, escape)
    return tokens


def _lone_dashes(text: str, start: int, end: int) -> Iterator[Token]:
    """The `--` that ends the flags, where there is one."""
    found = text[start:end].strip(SPACE)
    if found:
        at = text.index(found, start)
        yield Token(at, at + len(found))


def _arguments(instruction: Instruction, statement: Statement, escape: str) -> list[Token]:
    args, at = statement.args, statement.at
    match instruction:
        case From():
            words = split_blanks(args, at)
            return [Token(w.start, w.end, "AS" if i == 1 else "") for i, w in enumerate(words)]
        case Run() | Cmd() | Entrypoint():
            return _command(instruction.command, args, at)
        case Shell():
            return _json(args, at)
        case Healthcheck():
            size = next((i for i, char in enumerate(args) if char in BLANK), len(args))
            rest = args[size:].lstrip(BLANK)
            kind = Token(at, at + size, args[:size].upper())
            if not rest:
                return [kind]
            return [kind, *_command(instruction.command, rest, at + len(args) - len(rest))]
        case Copy():
            if instruction.json:
                return _json(args, at)
            return _body(args, at) if instruction.heredocs else _plain(split_blanks(args, at))
        case Volume():
            return _json(args, at) if args.startswith("[") and _is_json(args) else _plain(split_blanks(args, at))
        case Expose():
            return _plain(split_blanks(args, at))
        case Arg():
            return _plain(split_quoted(args, at, escape))
        case Env() | Label():
            if instruction.legacy:
                return _body(args, at)
            return [
                Token(word.start, word.end, breaks=place > 0)
                for place, word in enumerate(split_quoted(args, at, escape))
            ]
        case _:
            return _body(args, at)


def _command(command: Command | None, args: str, at: int) -> list[Token]:
    return _json(args, at) if command is not None and not command.shell else _body(args, at)


def _body(args: str, at: int) -> list[Token]:
    return [Token(at, at + len(args), body=True)]


def _plain(words: list[Word]) -> list[Token]:
    return [Token(word.start, word.end) for word in words]


def _is_json(args: str) -> bool:
    from kezuri.dockerfile.words import NotStrings, json_words

    try:
        return json_words(args) is not None
    except NotStrings:
        return False


def _json(args: str, at: int) -> list[Token]:
    """The signs and strings of an array: `["a", "b"]`."""
    tokens: list[Token] = []
    before = ""
    for found in _JSON.finditer(args):
        sign = found.group()
        glued = sign in (",", "]") or before == "["
        tokens.append(Token(at + found.start(), at + found.end(), glued=glued, array=True))
        before = sign
    return tokens
