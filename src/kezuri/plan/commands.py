"""Commands: the words that RUN, CMD and ENTRYPOINT start, and RUN as an operation."""

from collections.abc import Mapping
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.dockerfile.heredocs import read_word
from kezuri.dockerfile.instructions import Command, Run
from kezuri.dockerfile.lexer import LexError
from kezuri.oci.config import ImageConfig
from kezuri.oci.platform import Platform
from kezuri.plan.inputs import Finder
from kezuri.plan.operation import RunMount, RunOperation
from kezuri.plan.paths import clean
from kezuri.plan.variables import Variables, proxy_variables

_DEFAULT_SHELL = ("/bin/sh", "-c")


class RunDefaults(NamedTuple):
    """What a build gives all its RUNs: the network where an instruction does not name one (empty: the default), and the
    build arguments, for the proxies among them."""

    network: str
    arguments: Mapping[str, str]


def words_of(command: Command, shell: tuple[str, ...] | None) -> tuple[str, ...]:
    """The words that are started: those of the exec form, or the shell with the text of the shell form."""
    if not command.shell:
        return command.argv
    return (*(shell or _DEFAULT_SHELL), " ".join(command.argv))


def plan_run(
    run: Run, config: ImageConfig, variables: Variables, platform: Platform, defaults: RunDefaults, find: Finder
) -> RunOperation:
    """The operation of a RUN in a stage with this config and these variables. KezuriError for what it must not say."""
    argv, script_name, script = _command(run, config.shell)
    network = _network(run.network, defaults.network)
    if run.devices:
        from kezuri.plan.devices import refuse_required

        refuse_required(run.devices)
    security = run.security or "sandbox"
    if security not in ("sandbox", "insecure"):
        raise KezuriError.of(f"unsupported security mode {security!r}", hint="sandbox or insecure")
    workdir = config.working_dir or "/"
    mounts: tuple[RunMount, ...] = ()
    env: Mapping[str, str] = variables.build
    if run.mounts:
        from kezuri.plan.mounts import plan_mounts

        mounts, agent = plan_mounts(
            run, workdir, variables.expand, lambda name, place: find(variables.input_name(name), place)
        )
        if agent and "SSH_AUTH_SOCK" not in env:
            env = {**env, "SSH_AUTH_SOCK": agent}
    return RunOperation(
        title=run.node.original.strip(),
        history=f"RUN {variables.history_prefix()}{' '.join(argv)} # buildkit",
        node=run.node,
        argv=argv,
        env=tuple(env.items()),
        proxy=proxy_variables(defaults.arguments),
        cwd=clean(workdir),
        user=config.user,
        mounts=mounts,
        network=network,
        insecure=security == "insecure",
        script_name=script_name,
        script=script,
        platform=platform,
        arguments=variables.arguments(),
    )


def _network(said: str | None, default: str) -> str:
    network = said or "default"
    if network == "default":
        network = default or "default"
    if network not in ("default", "none", "host"):
        raise KezuriError.of(f"unsupported network mode {network!r}", hint="default, none or host")
    return network


def _command(run: Run, shell: tuple[str, ...] | None) -> tuple[tuple[str, ...], str, bytes]:
    """The words that are started, and the name and the bytes of the script that they start, if there is one."""
    command = run.command
    if not command.shell:
        if not command.argv:
            raise KezuriError.of("RUN needs a command")
        return command.argv, "", b""
    if not run.heredocs:
        # A RUN without any text starts the shell with an empty command, which succeeds.
        return words_of(command, shell), "", b""
    text, first = " ".join(command.argv), run.heredocs[0]
    if len(run.heredocs) == 1 and _is_only_heredoc(text):
        body = first.text
        if body.startswith("#!"):
            path = f"/dev/pipes/{first.name}"
            return words_of(Command(True, (path,)), shell), first.name, body.encode("utf-8", "surrogateescape")
        return words_of(Command(True, (body,)), shell), "", b""
    whole = text + "".join(f"\n{h.body}{h.name}" for h in run.heredocs)
    return words_of(Command(True, (whole,)), shell), "", b""


def _is_only_heredoc(text: str) -> bool:
    try:
        return read_word(text.strip()) is not None
    except LexError:
        return False
