"""Names of stages: what hadolint says of them, and how they are changed with everything that refers to them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kezuri.check.rule import Edit, Finding, Fix, Rule
from kezuri.check.wider.merging import merged
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Copy, From, Instruction, Run

if TYPE_CHECKING:
    from kezuri.check.subject import Subject
    from kezuri.plan.stages import WrittenStage

_RESERVED = ("context", "scratch")
_MOST = 50
"""Names that are changed: each of them is looked for in the whole file."""


def duplicates(rule: Rule, subject: "Subject") -> Iterator[Finding]:
    """Stages of one name. hadolint compares letter by letter."""
    found, others = list[Finding](), list[Finding]()
    names: dict[str, WrittenStage] = {}
    exact: set[str | None] = set()
    fixes: dict[int, Fix | None] = {}
    for stage in subject.stages:
        name, written = stage.start.name, stage.start.written_name
        if name and name in names:
            if len(fixes) < _MOST:
                fixes[stage.start.node.number] = _renamed(subject, names[name], f"{name}-{names[name].number + 1}")
            if written in exact:
                others.append(Finding(rule, "", stage.start.node))
        if name:
            names[name] = stage
            exact.add(written)
    for finding in rule.look(subject):
        fix = fixes.get(finding.node.number) if finding.node is not None else None
        found.append(finding._replace(fix=fix))
    return merged(rule, subject, found, others, "DL3024")


def reserved(rule: Rule, subject: "Subject") -> Iterator[Finding]:
    """Stages with a name that means something else. hadolint knows it in lower case only."""
    found = []
    stages = {stage.start.node.number: stage for stage in subject.stages}
    for finding in rule.look(subject):
        stage = stages.get(finding.node.number) if finding.node is not None else None
        if stage is not None:
            finding = finding._replace(fix=_renamed(subject, stage, f"{stage.start.name}-stage"))
        found.append(finding)
    others = [Finding(rule, "", s.start.node) for s in subject.stages if s.start.written_name in _RESERVED]
    return merged(rule, subject, found, others, "DL3063")


def _renamed(subject: "Subject", stage: "WrittenStage", new: str) -> Fix | None:
    """Another name for a stage, in its FROM and wherever it is meant; None where that cannot be told."""
    name = stage.start.name or ""
    if any(other.start.name == new for other in subject.stages) or subject.survey.errors:
        return None
    own = _word(stage.start, stage.start.written_name or "")
    if own is None:
        return None
    edits = [Edit(own, new)]
    same = [other.number for other in subject.stages if other.start.name == name]
    following = next((number for number in same if number > stage.number), len(subject.stages))
    if name != "scratch":
        edits += [
            Edit(other.start.image_span, new)
            for other in subject.stages[stage.number + 1 : following + 1]
            if other.start.image == name
        ]
    # A name behind `from=` means the last stage that has it.
    if same[-1] == stage.number:
        for other in subject.stages:
            for instruction in other.instructions:
                spans = list(_references(instruction, name))
                if None in spans:
                    return None
                edits += [Edit(span, new) for span in spans if span is not None]
    return Fix(f"call it `{new}`", tuple(edits), "A", frozenset(("stage.name",)))


def _references(instruction: Instruction, name: str) -> Iterator[Span | None]:
    """Where an instruction says the name behind `from=`; None for a place that cannot be found."""
    text = instruction.node.source.text
    said: list[tuple[str, Span | None]] = []
    if isinstance(instruction, Copy) and instruction.source_image is not None:
        said.append((instruction.source_image, instruction.from_span))
    elif isinstance(instruction, Run):
        said += [(v, m.span) for m in instruction.mounts for k, v in m.options if k == "from" and v]
    for value, span in said:
        if value.lower() != name:
            continue
        at = text.find(f"from={value}", span.start, span.end) if span is not None else -1
        yield Span(at + 5, at + 5 + len(value)) if at >= 0 else None


def _word(start: From, word: str) -> Span | None:
    at = start.node.source.text.rfind(word, start.image_span.end, start.node.span.end) if word else -1
    return None if at < 0 else Span(at, at + len(word))
