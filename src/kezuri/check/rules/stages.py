"""Stages: their names, and the comments that describe them."""

from collections.abc import Iterator

from kezuri.check.rule import Example, Finding, Rule, docker_page
from kezuri.check.subject import Subject
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Arg, From
from kezuri.plan.stages import WrittenStage

_RESERVED = ("context", "scratch")


class DuplicateStageName(Rule):
    """BuildKit's check of that name."""

    name = "DuplicateStageName"
    aliases = ("DL3024", "DS-0012")
    fix_class = "A"
    summary = "Stage names should be unique"
    why = (
        "The last stage of a name wins, in `--target`, in `COPY --from` and in `FROM`: the earlier one can only be "
        "reached by its number, and a reference to it quietly means another stage."
    )
    bad = Example("FROM debian AS builder\nRUN echo one\n\nFROM alpine AS builder\nRUN echo two\n")
    good = Example("FROM debian AS builder\nRUN echo one\n\nFROM alpine AS runner\nRUN echo two\n")
    url = docker_page("duplicate-stage-name")
    file_wide = True

    def look(self, subject: Subject) -> Iterator[Finding]:
        seen: dict[str, WrittenStage] = {}
        for stage in subject.stages:
            name = stage.start.name
            if name and name in seen:
                line = seen[name].start.node.place.line
                text = f'Duplicate stage name "{name}", stage names should be unique'
                yield Finding(
                    self, text, stage.start.node, _name_span(subject, stage.start), hint=f"line {line} has it already"
                )
            elif name:
                seen[name] = stage

    def all(self, subject: Subject) -> Iterator[Finding]:
        from kezuri.check.wider.stage_names import duplicates

        return duplicates(self, subject)


class ReservedStageName(Rule):
    """BuildKit's check of that name."""

    name = "ReservedStageName"
    aliases = ("DL3063",)
    fix_class = "A"
    summary = "Reserved words should not be used as stage names"
    why = "`scratch` is the image without files and `context` the build context: a stage of that name cannot be meant."
    bad = Example("FROM alpine AS context\nRUN echo hello\n")
    good = Example("FROM alpine AS build\nRUN echo hello\n")
    url = docker_page("reserved-stage-name")
    file_wide = True

    def look(self, subject: Subject) -> Iterator[Finding]:
        for stage in subject.stages:
            name = stage.start.name
            if name in _RESERVED:
                text = f'Stage name should not use the same name as reserved stage "{name}"'
                yield Finding(
                    self, text, stage.start.node, _name_span(subject, stage.start), hint="give the stage another name"
                )

    def all(self, subject: Subject) -> Iterator[Finding]:
        from kezuri.check.wider.stage_names import reserved

        return reserved(self, subject)


class InvalidDefinitionDescription(Rule):
    """BuildKit's check of that name."""

    name = "InvalidDefinitionDescription"
    fix_class = "A"
    summary = (
        "Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If "
        "this is "
        "not intended to be a description comment, add an empty line or comment between the instruction and the "
        "comment."
    )
    why = (
        "`--call=outline` and `--call=targets` show what the comment above an ARG or a FROM says, if it begins with "
        "the name of what it describes."
    )
    bad = Example("# the version to build\nARG VERSION=1\nFROM alpine:$VERSION\n")
    good = Example("# VERSION the version to build\nARG VERSION=1\nFROM alpine:$VERSION\n")
    url = docker_page("invalid-definition-description")
    experimental = True

    def look(self, subject: Subject) -> Iterator[Finding]:
        for instruction in subject.dockerfile.instructions:
            if isinstance(instruction, Arg):
                names = [name for name, _ in instruction.pairs]
            elif isinstance(instruction, From) and instruction.name:
                names = [instruction.name]
            else:
                continue
            node = instruction.node
            if not node.comment or node.comment[-1].split(" ")[0] in names:
                continue
            shown = names[0] if len(names) == 1 else "<arg_key>"
            text = f"Comment for {node.keyword} should follow the format: `# {shown} <description>`"
            hint = f"begin the comment with `{shown}`, or put an empty line below it"
            yield Finding(self, text, node, hint=hint)

    def all(self, subject: Subject) -> Iterator[Finding]:
        from kezuri.check.wider.places import descriptions

        return descriptions(self, subject)


def _name_span(subject: Subject, start: From) -> Span | None:
    word = start.written_name or ""
    at = subject.dockerfile.source.text.rfind(word, start.node.span.start, start.node.span.end)
    return None if at < 0 else Span(at, at + len(word))
