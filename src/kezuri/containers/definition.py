"""The process of a container: what its user asks for and what its image says, together."""

import os
from signal import SIGRTMAX, SIGTERM
from typing import Literal

from kezuri.containers.request import RunRequest
from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.plan.signals import signal_number
from kezuri.plan.variables import DEFAULT_PATH
from kezuri.sandbox.step import HostMount, Mount, Root, Step
from kezuri.tree.accounts import home, user_ids
from kezuri.tree.stack import StackView


def define(request: RunRequest, config: ImageConfig, view: StackView, root: Root, ca_bundle: str) -> Step:
    """The process that the request asks for of an image with this config and these files, in this root. KezuriError
    names what of it cannot be."""
    user = request.user or config.user
    uid, gid, groups = user_ids(user, view)
    env = config.env_map()
    env.setdefault("PATH", DEFAULT_PATH)
    env.setdefault("HOSTNAME", request.hostname or request.name or "kezuri")
    if request.tty:
        env.setdefault("TERM", os.environ.get("TERM", "xterm"))
    env.update(request.env)
    env.setdefault("HOME", home(uid, view))
    return Step(
        root=root,
        argv=_command(request, config),
        env=tuple(env.items()),
        cwd=request.workdir or config.working_dir or "/",
        uid=uid,
        gid=gid,
        groups=groups,
        hostname=env["HOSTNAME"] if not request.hostname else request.hostname,
        mounts=tuple(_volume(*volume) for volume in request.volumes),
        network=_network(request),
        hosts=request.hosts,
        ulimits=request.ulimits,
        shm_size=request.shm_size or 64 << 20,
        ca_bundle=ca_bundle,
        tty=request.tty,
        ports=request.ports,
        readonly=request.readonly,
        stop_signal=_stop_signal(request.stop_signal or config.stop_signal),
        grace=request.grace,
        init=request.init,
    )


def _volume(host: str, container: str, readonly: bool) -> Mount:
    source = os.path.abspath(os.path.expanduser(host))
    if not os.path.exists(source):
        raise KezuriError.of(f"the volume {host} does not exist", hint="make it first, or name another", exit_code=125)
    return HostMount(source, container, not readonly)


def _network(request: RunRequest) -> Literal["host", "none", "private"]:
    if request.network == "none":
        return "none"
    if request.network == "host":
        if request.ports:
            raise KezuriError.of(
                "ports cannot be published with --network host",
                hint="the container has this machine's ports already",
                exit_code=2,
            )
        return "host"
    return "private" if request.ports else "host"


def _stop_signal(text: str) -> int:
    """The signal by which the container is asked to end: SIGTERM unless the image names one that there is."""
    number = signal_number(text) if text else None
    return number if number is not None and 0 < number <= SIGRTMAX else int(SIGTERM)


def _command(request: RunRequest, config: ImageConfig) -> tuple[str, ...]:
    entrypoint, cmd = config.entrypoint or (), config.cmd or ()
    if request.entrypoint is not None:
        entrypoint, cmd = ((request.entrypoint,) if request.entrypoint else ()), ()
    if request.command:
        cmd = request.command
    argv = (*entrypoint, *cmd)
    if not argv:
        raise KezuriError.of("the image names no command", hint="give one after the image's name", exit_code=125)
    return argv
