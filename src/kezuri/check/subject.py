"""What rules look at: the Dockerfile as written, its stages as evaluated, and what its words are with variables."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.expansion import expand
from kezuri.dockerfile.ignore import Ignore
from kezuri.dockerfile.instructions import Cmd, Entrypoint, Healthcheck, Instruction, Run
from kezuri.dockerfile.parser import Dockerfile
from kezuri.oci.platform import Platform
from kezuri.plan.facts import Met, StageFacts, Survey
from kezuri.plan.inputs import BaseImage
from kezuri.plan.stages import WrittenStage, split_stages

if TYPE_CHECKING:
    from kezuri.check.data import Data
    from kezuri.check.policy import Policy
    from kezuri.check.runs import WrittenRun
    from kezuri.check.shell_checker import ShellChecker
    from kezuri.check.shell_text import ShellText
    from kezuri.check.surroundings import Surroundings
    from kezuri.check.written import Part

Kind = TypeVar("Kind", bound=Instruction)


class Subject:
    """One Dockerfile and its survey, indexed for rules, and what it is checked against.

    `platform` is what is built for, `explicit_platform` whether that was asked for; `ignore` are the rules of the build
    context. `surroundings` is the context itself, `policy` what an organisation asks, `shell_checker` a program that
    reads scripts, and `data` what fixes ask for, where they are known: a build knows none of them. `notes` is where
    rules keep what they found out about the whole file, for each other.
    """

    def __init__(
        self,
        dockerfile: Dockerfile,
        survey: Survey,
        platform: Platform,
        ignore: Ignore | None = None,
        explicit_platform: bool = False,
        surroundings: "Surroundings | None" = None,
        policy: "Policy | None" = None,
        shell_checker: "ShellChecker | None" = None,
        data: "Data | None" = None,
    ) -> None:
        self.dockerfile = dockerfile
        self.survey = survey
        self.platform = platform
        self.ignore = ignore
        self.explicit_platform = explicit_platform
        self.surroundings = surroundings
        self.policy = policy
        self.shell_checker = shell_checker
        self.data = data
        self._scripts: dict[int, tuple[ShellText, ...]] = {}
        self.notes: dict[str, object] = {}
        self._lowest: dict[int, StageFacts] = {}
        self._parts: tuple[Part, ...] | None = None
        self._runs: tuple[WrittenRun, ...] | None = None
        head, self.stages = split_stages(dockerfile)
        self.head: tuple[Instruction, ...] = head
        self.evaluated = {facts.number: facts for facts in survey.stages}
        self._met: dict[type, list[tuple[StageFacts, Met]]] = {}
        for facts in survey.stages:
            for met in facts.met:
                self._met.setdefault(type(met.instruction), []).append((facts, met))

    def written(self, kind: type[Kind]) -> Iterator[Kind]:
        """The instructions of that kind as the file has them, those before the first FROM too."""
        for instructions in (self.dockerfile.strays, self.dockerfile.instructions):
            for instruction in instructions:
                if isinstance(instruction, kind):
                    yield instruction

    @property
    def parts(self) -> "tuple[Part, ...]":
        """The whole file as written, from one FROM to the next, triggers opened: what rules of other linters look at,
        in files too that do not parse."""
        if self._parts is None:
            from kezuri.check.written import parts

            self._parts = parts(self.dockerfile)
        return self._parts

    def placed(self, kind: type[Kind]) -> "Iterator[tuple[Part, Kind]]":
        """The instructions of that kind in the order of the file, each with the part that it stands in; those left out
        that stand behind ONBUILD."""
        for part in self.parts:
            for instruction in part.own(kind):
                yield part, instruction

    @property
    def runs(self) -> "tuple[WrittenRun, ...]":
        """The RUNs of the file as written, triggers too, with the programs that they call."""
        if self._runs is None:
            from kezuri.check.runs import written_runs

            self._runs = written_runs(self)
        return self._runs

    def scripts(self, instruction: Run | Cmd | Entrypoint | Healthcheck) -> "tuple[ShellText, ...]":
        """The shell texts of an instruction of this file, read once; none for the exec form."""
        found = self._scripts.get(instruction.node.number)
        if found is None:
            from kezuri.check.shell_text import shell_texts

            found = shell_texts(instruction, self.dockerfile.escape)
            self._scripts[instruction.node.number] = found
        return found

    def met(self, *kinds: type[Instruction]) -> Iterator[tuple[StageFacts, Met]]:
        """The instructions of these kinds as they were evaluated, triggers of base images too."""
        for kind in kinds:
            yield from self._met.get(kind, ())

    def chain(self, number: int) -> Iterator[StageFacts]:
        """The stage and those that it is based on, nearest first, as far as they were evaluated."""
        at: int | None = number
        while at is not None and at in self.evaluated:
            facts = self.evaluated[at]
            yield facts
            at = facts.inherited

    def lowest(self, number: int) -> StageFacts:
        """The last of the chain."""
        passed: list[int] = []
        last = self._lowest.get(number)
        for facts in self.chain(number) if last is None else ():
            last = self._lowest.get(facts.number)
            if last is not None:
                break
            passed.append(facts.number)
        last = last or self.evaluated[passed[-1]]
        self._lowest.update(dict.fromkeys(passed, last))
        return last

    def guessed(self, facts: StageFacts) -> bool:
        """Whether the stage stands on an image that could not be asked for: its environment is not known."""
        last = self.lowest(facts.number)
        base = last.plan.base if last.plan is not None else None
        return last.plan is None or (isinstance(base, BaseImage) and base.source in self.survey.absent)

    def stage(self, facts: StageFacts) -> WrittenStage:
        """The stage as written."""
        return self.stages[facts.number]


class Value:
    """What a word is after expansion; `known` are the variables in it that have a value, `unknown` the others."""

    __slots__ = ("known", "text", "unknown")

    def __init__(self, text: str, known: frozenset[str], unknown: tuple[str, ...]) -> None:
        self.text = text
        self.known = known
        self.unknown = unknown


class _Recorder(Mapping[str, str]):
    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)


def used(word: str | None, variables: Mapping[str, str], escape: str) -> Value | None:
    """The expanded word; None for no word, and for one that cannot be expanded."""
    if word is None:
        return None
    if "$" not in word:
        try:
            return Value(expand(word, {}, escape), frozenset(), ())
        except KezuriError:
            return None
    recorder, unknown = _Recorder(variables), list[str]()
    try:
        text = expand(word, recorder, escape, unknown.append)
    except KezuriError:
        return None
    return Value(text, frozenset(recorder.asked.difference(unknown)), tuple(unknown))
