"""One stage's instructions, evaluated in order: operations on its files, and the config folded together."""

from collections.abc import Callable, Mapping

from kezuri.diagnostics import KezuriError, SourceText, Span
from kezuri.dockerfile.chown import needs_accounts
from kezuri.dockerfile.command import json_form
from kezuri.dockerfile.expansion import expand, expand_heredoc, expand_words
from kezuri.dockerfile.heredocs import read_word
from kezuri.dockerfile.instructions import (
    Arg,
    Cmd,
    Command,
    Copy,
    Entrypoint,
    Env,
    Expose,
    From,
    Healthcheck,
    Heredoc,
    Instruction,
    Label,
    Maintainer,
    MountOption,
    Node,
    Onbuild,
    Run,
    Shell,
    Stopsignal,
    User,
    Volume,
    Workdir,
)
from kezuri.dockerfile.lexer import LexError
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.plan.expose import expand_port
from kezuri.plan.facts import Met
from kezuri.plan.growth import Growth
from kezuri.plan.health import health_config, health_text
from kezuri.plan.mounts import plan_mounts
from kezuri.plan.operation import (
    ContextInput,
    CopyOperation,
    HistoryItem,
    Input,
    Operation,
    Remote,
    RunOperation,
    WorkdirOperation,
)
from kezuri.plan.paths import clean, joined
from kezuri.plan.paths import destination as absolute
from kezuri.plan.signals import check_signal
from kezuri.plan.variables import Variables, named_target, proxy_variables

Finder = Callable[[str, Span | None], Input]
"""Turns the name after `from=` into an input; KezuriError with the span when there is none."""

_DEFAULT_SHELL = ("/bin/sh", "-c")


class StageEvaluation:
    """The state of a stage while its instructions are evaluated.

    `platform` is the stage's own; `inherited` is the evaluation of the stage that this one is based on, if any.
    """

    def __init__(
        self,
        index: int,
        config: ImageConfig,
        source: SourceText,
        escape: str,
        arguments: Mapping[str, str],
        global_arguments: Mapping[str, str],
        network: str,
        platform: Platform,
        find: Finder,
        growth: Growth,
        inherited: "StageEvaluation | None" = None,
    ) -> None:
        self._index = index
        self._source = source
        self._escape = escape
        self._arguments = arguments
        self._globals = global_arguments
        self._network = network
        self._platform = platform
        self._find = find
        self._growth = growth
        self.config = config
        self.operations: list[Operation] = []
        self.crossing: list[Platform | None] = []
        self.errors: list[KezuriError] = []
        self.met: list[Met] = []
        self._words: tuple[str, ...] = ()
        self._unset: list[tuple[str, tuple[str, ...]]] = []
        self._cmd_set = False
        if inherited is None:
            self.variables = Variables(config.env)
            self.history: list[HistoryItem] = []
        else:
            self.variables = inherited.variables.copy()
            self.history = list(inherited.history)

    def run(self, instructions: tuple[Instruction, ...], triggers: bool = False) -> None:
        """Evaluate the instructions; what is wrong with one is kept in `errors` and does not stop the others."""
        for instruction in instructions:
            if self._growth.exceeded:
                return
            own_shell = bool(self.config.shell)
            try:
                self._dispatch(instruction)
            except KezuriError as error:
                self.errors.append(self._located(error, instruction.node))
            values = self._values(instruction) if isinstance(instruction, Arg) else ()
            self.met.append(Met(instruction, self._words, values, tuple(self._unset), own_shell, triggers))
            if self._unset or self._words:
                self._words, self._unset = (), []

    def _values(self, instruction: Arg) -> tuple[str | None, ...]:
        return tuple(self.variables.declared.get(name) for name, _ in instruction.pairs)

    def finished(self) -> ImageConfig:
        """The config that the stage ends with."""
        return self.config._replace(env=self.variables.image_env())

    def _located(self, error: KezuriError, node: Node) -> KezuriError:
        return KezuriError(
            *(
                d if d.source is not None else d._replace(source=self._source, span=d.span or node.span)
                for d in error.diagnostics
            ),
            exit_code=error.exit_code,
        )

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
                argv = self._argv(instruction.command)
                self.config = self.config._replace(cmd=argv or None, args_escaped=True)
                self._cmd_set = True
                self._note(f"CMD {json_form(argv)}")
            case Entrypoint():
                argv = self._argv(instruction.command)
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
                volumes = tuple(sorted({*self.config.volumes, *paths}))
                self.config = self.config._replace(volumes=volumes)
                self._note(f"VOLUME [{' '.join(paths)}]")
            case Stopsignal():
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

    def _expand(self, text: str) -> str:
        return expand(text, self.variables.build, self._escape, self._missing)

    def _missing(self, name: str) -> None:
        # An ARG without a value is declared: to use it is no mistake.
        if name not in self.variables.declared:
            self._unset.append((name, tuple(self.variables.build)))

    def _from(self, name: str) -> str:
        # BuildKit refuses variables after from=; every value is known here when the plan is made, so kezuri takes
        # them (docs/compatibility.md).
        if "$" not in name:
            return name
        expanded = self._expand(name)
        if not expanded:
            raise KezuriError.of(f"from={name} is empty after expansion", hint="declare it with ARG and give a value")
        return expanded

    def _note(self, text: str, operation: Operation | None = None) -> None:
        self._growth.add(len(text))
        if operation is None:
            self.history.append(HistoryItem(text))
        else:
            self.history.append(HistoryItem(text, self._index, len(self.operations)))
            self.operations.append(operation)
            self.crossing.append(named_target(self.variables.build, self._platform))

    def _argv(self, command: Command) -> tuple[str, ...]:
        if not command.shell:
            return command.argv
        return (*(self.config.shell or _DEFAULT_SHELL), " ".join(command.argv))

    def _workdir_path(self) -> str:
        return self.config.working_dir or "/"

    def _directory(self) -> str:
        return clean(self._workdir_path())

    def _env(self, instruction: Env) -> None:
        # One snapshot for the whole instruction: ENV a=1 b=$a sees the old a.
        before = dict(self.variables.build)
        pairs = []
        for name, value in instruction.pairs:
            key = expand(name, before, self._escape, self._missing)
            if not key:
                raise KezuriError.of("ENV names can not be blank")
            pairs.append((key, expand(value, before, self._escape, self._missing)))
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
            if name in self._arguments:
                value = self._arguments[name]
            elif default is not None:
                value = self._expand(default)
            else:
                value = self._globals.get(name)
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
        # BuildKit sorts the words as they are written.
        words = [w for p in sorted(instruction.ports) for w in expand_words(p, self.variables.build, self._escape)]
        self._words = tuple(words)
        ports = [port for word in words for port in expand_port(word)]
        self.config = self.config._replace(exposed_ports=tuple(sorted({*self.config.exposed_ports, *ports})))
        self._note(f"EXPOSE [{' '.join(ports)}]")

    def _healthcheck(self, instruction: Healthcheck) -> None:
        check = health_config(instruction)
        self.config = self.config._replace(healthcheck=check)
        self._note(f"HEALTHCHECK {health_text(check)}")

    def _run(self, instruction: Run) -> None:
        argv, script_name, script, title = self._run_command(instruction)
        network = self._run_network(instruction)
        if instruction.devices:
            from kezuri.plan.devices import refuse_required

            refuse_required(instruction.devices)
        security = instruction.security or "sandbox"
        if security not in ("sandbox", "insecure"):
            raise KezuriError.of(f"unsupported security mode {security!r}", hint="sandbox or insecure")

        def find(name: str, option: MountOption) -> Input:
            return self._find(self._from(name), option.span)

        mounts, agent = plan_mounts(instruction.mounts, self._workdir_path(), self._source, self._expand, find)
        env = self.variables.build
        if agent and "SSH_AUTH_SOCK" not in env:
            env = {**env, "SSH_AUTH_SOCK": agent}
        self._growth.add(sum(map(len, env)) + sum(map(len, env.values())))
        operation = RunOperation(
            title=title,
            history=f"RUN {self.variables.history_prefix()}{' '.join(argv)} # buildkit",
            node=instruction.node,
            argv=argv,
            env=tuple(env.items()),
            proxy=proxy_variables(self._arguments),
            cwd=self._directory(),
            user=self.config.user,
            mounts=mounts,
            network=network,
            insecure=security == "insecure",
            script_name=script_name,
            script=script,
            platform=self._platform,
            arguments=self.variables.arguments(),
        )
        self._note(operation.history, operation)

    def _run_network(self, instruction: Run) -> str:
        network = instruction.network or "default"
        if network == "default":
            network = self._network or "default"
        if network not in ("default", "none", "host"):
            raise KezuriError.of(f"unsupported network mode {network!r}", hint="default, none or host")
        return network

    def _run_command(self, instruction: Run) -> tuple[tuple[str, ...], str, bytes, str]:
        command = instruction.command
        title = instruction.node.original.strip()
        if not command.shell:
            if not command.argv:
                raise KezuriError.of("RUN needs a command")
            return command.argv, "", b"", title
        # Without a command the shell gets an empty one, and succeeds.
        text = " ".join(command.argv)
        if not instruction.heredocs:
            return self._argv(command), "", b"", title
        first = instruction.heredocs[0]
        if len(instruction.heredocs) == 1 and _is_only_heredoc(text):
            body = first.text
            if body.startswith("#!"):
                path = f"/dev/pipes/{first.name}"
                return self._argv(Command(True, (path,))), first.name, body.encode("utf-8", "surrogateescape"), title
            return self._argv(Command(True, (body,))), "", b"", title
        whole = text + "".join(f"\n{h.body}{h.name}" for h in instruction.heredocs)
        return self._argv(Command(True, (whole,))), "", b"", title

    def _copy(self, instruction: Copy) -> None:
        add = instruction.node.keyword == "ADD"
        # The words of a JSON array are expanded and unquoted as well, as in BuildKit.
        self._words = sources = tuple(self._expand(s) for s in instruction.sources)
        destination = self._expand(instruction.destination)
        heredocs = tuple(self._heredoc(h) for h in instruction.heredocs)
        chown = self._expand(instruction.chown) if instruction.chown is not None else ""
        if instruction.link and needs_accounts(chown):
            raise KezuriError.of(
                f"--chown={chown}: user and group names can't be resolved when used with --link",
                hint="use numbers (uid[:gid]) instead, or leave --link out",
            )
        chmod = self._expand(instruction.chmod) if instruction.chmod is not None else ""
        if chmod:
            from kezuri.dockerfile.chmod import parse_chmod

            parse_chmod(chmod)
        remotes: tuple[Remote | None, ...] = ()
        if instruction.checksum is not None or any("://" in s or "@" in s for s in sources):
            remotes = self._remotes(instruction, sources)
        found: Input = ContextInput()
        if instruction.source_image is not None:
            found = self._find(self._from(instruction.source_image), instruction.from_span)
        said = [*sources, *(f"<<{name}" for name, _ in heredocs)]
        flags = [
            *(["--parents"] if instruction.parents else []),
            *([f"--chown={chown}"] if chown else []),
            *([f"--chmod={chmod}"] if chmod else []),
        ]
        text = " ".join([instruction.node.keyword, *flags, *said, destination])
        operation = CopyOperation(
            title=instruction.node.original.strip(),
            history=f"{text} # buildkit",
            node=instruction.node,
            add=add,
            input=found,
            sources=sources,
            heredocs=heredocs,
            order=instruction.order,
            destination=absolute(self._workdir_path(), destination),
            chown=chown,
            chmod=chmod,
            # BuildKit drops --link where --chmod is given as well.
            link=instruction.link and not chmod,
            parents=instruction.parents,
            excludes=instruction.excludes,
            unpack=instruction.unpack,
            source_spans=instruction.source_spans,
            remotes=remotes,
        )
        self._note(operation.history, operation)

    def _heredoc(self, heredoc: Heredoc) -> tuple[str, bytes]:
        text = heredoc.text
        if heredoc.expand:
            text = expand_heredoc(text, self.variables.build, self._missing)
        return heredoc.name, text.encode("utf-8", "surrogateescape")

    def _remotes(self, instruction: Copy, sources: tuple[str, ...]) -> tuple[Remote | None, ...]:
        from kezuri.plan.remote import Words, remote_words

        checksum = self._expand(instruction.checksum) if instruction.checksum is not None else None
        words = Words(instruction.node.keyword, sources, instruction.source_spans, self._source)
        return remote_words(words, checksum, instruction.keep_git_dir)


def _is_only_heredoc(text: str) -> bool:
    try:
        return read_word(text.strip()) is not None
    except LexError:
        return False
