"""Upper and lower case: of instruction words, of AS, of stage names."""

import re
from collections.abc import Iterator

from kezuri.check.rule import Edit, Example, Finding, Fix, Rule, docker_page
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import From, Node


class ConsistentInstructionCasing(Rule):
    """BuildKit's check of that name."""

    name = "ConsistentInstructionCasing"
    fix_class = "A"
    summary = "All commands within the Dockerfile should use the same casing (either upper or lower)"
    why = (
        "The builder does not care, readers do: a file in which every instruction looks alike can be skimmed. What "
        "most of the instructions have decides; at a tie it is upper case."
    )
    bad = Example("FROM alpine\nrun echo hello\nRUN echo world\n")
    good = Example("FROM alpine\nRUN echo hello\nRUN echo world\n")
    url = docker_page("consistent-instruction-casing")
    file_wide = True

    def look(self, subject: Subject) -> Iterator[Finding]:
        nodes = [n for stage in subject.stages for n in (stage.start.node, *(i.node for i in stage.instructions))]
        odd = [node for node in nodes if not node.written.isupper()]
        if not odd:
            return
        lower = sum(node.written.islower() for node in odd)
        upper = len(nodes) - len(odd)
        if lower > upper:
            odd = [node for node in nodes if not node.written.islower()]
        casing = "lowercase" if lower > upper else "uppercase"
        for node in odd:
            word = node.written.lower() if lower > upper else node.written.upper()
            text = f"Command '{node.written}' should match the case of the command majority ({casing})"
            fix = Fix(f"write `{word}`", (Edit(node.keyword_span, word),))
            yield Finding(self, text, node, node.keyword_span, fix)


class FromAsCasing(Rule):
    """BuildKit's check of that name."""

    name = "FromAsCasing"
    fix_class = "A"
    summary = "The 'as' keyword should match the case of the 'from' keyword"
    why = "`FROM` and `AS` are two words of one instruction: in two casings they look like two."
    bad = Example("FROM alpine as build\nRUN echo hello\n")
    good = Example("FROM alpine AS build\nRUN echo hello\n")
    url = docker_page("from-as-casing")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for stage in subject.stages:
            start = stage.start
            word, keyword = start.as_keyword, start.node.written
            upper = keyword.isupper()
            # A FROM of mixed case is ConsistentInstructionCasing's business.
            if not word or not (upper or keyword.islower()) or word == (word.upper() if upper else word.lower()):
                continue
            right = word.upper() if upper else word.lower()
            span = _as_word(subject, start)
            fix = Fix(f"write `{right}`", (Edit(span, right),)) if span is not None else None
            text = f"'{word}' and '{keyword}' keywords' casing do not match"
            yield Finding(self, text, start.node, span, fix)


class StageNameCasing(Rule):
    """BuildKit's check of that name."""

    name = "StageNameCasing"
    fix_class = "A"
    summary = "Stage names should be lowercase"
    why = (
        "Names of stages are compared without regard to case, names of images are lower-case: a stage in lower case "
        "can be referred to in one way only."
    )
    bad = Example("FROM alpine AS Build\nRUN echo hello\n")
    good = Example("FROM alpine AS build\nRUN echo hello\n")
    url = docker_page("stage-name-casing")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for stage in subject.stages:
            written = stage.start.written_name
            if written is None or written == written.lower():
                continue
            right = written.lower()
            span = _last_word(subject, stage.start.node, written)
            edits = [Edit(span, right)] if span is not None else []
            edits += [
                Edit(other.start.image_span, right)
                for other in subject.stages[stage.number + 1 :]
                if other.start.image != right and other.start.image.lower() == right
            ]
            fix = Fix(f"write `{right}`", tuple(edits)) if span is not None else None
            yield Finding(self, f"Stage name '{written}' should be lowercase", stage.start.node, span, fix)


def _as_word(subject: Subject, start: From) -> Span | None:
    text = subject.dockerfile.source.text
    found = re.compile(rf"\s({re.escape(start.as_keyword)})\s").search(text, start.image_span.end, start.node.span.end)
    return None if found is None else Span(*found.span(1))


def _last_word(subject: Subject, node: Node, word: str) -> Span | None:
    text = subject.dockerfile.source.text
    at = text.rfind(word, node.span.start, node.span.end)
    return None if at < 0 else Span(at, at + len(word))
