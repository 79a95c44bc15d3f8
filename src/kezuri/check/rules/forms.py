"""Old ways of writing things."""

import re
from collections.abc import Iterator

from kezuri.check.rule import Edit, Example, Finding, Fix, Rule, docker_page
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Env, Label, Maintainer


class LegacyKeyValueFormat(Rule):
    """BuildKit's check of that name."""

    name = "LegacyKeyValueFormat"
    fix_class = "A"
    summary = "Legacy key/value format with whitespace separator should not be used"
    why = (
        "`ENV A b c` sets one variable to `b c`, which nobody sees at a glance, and takes only one in each "
        "instruction. With `=` it is clear where a value ends."
    )
    bad = Example("FROM alpine\nENV DIR /srv/app\n")
    good = Example("FROM alpine\nENV DIR=/srv/app\n")
    url = docker_page("legacy-key-value-format")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for _, met in subject.met(Env, Label):
            instruction = met.instruction
            if not isinstance(instruction, (Env, Label)) or not instruction.legacy:
                continue
            node = instruction.node
            text = f'"{node.written} key=value" should be used instead of legacy "{node.written} key value" format'
            fix = None if met.trigger else _with_equals(subject, instruction)
            yield Finding(self, text, node, fix=fix, hint="" if fix else f"write `{node.written} NAME=VALUE`")


class MaintainerDeprecated(Rule):
    """BuildKit's check of that name."""

    name = "MaintainerDeprecated"
    aliases = ("DL4000", "DS-0022")
    fix_class = "A"
    summary = "The MAINTAINER instruction is deprecated, use a label instead to define an image author"
    why = (
        "MAINTAINER sets a field of the image that few tools show. The label `org.opencontainers.image.authors` is "
        "what registries and scanners read."
    )
    bad = Example("FROM alpine\nMAINTAINER someone@example.com\n")
    good = Example('FROM alpine\nLABEL org.opencontainers.image.authors="someone@example.com"\n')
    url = docker_page("maintainer-deprecated")

    def look(self, subject: Subject) -> Iterator[Finding]:
        for instruction in subject.written(Maintainer):
            node = instruction.node
            word = "label" if node.written.islower() else "LABEL"
            name = instruction.name
            if len(name) > 2 and name[0] == name[-1] == '"' and '"' not in name[1:-1] and "\\" not in name:
                name = name[1:-1]  # quotes that MAINTAINER takes for a part of the name
            new = f'{word} org.opencontainers.image.authors="{_quoted(name, subject.dockerfile.escape)}"'
            changes = frozenset(("author", "config.Labels org.opencontainers.image.authors"))
            fix = Fix(f"write `{new}`", (Edit(node.span, new),), changes=changes)
            yield Finding(self, "Maintainer instruction is deprecated in favor of using label", node, fix=fix)


class NoEmptyContinuation(Rule):
    """BuildKit's check of that name."""

    name = "NoEmptyContinuation"
    fix_class = "A"
    summary = "Empty continuation lines will become errors in a future release"
    why = (
        "A line that ends in `\\` goes on in the next one. An empty line there is passed over today, and looks like "
        "the end of the instruction, which it is not."
    )
    bad = Example("FROM alpine\nRUN echo one && \\\n\n    echo two\n")
    good = Example("FROM alpine\nRUN echo one && \\\n    echo two\n")
    url = docker_page("no-empty-continuation")
    file_wide = True

    def look(self, subject: Subject) -> Iterator[Finding]:
        source = subject.dockerfile.source
        for found in subject.dockerfile.diagnostics:
            if found.code != self.name or found.span is None:
                continue
            node = None
            for instruction in subject.dockerfile.instructions:
                if instruction.node.span.start <= found.span.start:
                    node = instruction.node
            start = node.span.start if node is not None else 0
            runs = list(_blank_lines(source.text, start, found.span.end))
            fix = Fix("remove the empty line" + "s" * (len(runs) > 1), tuple(Edit(span, "") for span in runs))
            place = Span(runs[0].start, runs[0].start) if runs else found.span
            yield Finding(self, found.message, node, place, fix if runs else None, about=found.span)


def _blank_lines(text: str, start: int, end: int) -> Iterator[Span]:
    """The blank lines between two offsets, each with its newline."""
    at = text.find("\n", start, end) + 1
    while at > 0:
        newline = text.find("\n", at, end)
        if newline < 0:
            return
        if not text[at:newline].strip():
            yield Span(at, newline + 1)
        at = newline + 1


def _with_equals(subject: Subject, instruction: Env | Label) -> Fix | None:
    """The instruction with `=`, where the value can be kept as it is or put into quotes."""
    node, ((name, value),) = instruction.node, instruction.pairs
    text = subject.dockerfile.source.text
    if "\n" in text[node.span.start : node.span.end] or "=" in name:
        return None
    if re.search(r"\s", value):
        if re.search(r"[\"'`\\]", value):
            return None
        value = f'"{value}"'
    elif not value:
        return None
    new = f"{node.written} {name}={value}"
    return Fix(f"write `{new}`", (Edit(node.span, new),))


def _quoted(value: str, escape: str) -> str:
    return "".join(escape + c if c in ('"', "$", escape) else c for c in value)
