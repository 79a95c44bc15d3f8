"""The words of a shell text: as written, without quotes and escapes, and whether the shell expands some part."""

from typing import TYPE_CHECKING

from kezuri.diagnostics import Span
from kezuri.shell.offsets import Offsets
from kezuri.shell.script import Word

if TYPE_CHECKING:
    from tree_sitter import Node

_EXPANDED = frozenset(
    (
        "simple_expansion",
        "expansion",
        "command_substitution",
        "process_substitution",
        "arithmetic_expansion",
        "brace_expression",
    )
)
_ESCAPED = ("\\ ", "\\\t")
_IN_QUOTES = '$`"\\\n'
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"', "r": "\r", "a": "\a", "b": "\b", "e": "\x1b"}


def read_word(node: "Node", text: str, offsets: Offsets) -> Word:
    """The word that a node of the tree is."""
    reading = _Reading(text, offsets)
    reading.add(node)
    loose = "".join(reading.parts)
    span = offsets.span(node)
    return Word(text[span.start : span.end], span, loose, loose if reading.literal else None, reading.quoted)


def join(first: Word, between: str, second: Word) -> Word:
    """The word of two parts that the grammar has taken for two words."""
    if first.text == "$" and second.quoted and not between:
        first = first._replace(loose="", value="")  # $"text" is text to be translated
    loose = first.loose + _without(between) + second.loose
    literal = first.value is not None and second.value is not None
    return Word(
        first.text + between + second.text,
        Span(first.span.start, second.span.end),
        loose,
        loose if literal else None,
        first.quoted or second.quoted,
    )


def gap(text: str, word: Word) -> str:
    """The blanks before the first word of a command, escaped ones too."""
    start = end = word.span.start
    while start and (text[start - 1] in " \t" or (start < end and text[start - 1 : start + 1] in _ESCAPED)):
        start -= 1
    return text[start:end]


def with_blanks(between: str, word: Word, alone: bool) -> list[Word]:
    """The word behind a gap, whose escaped blanks are a part of it or, before a blank, words of their own: the grammar
    drops them. Those that stand at the start of the gap belong to the word before, unless the gap stands `alone`."""
    found: list[Word] = []
    start = word.span.start - len(between)
    at = 0
    while at < len(between):
        if between[at : at + 2] not in _ESCAPED:
            at += 1
            continue
        first = at
        while between[at : at + 2] in _ESCAPED:
            at += 2
        text = between[first:at]
        loose = _without(text)
        if at == len(between):
            return [*found, _behind(text, word)]
        if first or alone:
            found.append(Word(text, Span(start + first, start + at), loose, loose, False))
    return [*found, word]


def _behind(text: str, word: Word) -> Word:
    span = Span(word.span.start - len(text), word.span.end)
    blanks = _without(text)
    value = None if word.value is None else blanks + word.value
    return Word(text + word.text, span, blanks + word.loose, value, word.quoted)


class _Reading:
    __slots__ = ("_offsets", "_text", "literal", "parts", "quoted")

    def __init__(self, text: str, offsets: Offsets) -> None:
        self._text = text
        self._offsets = offsets
        self.parts: list[str] = []
        self.literal = True
        self.quoted = False

    def add(self, node: "Node", depth: int = 0) -> None:
        """A node's part of the word; a concatenation of concatenations of … is nothing that the grammar makes."""
        kind = node.type
        if kind in _EXPANDED:
            self.literal = False
            self.parts.append(self._slice(node))
        elif kind == "raw_string":
            self.quoted = True
            self.parts.append(self._slice(node)[1:-1])
        elif kind == "ansi_c_string":
            self.quoted = True
            self.parts.append(_ansi(self._slice(node)[2:-1]))
        elif kind in ("string", "translated_string"):
            self.quoted = True
            self._string(node)
        elif kind in ("concatenation", "command_name") and node.child_count and depth < 4:
            at = node.start_byte
            for child in node.children:
                if child.start_byte > at:
                    self.parts.append(_without(self._between(at, child.start_byte)))
                self.add(child, depth + 1)
                at = child.end_byte
        else:
            self._plain(self._slice(node))

    def _plain(self, text: str) -> None:
        if any(sign in text for sign in "*?["):
            self.literal = self.literal and "\\" in text
        self.parts.append(_without(text))

    def _string(self, node: "Node") -> None:
        at = node.start_byte + (2 if node.type == "translated_string" else 1)
        for child in node.children:
            if child.type in _EXPANDED:
                self.parts.append(_without(self._between(at, child.start_byte), _IN_QUOTES))
                self.literal = False
                self.parts.append(self._slice(child))
                at = child.end_byte
        self.parts.append(_without(self._between(at, node.end_byte - 1), _IN_QUOTES))

    def _slice(self, node: "Node") -> str:
        return self._between(node.start_byte, node.end_byte)

    def _between(self, start: int, end: int) -> str:
        return self._text[self._offsets.at(start) : self._offsets.at(end)]


def _without(text: str, signs: str | None = None) -> str:
    """The text without the backslashes that escape: all of them, or those before one of the signs."""
    if "\\" not in text:
        return text
    parts, at = [], 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text) and (signs is None or text[at + 1] in signs):
            if text[at + 1] != "\n":
                parts.append(text[at + 1])
            at += 2
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts)


def _ansi(text: str) -> str:
    """The text of `$'…'` with its simple escapes; the others stay as they are written."""
    parts, at = [], 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text) and text[at + 1] in _SIMPLE_ESCAPES:
            parts.append(_SIMPLE_ESCAPES[text[at + 1]])
            at += 2
        else:
            parts.append(text[at])
            at += 1
    return "".join(parts)
