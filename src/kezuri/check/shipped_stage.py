"""The stage that becomes the image, with those that it stands on: its base, its variables, the commands of its RUNs."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from kezuri.check.shell_text import ShellText
from kezuri.check.subject import Subject
from kezuri.diagnostics import KezuriError, Span
from kezuri.dockerfile.instructions import Arg, Cmd, Copy, Entrypoint, Env, Run
from kezuri.oci.reference import HUB, Reference
from kezuri.plan.stages import StageNames, WrittenStage
from kezuri.shell.script import SimpleCommand, Word

_ASIDE = frozenset(("dev", "development", "test", "tests", "testing", "ci", "debug", "lint", "local", "devcontainer"))
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?-([^}]*))?\})")


class Act(NamedTuple):
    """A command of a RUN, with the variables that ENV and ARG had set before it."""

    run: Run
    text: ShellText
    command: SimpleCommand
    variables: dict[str, str]

    def span(self, word: Word | None = None) -> Span:
        """Where the command, or a word of it, stands."""
        return self.text.span(word.span if word is not None else self.command.span)

    def set(self, name: str) -> str | None:
        """What a variable is for the command: set before it, on its line, or in an earlier instruction."""
        for assignment in self.command.assignments:
            if assignment.name == name:
                return assignment.value.loose if assignment.value is not None else ""
        return self.variables.get(name)

    @property
    def words(self) -> tuple[str, ...]:
        """The words without quotes, `sudo`, `env` and what is set for them left out."""
        words = [word.loose for word in self.command.words]
        while words and (words[0] in ("sudo", "env", "exec") or re.match(r"[A-Za-z_]\w*=", words[0])):
            words.pop(0)
        return tuple(words)


class ShippedStage:
    """The last stage. `image` is what it stands on in the end, with the defaults of ARGs in its name."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._names = StageNames(subject.stages)
        known = {n: v for one in subject.head if isinstance(one, Arg) for n, v in one.pairs if v is not None}
        self._known = known
        self.stages = tuple(self.chain(subject.stages[-1])) if subject.stages else ()
        self.image = expanded(self.stages[-1].start.image, known) if self.stages else ""
        self.reference = _reference(self.image)

    def chain(self, stage: WrittenStage) -> Iterator[WrittenStage]:
        """The stage and those that it stands on, itself first."""
        at: WrittenStage | None = stage
        while at is not None:
            yield at
            under = self._names.earlier(at, expanded(at.start.image, self._known).lower())
            at = self.subject.stages[under] if under is not None else None

    @property
    def official(self) -> str:
        """The name of the official image that it stands on (`php`); empty for another one."""
        reference = self.reference
        if reference is None or reference.host != HUB or not reference.path.startswith("library/"):
            return ""
        return reference.path.removeprefix("library/")

    @property
    def tag(self) -> str:
        return self.reference.tag if self.reference is not None else ""

    @property
    def version(self) -> tuple[int, ...]:
        """The numbers that the tag begins with."""
        found = re.match(r"\d{1,5}(?:\.\d{1,5})*", self.tag)
        return tuple(int(part) for part in found[0].split(".")) if found is not None else ()

    @property
    def aside(self) -> bool:
        """Whether its name, or the file's, says that it is not for production."""
        name = self.stages[0].start.name or "" if self.stages else ""
        path = self.subject.dockerfile.source.name.rpartition("/")[2]
        return bool(_ASIDE & set(re.split(r"[-_.]", f"{name}.{path}".lower())))

    @property
    def production(self) -> bool:
        """Whether the file says that the image is for production: by its name, the stage's, or by a setting."""
        name = f"{self.stages[0].start.name or ''}.{self.subject.dockerfile.source.name.rpartition('/')[2]}".lower()
        if {"prod", "production", "release"} & set(re.split(r"[-_.]", name)):
            return True
        variables = self.variables
        names = ("RAILS_ENV", "RACK_ENV", "APP_ENV", "SYMFONY_ENV", "NODE_ENV", "APPLICATION_ENV")
        if any(variables.get(name, "").strip("\"'") in ("prod", "production") for name in names):
            return True
        return self.mentions("php.ini-production", "--optimize-autoloader", "--classmap-authoritative")

    @property
    def taken(self) -> tuple[WrittenStage, ...]:
        """The stages that are in the image: its own, and those that it copies from with what they stand on."""
        every = self.subject.stages
        called: dict[str | None, WrittenStage] = {}
        for stage in every:
            called.setdefault(stage.start.name, stage)
            called.setdefault(str(stage.number), stage)
        found = {stage.number: stage for stage in self.stages}
        for stage in self.stages:
            for copy in stage.instructions:
                if isinstance(copy, Copy) and copy.source_image is not None:
                    other = called.get(copy.source_image.lower())
                    for one in self.chain(other) if other is not None else ():
                        if one.number in found:
                            break  # and with it what it stands on
                        found[one.number] = one
        return tuple(found.values())

    def acts(self, stages: tuple[WrittenStage, ...] | None = None) -> Iterator[Act]:
        """The commands of the RUNs of stages, its own where none are named; those of the lowest stage first."""
        variables: dict[str, str] = {}
        shared = False
        for stage in reversed(self.stages if stages is None else stages):
            for instruction in stage.instructions:
                if isinstance(instruction, (Env, Arg)):
                    if shared:
                        variables, shared = dict(variables), False
                    variables.update((n, v) for n, v in instruction.pairs if v is not None)
                elif isinstance(instruction, Run):
                    for text in self.subject.scripts(instruction):
                        for command in text.script.commands:
                            shared = True
                            yield Act(instruction, text, command, variables)

    @property
    def variables(self) -> dict[str, str]:
        """What ENV of its stages sets, in the end."""
        return {
            name: value
            for stage in reversed(self.stages)
            for one in stage.instructions
            if isinstance(one, Env)
            for name, value in one.pairs
        }

    def mentions(self, *words: str) -> bool:
        """Whether an instruction of its stages says one of the words."""
        texts = [i.node.original.lower() for stage in self.stages for i in stage.instructions]
        return any(word in text for text in texts for word in words)

    def started(self) -> str:
        """What CMD and ENTRYPOINT start, as one line."""
        found: dict[type, str] = {}
        for stage in reversed(self.stages):
            for one in stage.instructions:
                if isinstance(one, (Cmd, Entrypoint)):
                    found[type(one)] = " ".join(one.command.argv)
        return " ".join(found.values())

    def behind_from(self) -> Span:
        """Where a line behind the FROM of the last stage begins."""
        text, end = self.subject.dockerfile.source.text, self.stages[0].start.node.span.end
        newline = text.find("\n", end)
        at = len(text) if newline < 0 else newline + 1
        return Span(at, at)


def shipped(subject: Subject) -> ShippedStage | None:
    """The stage that becomes the image; None where there is none, or it is not meant for production."""
    found = subject.notes.get("shipped")
    if not isinstance(found, ShippedStage):
        found = subject.notes["shipped"] = ShippedStage(subject)
    return found if found.stages and not found.aside else None


def expanded(text: str, known: dict[str, str]) -> str:
    """The text with the values of variables that are known."""
    return _VARIABLE.sub(lambda m: known.get(m[1] or m[2]) or m[3] or m[0], text) if "$" in text else text


def _reference(image: str) -> Reference | None:
    try:
        return Reference.parse(image, default_tag=False)
    except KezuriError:
        return None
