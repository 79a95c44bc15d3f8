"""One stage's instructions, evaluated in order: operations on its files, and the config folded together."""

from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.command import json_form
from kezuri.dockerfile.instructions import (
    Arg,
    Cmd,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Instruction,
    Label,
    Maintainer,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
)
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.plan.commands import RunDefaults, plan_run, words_of
from kezuri.plan.copies import plan_copy
from kezuri.plan.facts import Met
from kezuri.plan.inputs import Finder
from kezuri.plan.operation import HistoryItem, Operation, WorkdirOperation
from kezuri.plan.paths import clean, joined
from kezuri.plan.variables import Growth, Variables, named_target


class Shared(NamedTuple):
    """What is the same for all stages of a plan: the file's escape character, the build arguments, the global
    arguments, the network of RUNs that name none (empty: the default), how names after `from=` are looked up, and how
    much text the plan may still hold."""

    escape: str
    arguments: Mapping[str, str]
    global_arguments: Mapping[str, str]
    network: str
    find: Finder
    growth: Growth


class StageEvaluation:
    """The state of a stage while its instructions are evaluated.

    `platform` is the stage's own; `inherited` is the evaluation of the stage that this one is based on, if any.
    """

    def __init__(
        self,
        index: int,
        config: ImageConfig,
        platform: Platform,
        shared: Shared,
        inherited: "StageEvaluation | None" = None,
    ) -> None:
        self._index = index
        self._platform = platform
        self._shared = shared
        self._growth = shared.growth
        self._runs = RunDefaults(shared.network, shared.arguments)
        self.config = config
        self.operations: list[Operation] = []
        self.crossing: list[Platform | None] = []
        self.errors: list[KezuriError] = []
        self.met: list[Met] = []
        self._words: tuple[str, ...] = ()
        self._cmd_set = False
        if inherited is None:
            self.variables = Variables(config.env, shared.escape)
            self.history: list[HistoryItem] = []
        else:
            self.variables = inherited.variables.copy()
            self.history = list(inherited.history)
        self._expand = self.variables.expand

    def run(self, instructions: tuple[Instruction, ...], triggers: bool = False) -> None:
        """Evaluate the instructions; what is wrong with one is kept in `errors` and does not stop the others."""
        for instruction in instructions:
            if self._growth.exceeded:
                return
            own_shell = bool(self.config.shell)
            self._words, self.variables.unset = (), []
            try:
                self._dispatch(instruction)
            except KezuriError as error:
                self.errors.append(error.at(instruction.node.place))
            values = self._values(instruction) if isinstance(instruction, Arg) else ()
            self.met.append(Met(instruction, self._words, values, tuple(self.variables.unset), own_shell, triggers))

    def _values(self, instruction: Arg) -> tuple[str | None, ...]:
        return tuple(self.variables.declared.get(name) for name, _ in instruction.pairs)

    def finished(self) -> ImageConfig:
        """The config that the stage ends with."""
        return self.config._replace(env=self.variables.image_env())

    def _dispatch(self, instruction: Instruction) -> None:
        match instruction:
            case Run():
                self._run(instruction)
            case Copy():
                self._copy(instruction)
            case Env():
                self._env(instruction)
            case Arg():
                self._arg(instruction)
            case Workdir():
                self._workdir(instruction)
            case Label():
                self._label(instruction)
            case Cmd():
                argv = words_of(instruction.command, self.config.shell)
                self.config = self.config._replace(cmd=argv or None, args_escaped=True)
                self._cmd_set = True
                self._note(f"CMD {json_form(argv)}")
            case Entrypoint():
                argv = words_of(instruction.command, self.config.shell)
                cmd = self.config.cmd if self._cmd_set else None
                self.config = self.config._replace(entrypoint=argv or None, cmd=cmd)
                self._note(f"ENTRYPOINT {json_form(argv)}")
            case Shell():
                self.config = self.config._replace(shell=instruction.argv)
                self._note(f"SHELL [{' '.join(instruction.argv)}]")
            case User():
                user = self._expand(instruction.user)
                self.config = self.config._replace(user=user)
                self._note(f"USER {user}")
            case Expose():
                self._expose(instruction)
            case Volume():
                paths = [self._expand(p) for p in instruction.paths]
                if not all(paths):
                    raise KezuriError.of("VOLUME specified can not be an empty string")
                self.config = self.config._replace(volumes=_merged(self.config.volumes, paths))
                self._note(f"VOLUME [{' '.join(paths)}]")
            case Stopsignal():
                from kezuri.plan.signals import check_signal

                signal = self._expand(instruction.signal)
                check_signal(signal)
                self.config = self.config._replace(stop_signal=signal)
                self._note(f"STOPSIGNAL {signal}")
            case Healthcheck():
                self._healthcheck(instruction)
            case Onbuild():
                self.config = self.config._replace(on_build=(*self.config.on_build, instruction.text))
            case Maintainer():
                self.config = self.config._replace(author=instruction.name)
                self._note(f"MAINTAINER {instruction.name}")
            case From():
                raise KezuriError.of("FROM is not allowed here")

    def _note(self, text: str, operation: Operation | None = None) -> None:
        self._growth.add(len(text))
        if operation is None:
            self.history.append(HistoryItem(text))
        else:
            self.history.append(HistoryItem(text, self._index, len(self.operations)))
            self.operations.append(operation)
            self.crossing.append(named_target(self.variables.build, self._platform))

    def _workdir_path(self) -> str:
        return self.config.working_dir or "/"

    def _env(self, instruction: Env) -> None:
        # All are expanded before one is set: ENV a=1 b=$a sees the old a.
        pairs = []
        for name, value in instruction.pairs:
            key = self._expand(name)
            if not key:
                raise KezuriError.of("ENV names can not be blank")
            pairs.append((key, self._expand(value)))
            self._words = (*self._words, key)
        for key, value in pairs:
            self.variables.set_env(key, value)
        self._note("ENV " + " ".join(f"{k}={v}" for k, v in pairs))

    def _label(self, instruction: Label) -> None:
        pairs = [(self._expand(k), self._expand(v)) for k, v in instruction.pairs]
        if not all(k for k, _ in pairs):
            raise KezuriError.of("LABEL names can not be blank")
        self.config = self.config._replace(labels={**self.config.labels, **dict(pairs)})
        self._note("LABEL " + " ".join(f"{k}={v}" for k, v in pairs))

    def _arg(self, instruction: Arg) -> None:
        said = []
        for name, default in instruction.pairs:
            value: str | None
            if name in self._shared.arguments:
                value = self._shared.arguments[name]
            elif default is not None:
                value = self._expand(default)
            else:
                value = self._shared.global_arguments.get(name)
            self.variables.declare(name, value)
            said.append(name if value is None else f"{name}={value}")
        self._note("ARG " + " ".join(said))

    def _workdir(self, instruction: Workdir) -> None:
        written = self._expand(instruction.path)
        self._words = (written,)
        path = joined(self._workdir_path(), written)
        self.config = self.config._replace(working_dir=path)
        if path == "/":
            self._note(f"WORKDIR {path}")
            return
        operation = WorkdirOperation(
            instruction.node.original.strip(), f"WORKDIR {path}", instruction.node, clean(path), self.config.user
        )
        self._note(operation.history, operation)

    def _expose(self, instruction: Expose) -> None:
        from kezuri.plan.expose import expand_port

        # BuildKit sorts the words as they are written.
        words = [w for p in sorted(instruction.ports) for w in self.variables.words(p)]
        self._words = tuple(words)
        ports = [port for word in words for port in expand_port(word)]
        self.config = self.config._replace(exposed_ports=_merged(self.config.exposed_ports, ports))
        self._note(f"EXPOSE [{' '.join(ports)}]")

    def _healthcheck(self, instruction: Healthcheck) -> None:
        from kezuri.plan.health import health_config, health_text

        check = health_config(instruction)
        self.config = self.config._replace(healthcheck=check)
        self._note(f"HEALTHCHECK {health_text(check)}")

    def _run(self, instruction: Run) -> None:
        find = self._shared.find
        operation = plan_run(instruction, self.config, self.variables, self._platform, self._runs, find)
        self._growth.add(sum(len(name) + len(value) for name, value in operation.env))
        self._note(operation.history, operation)

    def _copy(self, instruction: Copy) -> None:
        # The words of a JSON array are expanded and unquoted as well, as in BuildKit.
        self._words = sources = tuple(map(self._expand, instruction.sources))
        operation = plan_copy(instruction, sources, self._workdir_path(), self.variables, self._shared.find)
        self._note(operation.history, operation)


def _merged(words: tuple[str, ...], more: list[str]) -> tuple[str, ...]:
    """All of them, each once and sorted; a few more take little time, however many there are."""
    if len(more) > 100:
        return tuple(sorted({*words, *more}))
    found = sorted(words)
    for word in more:
        at = bisect_left(found, word)
        if found[at : at + 1] != [word]:
            found.insert(at, word)
    return tuple(found)
