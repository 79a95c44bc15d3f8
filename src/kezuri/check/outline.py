"""The targets of a file, and the arguments, secrets, agents and caches of one: from ARGs, mounts and the comments
above them."""

from collections.abc import Mapping
from typing import NamedTuple

from kezuri.check.subject import Subject, used
from kezuri.dockerfile.instructions import Arg, Node
from kezuri.dockerfile.parser import Dockerfile
from kezuri.plan.facts import StageFacts
from kezuri.plan.inputs import StageInput
from kezuri.plan.operation import AgentMount, CacheMount, Operation, SecretMount
from kezuri.plan.stages import split_stages


class Argument(NamedTuple):
    """A build argument: the value that it has now, and what the comment above it says."""

    name: str
    value: str
    description: str
    node: Node


class Wanted(NamedTuple):
    """A secret, an SSH agent or a cache mount that a RUN asks for, by its id."""

    id: str
    required: bool
    node: Node


class Outline(NamedTuple):
    """The parameters of a target, each in the order of the file. `name` is empty for a stage without one."""

    name: str
    description: str
    arguments: tuple[Argument, ...]
    secrets: tuple[Wanted, ...]
    agents: tuple[Wanted, ...]
    caches: tuple[Wanted, ...]


class TargetLine(NamedTuple):
    """A stage as written; `default` is the one that is built when none is named."""

    name: str
    default: bool
    description: str
    base: str
    platform: str
    node: Node


def targets(dockerfile: Dockerfile) -> tuple[TargetLine, ...]:
    """The stages of the file."""
    _, stages = split_stages(dockerfile)
    return tuple(
        TargetLine(
            stage.start.name or "",
            stage.number == len(stages) - 1,
            described(stage.start.node, stage.start.name or ""),
            stage.start.image,
            stage.start.platform or "",
            stage.start.node,
        )
        for stage in stages
    )


def described(node: Node, name: str) -> str:
    """What the comment above an instruction says of a name: the rest of the first line that begins with it."""
    start = f"{name} "
    return next((line.removeprefix(start) for line in node.comment if name and line.startswith(start)), "")


def outline(subject: Subject, target: int, given: Mapping[str, str]) -> Outline:
    """The parameters that the evaluated target knows, with those of the stages that it stands on and copies from.
    `given` are the build arguments."""
    gathering = _Gathering(subject, given)
    gathering.visit(target)
    stage = subject.stages[target]
    name = stage.start.name or ""
    return Outline(
        name,
        described(stage.start.node, name),
        tuple(sorted(gathering.arguments.values(), key=lambda a: a.node.number)),
        tuple(sorted(gathering.secrets.values(), key=_number)),
        tuple(sorted(gathering.agents.values(), key=_number)),
        tuple(sorted(gathering.caches.values(), key=_number)),
    )


class _Gathering:
    def __init__(self, subject: Subject, given: Mapping[str, str]) -> None:
        self._subject = subject
        self._given = given
        self._seen: set[int] = set()
        self._globals: dict[str, Argument] = {}
        self._needs: dict[str, set[str]] = {}
        self.arguments: dict[str, Argument] = {}
        self.secrets: dict[str, Wanted] = {}
        self.agents: dict[str, Wanted] = {}
        self.caches: dict[str, Wanted] = {}
        self._read_head()

    def _read_head(self) -> None:
        scope = dict(self._subject.survey.defaults)
        for instruction in self._subject.head:
            for name, default in instruction.pairs if isinstance(instruction, Arg) else ():
                value = self._given.get(name)
                needs: set[str] = set()
                if value is None and default is not None:
                    found = used(default, scope, self._subject.dockerfile.escape)
                    value = found.text if found is not None else ""
                    needs = set(found.known) if found is not None else set()
                    if name in needs:
                        # ARG A=$A-more: what the earlier A was made of still counts.
                        needs = (needs - {name}) | self._needs.get(name, set())
                if value is not None:
                    scope[name] = value
                self._needs[name] = needs
                self._globals[name] = Argument(name, value or "", described(instruction.node, name), instruction.node)

    def visit(self, number: int) -> None:
        """Take what the stage asks for, then what the stages below it and beside it ask for: the first to name a thing
        describes it."""
        facts = self._subject.evaluated.get(number)
        if facts is None or number in self._seen:
            return
        self._seen.add(number)
        own: dict[str, Argument] = {}
        names: list[str] = self._of_from(number)
        for met in facts.met:
            if isinstance(met.instruction, Arg):
                for (name, default), value in zip(met.instruction.pairs, met.values):
                    names.append(name)
                    inherited = default is None and name not in self._given
                    if not (inherited and name in self._subject.survey.arguments):
                        node = met.instruction.node
                        own[name] = Argument(name, value or "", described(node, name), node)
        for name in self._closed(names):
            argument = own.get(name) or self._globals.get(name)
            if argument is not None:
                self.arguments.setdefault(name, argument)
        self._follow(facts)

    def _of_from(self, number: int) -> list[str]:
        start, survey = self._subject.stages[number].start, self._subject.survey
        found = [
            used(word, survey.arguments, self._subject.dockerfile.escape) for word in (start.image, start.platform)
        ]
        return [name for value in found if value is not None for name in sorted(value.known)]

    def _closed(self, names: list[str]) -> list[str]:
        """The names, and those that their values were made of."""
        todo, closed = list(reversed(names)), dict[str, None]()
        while todo:
            name = todo.pop()
            if name not in closed:
                closed[name] = None
                todo += sorted(self._needs.get(name, ()))
        return list(closed)

    def _follow(self, facts: StageFacts) -> None:
        others: list[int] = [facts.inherited] if facts.inherited is not None else []
        for operation in facts.plan.operations if facts.plan is not None else ():
            self._mounts(operation)
            others += [source.stage for source in operation.inputs if isinstance(source, StageInput)]
        for other in others:
            self.visit(other)

    def _mounts(self, operation: Operation) -> None:
        for mount in operation.mounts:
            if isinstance(mount, SecretMount):
                self.secrets.setdefault(mount.id, Wanted(mount.id, mount.required, operation.node))
            elif isinstance(mount, AgentMount):
                self.agents.setdefault(mount.id, Wanted(mount.id, mount.required, operation.node))
            elif isinstance(mount, CacheMount):
                self.caches.setdefault(mount.id, Wanted(mount.id, False, operation.node))


def _number(wanted: Wanted) -> int:
    return wanted.node.number
