"""One instruction split into its word, its flags and its argument, not yet understood; and the report of errors."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from kezuri.diagnostics import Diagnostic, SourceText, Span, nearest
from kezuri.dockerfile.lines import BLANK, SPACE, LogicalLine

KEYWORDS = (
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
)

_WORD_END = re.compile(r"[\t\v\f\r ]+")
_MOST_SUGGESTIONS = 100


class RawFlag(NamedTuple):
    """A leading `--…` word, quotes and escapes removed, and its range in the logical line."""

    text: str
    start: int
    end: int


class Statement(NamedTuple):
    """The parts of a logical line; `args` is trimmed and starts at `at`. `keyword` is upper-case."""

    line: LogicalLine
    escape: str
    keyword: str
    written: str
    start: int
    flags: tuple[RawFlag, ...]
    args: str
    at: int

    @property
    def keyword_span(self) -> Span:
        """Where the instruction word stands."""
        return self.line.span(self.start, self.start + len(self.written))

    @property
    def span(self) -> Span:
        """From the instruction word to the end of the argument."""
        return Span(self.line.origin(self.start), self.line.end)


class Report:
    """Collects diagnostics about one source; after a hundred suggestions it stops to look for more of them."""

    def __init__(self, source: SourceText) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.errors = 0
        self._suggestions = 0
        self._said: set[str] = set()

    def error(self, message: str, span: Span, hint: str = "") -> None:
        """Something that stops the build."""
        self.errors += 1
        self.diagnostics.append(Diagnostic("error", message, self.source, span, hint))

    def warning(self, code: str, message: str, span: Span, hint: str = "") -> None:
        """Something that a build check reports."""
        self.diagnostics.append(Diagnostic("warning", message, self.source, span, hint, code))

    def once(self, hint: str) -> str:
        """The hint for the first error that it is a hint of, nothing for those that follow."""
        if hint in self._said:
            return ""
        self._said.add(hint)
        return hint

    def suggest(self, word: str, choices: Iterable[str]) -> str | None:
        """The choice that was probably meant. Bounded, so that a file of nothing but errors stays quick."""
        if self._suggestions >= _MOST_SUGGESTIONS or len(word) > 40:
            return None
        self._suggestions += 1
        return nearest(word, choices)


def lower(text: str) -> str:
    """Lower-case as Go's strings.ToLower: character by character, where Python has rules of its own for some."""
    if text.isascii():
        return text.lower()
    return "".join("i" if char == "\u0130" else char.lower() for char in text)


def read_statement(line: LogicalLine, start: int, escape: str) -> Statement:
    """Split a logical line, from `start` on, into instruction word, flags and argument."""
    text = line.text
    end = len(text.rstrip(SPACE))
    while start < end and text[start] in SPACE:
        start += 1
    gap = _WORD_END.search(text, start, end)
    if gap is None:
        written = text[start:end]
        return Statement(line, escape, _keyword(written), written, start, (), "", end)
    written = text[start : gap.start()]
    flags, at = _flags(text, gap.end(), end, escape)
    while at < end and text[at] in SPACE:
        at += 1
    return Statement(line, escape, _keyword(written), written, start, tuple(flags), text[at:end], at)


def _keyword(written: str) -> str:
    lowered = lower(written)
    return lowered.upper() if lowered.isascii() else written


def _flags(text: str, at: int, end: int, escape: str) -> tuple[list[RawFlag], int]:
    """The leading words that start with `--`; a lone `--` ends them and is dropped. Quotes and escapes are removed.

    Only ASCII blanks stand between them.
    """
    flags: list[RawFlag] = []
    while True:
        while at < end and text[at] in BLANK:
            at += 1
        if not text.startswith("--", at, end):
            return flags, at
        start, parts, quote = at, list[str](), ""
        while at < end:
            char = text[at]
            if char == escape:
                at += 1
                if at < end:
                    parts.append(text[at])
            elif quote:
                if char == quote:
                    quote = ""
                else:
                    parts.append(char)
            elif char in "'\"":
                quote = char
            elif char in BLANK:
                break
            else:
                parts.append(char)
            at += 1
        at = min(at, end)
        word = "".join(parts)
        if word == "--":
            return flags, at
        flags.append(RawFlag(word, start, at))


def first_word(text: str) -> str:
    """The text up to its first blank."""
    return _WORD_END.split(text, 1)[0].strip(BLANK)
