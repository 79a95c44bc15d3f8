"""Edits of whole instructions and of their words, for the fixes of rules."""

from kezuri.check.rule import Edit
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Node


def without(node: Node) -> Edit:
    """The instruction taken out, with its line ending. What else stands on its lines is blanks."""
    text = node.source.text
    start = text.rfind("\n", 0, node.span.start) + 1
    if text[start : node.span.start].strip():
        start = node.span.start
    end = text.find("\n", node.span.end)
    end = len(text) if end < 0 else end + 1
    return Edit(Span(start, end), "")


def above(node: Node, line: str) -> Edit:
    """A line more, above the instruction and the comments that stand directly above it."""
    text = node.source.text
    start = text.rfind("\n", 0, node.span.start) + 1
    while start > 0:
        before = text.rfind("\n", 0, start - 1) + 1
        if not text[before:start].lstrip().startswith("#"):
            break
        start = before
    return Edit(Span(start, start), line + newline(text))


def newline(text: str) -> str:
    """The line ending of the file."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def word_at(node: Node, word: str, start: int = 0) -> Span | None:
    """Where the instruction has this word, with blanks, brackets, commas or quotes around it; the first after `start`.
    None where it is written in another way, on two lines for instance."""
    text = node.source.text
    at = max(start, node.keyword_span.end)
    while word:
        at = text.find(word, at, node.span.end)
        if at < 0:
            return None
        end = at + len(word)
        if text[at - 1] in " \t\r\n[,\"'=" and (end >= node.span.end or text[end] in " \t\r\n],\"'"):
            return Span(at, end)
        at = end
    return None


def cased(node: Node, word: str) -> str:
    """A keyword in the manner in which the instruction's own is written."""
    return word.lower() if node.written.islower() else word.upper()


def bare(word: str) -> str:
    """The word without the quotes around it."""
    if len(word) > 1 and word[0] in "\"'" and word[-1] == word[0]:
        return word[1:-1]
    return word
