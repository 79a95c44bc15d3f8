"""The shell-like lexer of the language: quotes, escapes and `$` in a word.

It serves two masters: expansion, which wants the value, and the search for here-documents, which wants the words of a
line as they are written.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from kezuri.dockerfile.lines import SPACE
from kezuri.dockerfile.substitution import BadPattern, TooLong, replace_all, replace_first, trim_prefix, trim_suffix
from kezuri.dockerfile.words import Word

DEEPEST = 100
_SPECIAL = "@*#?-$!"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PIECES = re.compile(f"[{SPACE}]+|[^{SPACE}]+")


class LexError(ValueError):
    """What is wrong with a word, in BuildKit's words."""


class Unterminated(LexError):
    """The word ended before the character that was looked for."""


class Lexer:
    """One pass over one text.

    `lookup` gives the value of a variable, or None when there is none. The `keep_*` options leave quotes, escape
    characters and unknown variables as they are; with `quotes` off, quotes are ordinary characters. No result is longer
    than `most` characters.
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_collect",
        "_depth",
        "_escape",
        "_keep_escapes",
        "_keep_quotes",
        "_keep_unset",
        "_lookup",
        "_most",
        "_plain",
        "_produced",
        "_quotes",
        "_start",
        "_text",
        "words",
    )

    def __init__(
        self,
        text: str,
        lookup: Callable[[str], str | None],
        escape: str,
        *,
        quotes: bool = True,
        keep_quotes: bool = False,
        keep_escapes: bool = False,
        keep_unset: bool = False,
        collect: bool = False,
        most: int = 1 << 62,
    ) -> None:
        self._text = text
        self._lookup = lookup
        self._escape = escape
        self._quotes = quotes
        self._keep_quotes = keep_quotes
        self._keep_escapes = keep_escapes
        self._keep_unset = keep_unset
        self._collect = collect
        self._most = most
        self._produced = 0
        self._plain = _plain(escape, quotes)
        self._at = 1 if text.startswith("\ufeff") else 0  # a byte order mark is no character of a word
        self._depth = 0
        self._buffer: list[str] = []
        self._start = 0
        self.words: list[Word] = []

    def run(self) -> str:
        """The whole text, processed; `words` then holds its words, if they were asked for. Raises LexError."""
        value = self._until("", self._keep_escapes)
        if self._collect:
            self._flush(len(self._text))
        return value

    # Words. Blanks end a word only where they come from plain text or from a variable; what was quoted or escaped stays
    # in one piece. A word of nothing is no word.

    def _flush(self, end: int) -> None:
        word = "".join(self._buffer)
        if word:
            self.words.append(Word(word, self._start, end))
        self._buffer.clear()

    def _keep(self, piece: str, start: int) -> None:
        if not self._buffer:
            self._start = start
        if piece:
            self._buffer.append(piece)

    def _split(self, text: str, start: int, literal: bool) -> None:
        for found in _PIECES.finditer(text):
            at = start + found.start() if literal else start
            if found.group()[0] in SPACE:
                self._flush(at)
            else:
                self._keep(found.group(), at)

    def _until(self, stop: str, keep_escapes: bool) -> str:
        """Up to `stop`, which is consumed, or to the end when `stop` is empty."""
        if self._depth > DEEPEST:
            raise LexError(f"substitutions are nested more than {DEEPEST} deep")
        collect = self._collect and self._depth == 0
        before, self._keep_escapes = self._keep_escapes, keep_escapes
        self._depth += 1
        text, size, escape = self._text, len(self._text), self._escape
        parts: list[str] = []
        while self._at < size:
            start = self._at
            char = text[start]
            if char == stop:
                self._at += 1
                self._keep_escapes = before
                self._depth -= 1
                return "".join(parts)
            run = self._plain.match(text, start)
            if run is not None:
                piece = run.group()
                if stop and stop in piece:
                    piece = piece[: piece.index(stop)]
                self._at += len(piece)
                if collect:
                    self._split(piece, start, True)
            elif char == "$":
                piece = self._dollar()
                if collect:
                    self._split(piece, start, False)
            elif char == escape:
                piece = self._escaped()
                if collect:
                    self._keep(piece, start)
            elif char == "<":
                piece = self._redirection()
                if collect:
                    self._keep(piece, start)
            else:
                piece = self._single() if char == "'" else self._double()
                if collect:
                    self._keep(piece, start)
            parts.append(piece)
            self._count(piece)
        if stop:
            raise Unterminated(f"unexpected end of statement while looking for matching {stop}")
        self._keep_escapes = before
        self._depth -= 1
        return "".join(parts)

    def _count(self, piece: str) -> None:
        self._produced += len(piece)
        if self._produced > self._most:
            raise self._too_long()

    def _too_long(self) -> LexError:
        return LexError(f"the value would be longer than {self._most} characters")

    def _escaped(self) -> str:
        """An escape character and what follows it; at the very end it is dropped."""
        pair = self._text[self._at : self._at + 2]
        self._at += 2
        return pair if self._keep_escapes else pair[1:]

    def _redirection(self) -> str:
        """`<` or `<<`; the blanks after `<<` belong to the word, so that `<< EOF` is one."""
        text, start = self._text, self._at
        self._at += 1
        if text.startswith("<", self._at):
            self._at += 1
            while self._at < len(text) and text[self._at] in "\t\r ":
                self._at += 1
        return text[start : self._at]

    def _single(self) -> str:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            self._at = len(self._text)
            raise Unterminated("unexpected end of statement while looking for matching single-quote")
        start, self._at = self._at, end + 1
        return self._text[start : end + 1] if self._keep_quotes else self._text[start + 1 : end]

    def _double(self) -> str:
        text, size, escape = self._text, len(self._text), self._escape
        plain = _quoted(escape)
        self._at += 1
        parts = ['"'] if self._keep_quotes else []
        while self._at < size:
            run = plain.match(text, self._at)
            if run is not None:
                parts.append(run.group())
                self._at = run.end()
                continue
            char = text[self._at]
            if char == '"':
                self._at += 1
                if self._keep_quotes:
                    parts.append('"')
                return "".join(parts)
            if char == "$":
                parts.append(self._dollar())
                continue
            self._at += 1
            if self._keep_escapes:
                parts.append(escape)
            if self._at < size:
                following = text[self._at]
                if following in ('"', "$", escape):
                    self._at += 1
                    parts.append(following)
                else:
                    parts.append(escape)
        raise Unterminated("unexpected end of statement while looking for matching double-quote")

    def _dollar(self) -> str:
        text = self._text
        self._at += 1
        if not text.startswith("{", self._at):
            name = self._name()
            if not name:
                return "$"
            value = self._lookup(name)
            if value is None:
                return f"${name}" if self._keep_unset else ""
            return value
        self._at += 1
        if self._at >= len(text):
            raise LexError("syntax error: missing '}'")
        if text[self._at] in "{}:":
            raise LexError("syntax error: bad substitution")
        name = self._name()
        mark = self._next()
        if mark == "}":
            value = self._lookup(name)
            if value is None:
                return f"${{{name}}}" if self._keep_unset else ""
            return value
        if mark == "/":
            return self._replacement(name)
        colon = mark == ":"
        if colon:
            mark = self._next()
        if (not colon and mark not in "+-?#%") or (colon and mark in "#%"):
            raise LexError(f"unsupported modifier ({':' if colon else ''}{mark}) in substitution")
        word = self._operand("}", mark in "#%", "syntax error: missing '}'")
        value = self._lookup(name)
        if value is None and self._keep_unset:
            return f"${{{name}{':' if colon else ''}{mark}{word}}}"
        if mark not in "+-?#%":
            raise LexError(f"unsupported modifier (:{mark}) in substitution")
        return _modified(name, value, mark, colon, word)

    def _replacement(self, name: str) -> str:
        everywhere = self._text.startswith("/", self._at)
        if everywhere:
            self._at += 1
        pattern = self._operand("/", True, "syntax error: missing '/' in ${}")
        replacement = self._operand("}", True, "syntax error: missing '}'")
        value = self._lookup(name)
        if value is None:
            if self._keep_unset:
                return f"${{{name}/{pattern}/{replacement}}}"
            value = ""
        try:
            if everywhere:
                return replace_all(value, pattern, replacement, self._most)
            return replace_first(value, pattern, replacement)
        except BadPattern as error:
            raise LexError(f"invalid pattern ({pattern}) in substitution: {error}") from None
        except TooLong:
            raise self._too_long() from None

    def _operand(self, stop: str, keep_escapes: bool, missing: str) -> str:
        self._buffer.clear()  # as BuildKit: of `a${U:-b}` the words are `b`, though the value is `ab`
        try:
            return self._until(stop, keep_escapes)
        except Unterminated:
            raise LexError(missing) from None

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise LexError("syntax error: missing '}'")
        self._at += 1
        return self._text[self._at - 1]

    def _name(self) -> str:
        """Letters, digits and `_`; digits alone when it starts with one; or one of the shell's special characters."""
        text, size, start = self._text, len(self._text), self._at
        if start >= size:
            return ""
        char = text[start]
        if char.isdecimal():
            end = start + 1
            while end < size and text[end].isdecimal():
                end += 1
        elif char in _SPECIAL:
            end = start + 1
        else:
            run = _NAME.match(text, start)
            end = start if run is None else run.end()
            while end < size and (text[end].isalpha() or text[end].isdecimal() or text[end] == "_"):
                end += 1
        self._at = end
        return text[start:end]


def _modified(name: str, value: str | None, mark: str, colon: bool, word: str) -> str:
    lacking = value is None or (colon and not value)
    if mark == "-":
        return word if lacking else value or ""
    if mark == "+":
        return "" if lacking else word
    if mark == "?":
        if lacking:
            raise LexError(f"{name}: {word or 'is not allowed to be ' + ('unset' if value is None else 'empty')}")
        return value or ""
    longest = word.startswith(mark)
    pattern = word[1:] if longest else word
    try:
        return (trim_suffix if mark == "%" else trim_prefix)(value or "", pattern, longest)
    except BadPattern as error:
        raise LexError(f"invalid pattern ({pattern}) in substitution: {error}") from None


@lru_cache(4)
def _plain(escape: str, quotes: bool) -> re.Pattern[str]:
    special = "$<" + escape + ("'\"" if quotes else "")
    return re.compile(f"[^{re.escape(special)}]+")


@lru_cache(2)
def _quoted(escape: str) -> re.Pattern[str]:
    return re.compile(f'[^"${re.escape(escape)}]+')
