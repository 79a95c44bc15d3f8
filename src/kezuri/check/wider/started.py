"""What a container starts: the shell form of CMD, ENTRYPOINT and HEALTHCHECK, and those that nobody reads."""

import json
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from kezuri.check.editing import without
from kezuri.check.rule import Edit, Finding, Fix, FixClass, Level, Rule
from kezuri.check.wider.merging import merged
from kezuri.diagnostics import Span
from kezuri.dockerfile.instructions import Cmd, Entrypoint, Healthcheck

if TYPE_CHECKING:
    from kezuri.check.subject import Subject
    from kezuri.check.written import Part

_BUILTINS = frozenset(
    (
        *(".", ":", "alias", "bg", "break", "cd", "command", "continue", "eval", "exit", "export", "fg", "getopts"),
        *("hash", "if", "for", "jobs", "local", "read", "readonly", "return", "set", "shift", "source", "times"),
        *("trap", "type", "ulimit", "umask", "unalias", "unset", "until", "wait", "while", "case", "function", "time"),
    )
)
_SYNTAX = frozenset("$&|;<>*?(){}[]`~#!\n\\^%")
_DOUBLES = {"CMD": ("DL4003", "DS-0016"), "ENTRYPOINT": ("DL4004", "DS-0007"), "HEALTHCHECK": ("DL3012", "DS-0023")}


def shell_forms(rule: Rule, subject: "Subject") -> Iterator[Finding]:
    """CMD, ENTRYPOINT and HEALTHCHECK in shell form. Where the image names a SHELL BuildKit has nothing to say, and the
    finding is an info; of HEALTHCHECK, which no signal reaches, a matter of style."""
    others = []
    for part in subject.parts:
        for piece in part.pieces:
            instruction = piece.instruction
            if piece.trigger or not isinstance(instruction, (Cmd, Entrypoint, Healthcheck)):
                continue
            command = instruction.command
            if command is None or not command.shell or not command.argv:
                continue
            node = instruction.node
            text = f"JSON arguments recommended for {node.written} to prevent unintended behavior related to OS signals"
            fix = _exec_form(subject, part, instruction)
            hint = f'write `{node.written} ["program", "argument"]`' if not isinstance(instruction, Healthcheck) else ""
            hint = hint or 'write the command behind CMD as JSON: `CMD ["program", "argument"]`'
            asked = part.number in subject.evaluated or isinstance(instruction, Healthcheck)
            level: Level | None = "info" if asked else None
            if isinstance(instruction, Healthcheck):
                level = "style"
                text = f"{node.written} starts a shell for its command: JSON arguments need none"
            others.append(Finding(rule, text, node, None, fix, hint, level=level))
    return merged(rule, subject, rule.look(subject), others, "DL3025")


def doubled(rule: Rule, subject: "Subject") -> Iterator[Finding]:
    """Several CMD, ENTRYPOINT or HEALTHCHECK in one stage: known by the one that takes the other's place, as hadolint
    has it, where BuildKit names the one that is not read."""
    for part in subject.parts:
        for kind in (Cmd, Entrypoint, Healthcheck):
            for earlier, later in pairwise(part.own(kind)):
                node = later.node
                text = (
                    f"Multiple {node.written} instructions should not be used in the same stage because only the last "
                    "one will be used"
                )
                title = f"remove line {earlier.node.place.line}: this one takes its place"
                fix = Fix(title, (without(earlier.node),))
                yield Finding(rule, text, node, node.keyword_span, fix, title, aliases=_DOUBLES[node.keyword])


def _exec_form(subject: "Subject", part: "Part", instruction: Cmd | Entrypoint | Healthcheck) -> Fix | None:
    """The command as JSON, where a shell is not needed to understand it and nothing else is run by the change."""
    command = instruction.command
    line = command.argv[0] if command is not None else ""
    node = instruction.node
    facts = subject.evaluated.get(part.number)
    if facts is None or facts.plan is None or set(line) & _SYNTAX or len(line) > 300:
        return None
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    words = words[1:] if words[:1] == ["exec"] else words
    if not words or words[0] in _BUILTINS or "=" in words[0] or words[0].startswith("-"):
        return None
    config = facts.plan.config
    if isinstance(instruction, Entrypoint) and config.cmd:
        return None  # what the shell form drops would be handed over
    # An entry point is handed the command, the shell before it and all.
    handed = isinstance(instruction, Cmd) and (config.entrypoint or subject.guessed(facts))
    text = node.source.text
    at = text.rfind(line, node.span.start, node.span.end)
    if at < 0:
        return None
    new = json.dumps(words, ensure_ascii=False)
    field = {"CMD": "Cmd", "ENTRYPOINT": "Entrypoint", "HEALTHCHECK": "Healthcheck"}[node.keyword]
    edit = Edit(Span(at, at + len(line)), new)
    # A script without a `#!` line starts by a shell only, and whether it has one does not stand here.
    kind: FixClass = "V" if handed or words[0].endswith(".sh") else "A"
    return Fix(f"write `{new}`", (edit,), kind, frozenset((f"config.{field}",)))
