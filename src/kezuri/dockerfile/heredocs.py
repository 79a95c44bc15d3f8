"""Here-documents: the `<<NAME` words of an instruction, and the bodies that follow it."""

import re
from typing import NamedTuple

from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Heredoc
from kezuri.dockerfile.lexer import Lexer, LexError
from kezuri.dockerfile.lines import SPACE, Lines, LogicalLine
from kezuri.dockerfile.statement import KEYWORDS, Report, Statement
from kezuri.dockerfile.words import NotStrings, Word, json_words

HOLDERS = ("ADD", "COPY", "RUN")

_WORD = re.compile(r"([0-9]*)<<(-?)[ \t\n\f\r]*([^<]*)\Z")
_INSTRUCTION = re.compile(rf"^(?:{'|'.join(KEYWORDS)})[ \t]", re.MULTILINE)


class HeredocWord(NamedTuple):
    """A `<<NAME` word: its name without quotes, whether the body expands, whether tabs go, the digits before `<<`."""

    name: str
    expand: bool
    strip_tabs: bool
    fd: int


def read_word(text: str) -> HeredocWord | None:
    """The here-document that a word announces, or None. Raises LexError for quotes that do not close.

    Any quoting of the name means that the body is not expanded; an escaped quote is a character of the name.
    """
    found = _WORD.match(text)
    if found is None or not found.group(3):
        return None
    digits, dash, rest = found.groups()
    words = _lex(rest, keep_quotes=False)
    if len(words) != 1:
        return None
    raw = _lex(rest, keep_quotes=True)
    if len(raw) != 1:
        raise LexError(f"internal lexing of heredoc produced inconsistent results: {rest}")
    name = words[0].text
    return HeredocWord(name, _quotes(name) == _quotes(raw[0].text), bool(dash), int(digits[:9]) if digits else -1)


def announced(statement: Statement, report: Report) -> list[tuple[HeredocWord, Word]]:
    """The here-documents of a line in order. A line whose quotes do not close has none, as in BuildKit."""
    line = statement.line
    if "<<" not in line.text or statement.keyword not in HOLDERS:
        return []
    if statement.args.startswith("["):
        try:
            if json_words(statement.args) is not None:
                return []
        except NotStrings:
            return []
    try:
        words = _lex(line.text, keep_quotes=True, keep_escapes=True)
    except LexError:
        return []
    heredocs: list[tuple[HeredocWord, Word]] = []
    for word in words:
        if "<<" not in word.text:
            continue
        try:
            heredoc = read_word(word.text)
        except LexError as error:
            report.error(f"failed to process {word.text}: {error}", line.span(word.start, word.end))
            continue
        if heredoc is not None:
            heredocs.append((heredoc, word))
    return heredocs


def read_bodies(
    found: list[tuple[HeredocWord, Word]], line: LogicalLine, lines: Lines, report: Report
) -> tuple[Heredoc, ...] | None:
    """The here-documents with the bodies that follow the line, which are consumed; None when one does not end.

    A body is verbatim up to the line that equals the name. When there is none, reading goes on at the next line that
    starts with an instruction word.
    """
    heredocs: list[Heredoc] = []
    for word, where in found:
        span = line.span(where.start, where.end)
        start = lines.position
        terminator = lines.find(word.name, start, word.strip_tabs)
        if terminator is None:
            following = _INSTRUCTION.search(lines.text, start)
            lines.position = len(lines.text) if following is None else following.start()
            report.error("unterminated heredoc", span, _advice(word, lines.text[start : lines.position]))
            return None
        lines.position = terminator.after
        body = lines.text[start : terminator.start]
        heredocs.append(
            Heredoc(word.name, body, word.expand, word.strip_tabs, word.fd, span, Span(start, terminator.start))
        )
        line.end, line.last = terminator.end, terminator
    return tuple(heredocs)


def _advice(word: HeredocWord, body: str) -> str:
    if any(line.strip(SPACE) == word.name for line in body.split("\n")):
        indented = "has blanks around it" if word.strip_tabs else "is indented: <<- would allow tabs there"
        return f"a line {word.name} follows, but it {indented}"
    return f"end the text with a line that is just {word.name}"


def _quotes(text: str) -> int:
    return text.count("'") + text.count('"')


def _lex(text: str, *, keep_quotes: bool, keep_escapes: bool = False) -> list[Word]:
    lexer = Lexer(
        text, lambda _: None, "\\", keep_quotes=keep_quotes, keep_escapes=keep_escapes, keep_unset=True, collect=True
    )
    lexer.run()
    return lexer.words
