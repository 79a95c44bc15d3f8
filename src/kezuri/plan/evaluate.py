"""One stage's instructions, evaluated in order: operations on its files, and the config folded together."""

import posixpath
from collections.abc import Callable, Mapping

from kezuri.diagnostics import KezuriError, SourceText, Span
from kezuri.dockerfile.command import json_form, quote
from kezuri.dockerfile.expansion import expand, expand_heredoc, expand_words
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
from kezuri.oci.config import ImageConfig
from kezuri.plan.expose import expand_port
from kezuri.plan.mounts import plan_mounts
from kezuri.plan.operation import (
    ContextInput,
    CopyOperation,
    HistoryItem,
    Input,
    Operation,
    RunOperation,
    WorkdirOperation,
)
from kezuri.plan.signals import check_signal
from kezuri.plan.variables import PROXIES, Variables

Finder = Callable[[str, Span | None], Input]
"""Turns the name after `from=` into an input; KezuriError with the span when there is none."""

_DEFAULT_SHELL = ("/bin/sh", "-c")


class StageEvaluation:
    """The state of a stage while its instructions are evaluated.

    `inherited` is the evaluation of the stage that this one is based on, if it is based on one.
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
        find: Finder,
        inherited: "StageEvaluation | None" = None,
    ) -> None:
        self._index = index
        self._source = source
        self._escape = escape
        self._arguments = arguments
        self._globals = global_arguments
        self._network = network
        self._find = find
        self.config = config
        self.operations: list[Operation] = []
        self.errors: list[KezuriError] = []
        self._cmd_set = False
        if inherited is None:
            self.variables = Variables(config.env_map())
            self.history: list[HistoryItem] = []
        else:
            self.variables = inherited.variables.copy()
            self.history = list(inherited.history)

    def run(self, instructions: tuple[Instruction, ...]) -> None:
        """Evaluate the instructions; what is wrong with one is kept in `errors` and does not stop the others."""
        for instruction in instructions:
            try:
                self._dispatch(instruction)
            except KezuriError as error:
                self.errors.append(self._located(error, instruction.node))

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
        return expand(text, self.variables.build, self._escape)

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
        if operation is None:
            self.history.append(HistoryItem(text))
        else:
            self.history.append(HistoryItem(text, self._index, len(self.operations)))
            self.operations.append(operation)

    def _argv(self, command: Command) -> tuple[str, ...]:
        if not command.shell:
            return command.argv
        return (*(self.config.shell or _DEFAULT_SHELL), *command.argv)

    def _workdir_path(self) -> str:
        return self.config.working_dir or "/"

    def _env(self, instruction: Env) -> None:
        # One snapshot for the whole instruction: ENV a=1 b=$a sees the old a.
        before = dict(self.variables.build)
        pairs = []
        for name, value in instruction.pairs:
            key = expand(name, before, self._escape)
            if not key:
                raise KezuriError.of("ENV names can not be blank")
            pairs.append((key, expand(value, before, self._escape)))
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
        path = posixpath.normpath(posixpath.join("/", self._workdir_path(), self._expand(instruction.path)))
        path = "/" + path.lstrip("/")
        self.config = self.config._replace(working_dir=path)
        if path == "/":
            self._note(f"WORKDIR {path}")
            return
        operation = WorkdirOperation(
            instruction.node.original.strip(), f"WORKDIR {path}", instruction.node, path, self.config.user
        )
        self._note(operation.history, operation)

    def _expose(self, instruction: Expose) -> None:
        words = [w for p in instruction.ports for w in expand_words(p, self.variables.build, self._escape)]
        ports = sorted({port for word in words for port in expand_port(word)})
        self.config = self.config._replace(exposed_ports=tuple(sorted({*self.config.exposed_ports, *ports})))
        self._note(f"EXPOSE [{' '.join(ports)}]")

    def _healthcheck(self, instruction: Healthcheck) -> None:
        command = instruction.command
        check: dict[str, object]
        if command is None:
            check = {"Test": ["NONE"]}
        elif command.shell:
            check = {"Test": ["CMD-SHELL", *command.argv]}
        else:
            check = {"Test": ["CMD", *command.argv]}
        for name, value in (
            ("Interval", instruction.interval),
            ("Timeout", instruction.timeout),
            ("StartPeriod", instruction.start_period),
            ("StartInterval", instruction.start_interval),
            ("Retries", instruction.retries),
        ):
            if value:
                check[name] = value
        self.config = self.config._replace(healthcheck=check)
        self._note(f"HEALTHCHECK {_healthcheck_text(check)}")

    def _run(self, instruction: Run) -> None:
        argv, script_name, script, title = self._run_command(instruction)
        network = self._run_network(instruction)
        if instruction.devices:
            raise KezuriError.of("RUN --device is not supported", hint="kezuri passes no devices into steps")
        security = instruction.security or "sandbox"
        if security not in ("sandbox", "insecure"):
            raise KezuriError.of(f"unsupported security mode {security!r}", hint="sandbox or insecure")

        def find(name: str, option: MountOption) -> Input:
            return self._find(self._from(name), option.span)

        mounts = plan_mounts(instruction.mounts, self._workdir_path(), self._source, self._expand, find)
        proxy = tuple(
            (k, v) for k, v in sorted(self._arguments.items()) if k in PROXIES and k not in self.variables.declared
        )
        operation = RunOperation(
            title=title,
            history=f"RUN {self.variables.history_prefix()}{' '.join(argv)} # buildkit",
            node=instruction.node,
            argv=argv,
            env=tuple(self.variables.build.items()),
            proxy=proxy,
            cwd=self._workdir_path(),
            user=self.config.user,
            mounts=mounts,
            network=network,
            insecure=security == "insecure",
            script_name=script_name,
            script=script,
        )
        self._note(operation.history, operation)

    def _run_network(self, instruction: Run) -> str:
        network = instruction.network or self._network or "default"
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
        text = command.argv[0]
        if not instruction.heredocs:
            return self._argv(command), "", b"", title
        first = instruction.heredocs[0]
        if len(instruction.heredocs) == 1 and _is_only_heredoc(text, first, self._source):
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
        sources = tuple(self._expand(s) for s in instruction.sources)
        destination = self._expand(instruction.destination)
        heredocs = tuple(self._heredoc(h) for h in instruction.heredocs)
        chown = self._expand(instruction.chown) if instruction.chown is not None else ""
        chmod = self._expand(instruction.chmod) if instruction.chmod is not None else ""
        if add:
            self._refuse_remote(instruction, sources)
        found: Input = ContextInput()
        if instruction.source_image is not None:
            if heredocs:
                raise KezuriError.of("COPY --from takes no heredoc sources")
            found = self._find(self._from(instruction.source_image), instruction.from_span)
        said = [*sources, *(f"<<{name}" for name, _ in heredocs)]
        ordered = [sources[i] if i >= 0 else f"<<{heredocs[-1 - i][0]}" for i in instruction.order] or said
        flags = [
            *(["--parents"] if instruction.parents else []),
            *([f"--chown={chown}"] if chown else []),
            *([f"--chmod={chmod}"] if chmod else []),
        ]
        text = " ".join([instruction.node.keyword, *flags, *ordered, destination])
        operation = CopyOperation(
            title=instruction.node.original.strip(),
            history=f"{text} # buildkit",
            node=instruction.node,
            add=add,
            input=found,
            sources=sources,
            heredocs=heredocs,
            order=instruction.order,
            destination=_destination(self._workdir_path(), destination),
            chown=chown,
            chmod=chmod,
            # BuildKit drops --link where --chmod is given as well.
            link=instruction.link and not chmod,
            parents=instruction.parents,
            excludes=instruction.excludes,
            unpack=instruction.unpack,
            source_spans=instruction.source_spans,
        )
        self._note(operation.history, operation)

    def _heredoc(self, heredoc: Heredoc) -> tuple[str, bytes]:
        text = heredoc.text
        if heredoc.expand:
            text = expand_heredoc(text, self.variables.build)
        return heredoc.name, text.encode("utf-8", "surrogateescape")

    def _refuse_remote(self, instruction: Copy, sources: tuple[str, ...]) -> None:
        for i, source in enumerate(sources):
            if source.startswith(("http://", "https://", "git://", "ssh://", "git@")):
                span = instruction.source_spans[i] if i < len(instruction.source_spans) else None
                raise KezuriError.of(
                    f"ADD of a remote source is not supported yet: {source}",
                    hint="fetch it in a RUN step, or put it into the context",
                    source=self._source,
                    span=span,
                )
        if instruction.checksum is not None:
            raise KezuriError.of("checksum can't be specified for non-HTTP(S) or non-Git sources")


def _destination(workdir: str, destination: str) -> str:
    path = posixpath.normpath(posixpath.join("/", workdir, destination))
    path = "/" + path.lstrip("/")
    # `dir/` and `dir/.` say that the destination is a directory; normalising must not lose that.
    if destination.endswith(("/", "/.")) or destination in (".", ""):
        return path if path == "/" else path + "/"
    return path


def _is_only_heredoc(text: str, heredoc: Heredoc, source: SourceText) -> bool:
    word = source.text[heredoc.span.start : heredoc.span.end].strip()
    return text.strip() == word


def _healthcheck_text(check: Mapping[str, object]) -> str:
    # Go's %q of a *HealthcheckConfig, which is what BuildKit writes: strings quoted, durations as their text,
    # the number of retries as a quoted character.
    test = check["Test"]
    words = " ".join(quote(str(w)) for w in test) if isinstance(test, list) else ""
    durations = [
        quote(_go_duration(int(str(check.get(n, 0))))) for n in ("Interval", "Timeout", "StartPeriod", "StartInterval")
    ]
    retries = int(str(check.get("Retries", 0)))
    character = f"\\x{retries:02x}" if retries < 0x20 or retries == 0x7F else chr(retries)
    return f"&{{[{words}] {' '.join(durations)} '{character}'}}"


def _go_duration(nanoseconds: int) -> str:
    """A duration as Go's time.Duration prints it."""
    if nanoseconds == 0:
        return "0s"
    if nanoseconds < 1_000_000_000:
        for unit, size in (("ms", 1_000_000), ("µs", 1_000), ("ns", 1)):
            if nanoseconds >= size:
                whole, rest = divmod(nanoseconds, size)
                fraction = f".{rest:0{len(str(size)) - 1}d}".rstrip("0").rstrip(".") if size > 1 else ""
                return f"{whole}{fraction}{unit}"
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    hours, minutes = divmod(seconds // 60, 60)
    text = f"{seconds % 60}{fraction}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
