"""Where things are: WORKDIR, ports, platforms, what the ignore file leaves out; what hadolint says, and fixes."""

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kezuri.check.course import courses
from kezuri.check.editing import bare, newline
from kezuri.check.rule import Edit, Finding, Fix, Level, Rule
from kezuri.check.standing import base_directory
from kezuri.check.wider.merging import merged
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Arg, From, Workdir

if TYPE_CHECKING:
    from kezuri.check.subject import Subject

_FLAG = re.compile(r"--platform=(?:[^\s\"']|\"[^\"\n]*\"|'[^'\n]*')+[ \t]+")


def relative_workdirs(rule: Rule, subject: "Subject") -> Iterator[Finding]:
    """Every WORKDIR that is not absolute. BuildKit reports only those that go on from the base image's: behind an
    absolute one it is an info."""
    others = []
    below = {c.number for c in courses(subject).all if c.under is not None and c.cwd != "/"}
    for part in subject.parts:
        settled = False
        for instruction in part.own(Workdir):
            path = bare(instruction.path)
            if path.startswith(("/", "$")) or re.match(r"[A-Za-z]:", path):
                settled = True
                continue
            fix = _absolute(subject, part.number, instruction)
            text = f"Relative workdir {instruction.path} goes on from the one before it"
            hint = "write the whole path, from the root"
            level = "info" if settled or part.number in below else None
            others.append(Finding(rule, text, instruction.node, None, fix, hint, level=level))  # type: ignore[arg-type]
    # A drive of Windows, which BuildKit takes for a relative path where it builds for Linux.
    found = (f for f in rule.look(subject) if f.message.partition('"')[2][1:2] != ":")
    return merged(rule, subject, found, others, "DL3000")


def _absolute(subject: "Subject", number: int, workdir: Workdir) -> Fix | None:
    facts = subject.evaluated.get(number)
    if facts is None or not re.fullmatch(r"[\w./-]+", workdir.path):
        return None
    at = base_directory(subject, number) or ""
    for stage in reversed([*subject.chain(number)]):
        for met in stage.met:
            if not isinstance(met.instruction, Workdir) or not met.words:
                continue
            at = posixpath.normpath(posixpath.join(at, met.words[0])) if at or met.words[0][:1] == "/" else ""
            if met.instruction is workdir and not met.trigger:
                text = workdir.node.source.text
                start = text.rfind(workdir.path, workdir.node.span.start, workdir.node.span.end)
                if not at.startswith("/") or start < 0:
                    return None
                return Fix(f"write `{at}`", (Edit(Span(start, start + len(workdir.path)), at),))
    return None


def constant_platforms(rule: Rule, subject: "Subject") -> Iterator[Finding]:
    """FROM --platform that is neither the build's nor the target's. What BuildKit does not report, because a variable
    or the stage's name says what it is, is an info; a variable of the file is no constant: a matter of style."""
    others = []
    for stage in subject.stages:
        said = stage.start.platform
        if said is not None and "BUILDPLATFORM" not in said and "TARGETPLATFORM" not in said:
            text = f'FROM --platform flag should not use constant value "{said}"'
            hint = "remove the flag and build with `--platform`, or write `--platform=$BUILDPLATFORM`"
            level: Level = "style" if "$" in said else "info"
            others.append(Finding(rule, text, stage.start.node, hint=hint, level=level))
    return merged(rule, subject, rule.look(subject), others, "DL3029")


def redundant_platforms(rule: Rule, subject: "Subject") -> Iterator[Finding]:
    """FROM --platform=$TARGETPLATFORM."""
    found = []
    starts = {stage.start.node.number: stage.start for stage in subject.stages}
    for finding in rule.look(subject):
        start = starts.get(finding.node.number) if finding.node is not None else None
        found.append(finding._replace(fix=_without_platform(start)) if start is not None else finding)
    others = []
    for start in starts.values():
        written = start.node.source.text[start.node.span.start : start.image_span.start]
        if start.platform in ("$TARGETPLATFORM", "${TARGETPLATFORM}") and f"={start.platform}" in written:
            text = (
                f"Setting platform to predefined {start.platform} in FROM is redundant as this is the default behavior"
            )
            others.append(Finding(rule, text, start.node, None, _without_platform(start), "remove the flag"))
    return merged(rule, subject, found, others, "DL3065")


def _without_platform(start: From) -> Fix | None:
    found = _FLAG.search(start.node.source.text, start.node.keyword_span.end, start.image_span.start)
    return None if found is None else Fix("remove the flag", (Edit(Span(*found.span()), ""),))


def ports_of_hosts(rule: Rule, subject: "Subject") -> Iterator[Finding]:
    """EXPOSE with an address or a port of the host."""
    for finding in rule.look(subject):
        span, node = finding.span, finding.node
        if span is not None and node is not None:
            word = node.source.text[span.start : span.end]
            right = word.rpartition(":")[2]
            if right and "$" not in word:
                finding = finding._replace(fix=Fix(f"write `{right}`", (Edit(span, right),)))
        yield finding


def ignored_copies(rule: Rule, subject: "Subject") -> Iterator[Finding]:
    """COPY of what the ignore file leaves out: a line at its end brings it back."""
    ignore = subject.ignore
    for finding in rule.look(subject):
        node, span = finding.node, finding.span
        if ignore is not None and node is not None and span is not None:
            path = posixpath.normpath(bare(node.source.text[span.start : span.end])).lstrip("/")
            if re.fullmatch(r"[\w./@+-]+", path) and path not in (".", "") and not path.startswith(".."):
                text = ignore.source.text
                end = newline(text)
                line = f"{'' if not text or text.endswith(chr(10)) else end}!{path}{end}"
                edit = Edit(Span(len(text), len(text)), line, ignore.source)
                finding = finding._replace(
                    fix=Fix(f"write `!{path}` into it", (edit,), "V", frozenset(("error.gone", "file.new")))
                )
        yield finding


def descriptions(rule: Rule, subject: "Subject") -> Iterator[Finding]:
    """Comments above ARG and FROM that describe nothing: an empty comment sets them apart."""
    for finding in rule.look(subject):
        node = finding.node
        if node is not None:
            text = node.source.text
            start = text.rfind("\n", 0, node.span.start) + 1
            edit = Edit(Span(start, start), f"#{newline(text)}")
            finding = finding._replace(fix=Fix("set the comment apart by an empty one", (edit,)))
        yield finding


def undeclared_arguments(rule: Rule, subject: "Subject") -> Iterator[Finding]:
    """Variables of FROM that nobody declared: the one that was meant, where only one can be."""
    declared = {name for i in subject.head if isinstance(i, Arg) for name, _ in i.pairs}
    for finding in rule.look(subject):
        found = re.search(r"'(\w+)' is not declared \(did you mean (\w+)\?\)", finding.message)
        span, node = finding.span, finding.node
        if found and span is not None and node is not None and declared:
            name, near = found.groups()
            close = [other for other in declared if _close(other, name)]
            text = node.source.text[span.start : span.end]
            if close == [near] and text.count(name) == 1:
                edit = Edit(span, text.replace(name, near))
                changes = frozenset(("base", "base.name", "stage.platform", "config", "env", "platform"))
                finding = finding._replace(fix=Fix(f"write `{near}`", (edit,), "V", changes))
        yield finding


def _close(one: str, other: str) -> bool:
    from kezuri.check.suggest import suggest

    return suggest(one, (other,)) == other
