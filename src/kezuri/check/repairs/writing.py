"""Small pieces of text for edits of a Dockerfile: instructions inserted, removed, given flags."""

from kezuri.check.rule import Edit
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Node


def above(node: Node, lines: str) -> Edit:
    """Whole lines before an instruction and the comment above it that belongs to it; `lines` without a last newline."""
    text = node.source.text
    at = text.rfind("\n", 0, node.span.start) + 1
    for _ in node.comment:
        before = text.rfind("\n", 0, at - 1) + 1
        if at == 0 or not text[before : at - 1].lstrip().startswith("#"):
            break
        at = before
    return Edit(Span(at, at), f"{lines}{ending(text)}")


def directly_above(node: Node, lines: str) -> Edit:
    """Whole lines just before an instruction, below its comment."""
    text = node.source.text
    at = text.rfind("\n", 0, node.span.start) + 1
    return Edit(Span(at, at), f"{lines}{ending(text)}")


def removed(node: Node) -> Edit:
    """The instruction's lines, without what stands around them."""
    text = node.source.text
    start = text.rfind("\n", 0, node.span.start) + 1
    end = text.find("\n", node.span.end)
    return Edit(Span(start, len(text) if end < 0 else end + 1), "")


def flag(node: Node, words: str) -> Edit:
    """Flags right behind the instruction's keyword."""
    end = node.keyword_span.end
    return Edit(Span(end, end), f" {words}")


def ending(text: str) -> str:
    """How the file ends its lines."""
    return "\r\n" if "\r\n" in text else "\n"


def plain(node: Node) -> bool:
    """Whether the instruction stands on lines of its own, and may be taken from them."""
    text = node.source.text
    start = text.rfind("\n", 0, node.span.start) + 1
    return not text[start : node.span.start].strip()


def keyword(subject: Subject, word: str) -> str:
    """A keyword in the case that the file has most of."""
    written = [i.node.written for i in subject.dockerfile.instructions]
    lower = sum(1 for w in written if w.islower())
    return word.lower() if lower * 2 > len(written) else word
