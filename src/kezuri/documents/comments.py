"""The comments of a YAML text, by what the reader found: a `#` within a scalar is none."""

from typing import NamedTuple

from kezuri.diagnostics import Span
from kezuri.documents.reader import Yaml
from kezuri.documents.value import Mapping, Scalar, walk


class Comment(NamedTuple):
    """A comment: its text without `#` and blanks, and where it stands. `alone` tells that nothing stands before it on
    its line."""

    text: str
    span: Span
    alone: bool


def comments(yaml: Yaml) -> tuple[Comment, ...]:
    """Every comment, in the order of the text. In what comes after an error none is seen."""
    text = yaml.source.text
    taken: list[Span] = []
    seen = set[int]()
    for document in yaml.documents:
        for value in walk(document):
            if id(value) in seen:
                continue
            seen.add(id(value))
            if isinstance(value, Mapping):
                taken += (entry.key.span for entry in value.entries)
            elif isinstance(value, Scalar) and value.span.end > value.span.start:
                taken.append(_body(text, value))
    taken.sort()
    stop = len(text)
    if yaml.error is not None:
        stop = min((d.span.start for d in yaml.error.diagnostics if d.span is not None), default=0)
    found: list[Comment] = []
    at = number = 0
    while (at := text.find("#", at, stop)) >= 0:
        while number < len(taken) and taken[number].end <= at:
            number += 1
        if number < len(taken) and taken[number].start <= at:
            at = taken[number].end
            continue
        start = text.rfind("\n", 0, at) + 1
        before = text[start:at]
        if before and not before[-1].isspace() and before != "\ufeff":
            at += 1
            continue
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        line = text[at:end].rstrip()
        found.append(Comment(line.lstrip("#").strip(), Span(at, at + len(line)), not before.strip(" \t\ufeff")))
        at = max(end, at + 1)
    return tuple(found)


def _body(text: str, scalar: Scalar) -> Span:
    """What of a scalar can hold no comment: of a block scalar the lines behind its first."""
    if scalar.style in ("literal", "folded"):
        line = text.find("\n", scalar.span.start, scalar.span.end)
        return Span(scalar.span.end if line < 0 else line + 1, scalar.span.end)
    return scalar.span
