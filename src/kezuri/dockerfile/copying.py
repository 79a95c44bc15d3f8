"""COPY and ADD: which words are sources, which is the destination, which announce a here-document."""

import re

from kezuri.diagnostics import Span
from kezuri.dockerfile.flags import Flags
from kezuri.dockerfile.heredocs import HeredocWord, read_word
from kezuri.dockerfile.instructions import Copy, Heredoc, Node
from kezuri.dockerfile.lexer import LexError
from kezuri.dockerfile.statement import Report, Statement
from kezuri.dockerfile.words import Word, split_blanks

_REDIRECTION = re.compile(r"[0-9]*<<")
_MOST_JOINED = 8


def read_copy(
    statement: Statement,
    node: Node,
    heredocs: tuple[Heredoc, ...],
    json: tuple[str, ...] | None,
    flags: Flags,
    report: Report,
) -> Copy | None:
    """The instruction, or None after reporting what is wrong. `json` are the words if they came as a JSON array."""
    if json is None:
        words = _words(statement, heredocs)
    else:
        words = [Word(text, statement.at, statement.at + len(statement.args)) for text in json]
    keyword = statement.keyword
    if len(words) < 2:
        number = "only one was provided" if words else "none was provided"
        message = f"{keyword} requires at least two arguments, but {number}. Destination could not be determined"
        hint = f"write {keyword} {words[0].text if words else 'SOURCE'} DESTINATION"
        report.error(message, statement.span, hint)
        return None
    if json is None and _heredoc(words[-1].text) is not None:
        span = statement.line.span(words[-1].start, words[-1].end)
        report.error(f"{keyword} cannot accept a heredoc as a destination", span, "write a path after the <<NAME words")
        return None
    sources: list[str] = []
    spans: list[Span] = []
    contents: list[Heredoc] = []
    order: list[int] = []
    bodies = {heredoc.name: heredoc for heredoc in heredocs}  # of two with one name the last counts, for both
    for word in words[:-1]:
        span = statement.line.span(word.start, word.end)
        announced = _heredoc(word.text) if json is None else None
        if announced is None:
            order.append(len(sources))
            sources.append(word.text)
            spans.append(span)
            continue
        body = bodies.get(announced.name)
        text, body_span = (body.body, body.body_span) if body is not None else ("", Span(span.end, span.end))
        order.append(-1 - len(contents))
        contents.append(
            Heredoc(announced.name, text, announced.expand, announced.strip_tabs, announced.fd, span, body_span)
        )
    return Copy(
        node,
        tuple(sources),
        words[-1].text,
        tuple(contents),
        tuple(order),
        json is not None,
        flags.value("from"),
        flags.value("chown"),
        flags.value("chmod"),
        flags.boolean("link") or False,
        flags.boolean("parents") or False,
        flags.strings("exclude"),
        flags.value("checksum"),
        flags.boolean("keep-git-dir"),
        flags.boolean("unpack"),
        tuple(spans),
        flags.span("from"),
    )


def _words(statement: Statement, heredocs: tuple[Heredoc, ...]) -> list[Word]:
    """The words between blanks; a here-document word stays whole, though its name may hold blanks or follow one."""
    words = split_blanks(statement.args, statement.at)
    if not heredocs:
        return words
    names = {heredoc.name for heredoc in heredocs}
    joined: list[Word] = []
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if _REDIRECTION.match(word.text) and _heredoc(word.text) is None:
            for last in range(at, min(len(words), at + _MOST_JOINED)):
                text = statement.line.text[word.start : words[last].end]
                announced = _heredoc(text)
                if announced is not None and announced.name in names:
                    word = Word(text, word.start, words[last].end)
                    at = last + 1
                    break
        joined.append(word)
    return joined


def _heredoc(text: str) -> HeredocWord | None:
    if "<<" not in text:
        return None
    try:
        return read_word(text)
    except LexError:
        return None
