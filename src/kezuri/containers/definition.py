"""The process of a container: what its user asks for and what its image says, together."""

import os
from collections.abc import Callable
from signal import SIGRTMAX, SIGTERM

from kezuri.containers.network import choose, published, resolver
from kezuri.containers.request import RunRequest
from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.plan.signals import signal_number
from kezuri.plan.variables import DEFAULT_PATH
from kezuri.sandbox.step import Root, Step
from kezuri.tree.accounts import group_ids, home, user_ids
from kezuri.tree.stack import StackView

FILTERED = (
    *("SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_TIME", "SYS_TTY_CONFIG"),
    *("SYS_NICE", "SYSLOG", "BPF", "PERFMON", "DAC_READ_SEARCH", "ALL"),
)
"""Capabilities of system calls that the sandbox's filter refuses whatever a process has; docker's lets them through."""


def define(request: RunRequest, config: ImageConfig, view: StackView, root: Root, say: Callable[[str], None]) -> Step:
    """The process that the request asks for of an image with this config and these files, in this root. KezuriError
    names what of it cannot be; `say` hears what is not as people may expect it."""
    ports = published(request, config.exposed_ports)
    network = choose(request, ports)
    if network.notice:
        say(network.notice)
    if request.asks_for_gateway and network.kind != "host":
        say("host-gateway is the container's own loopback here: --network host reaches this machine")
    blocked = [name for name in request.add_capabilities if name in FILTERED]
    if blocked and not request.unfiltered:
        what = "such capabilities are" if blocked[0] == "ALL" else f"CAP_{blocked[0]} is"
        say(f"the system call filter still refuses what {what} for: --security-opt seccomp=unconfined lets it through")
    names, network = resolver(request, network, _machine_resolver())
    user = request.user or config.user
    uid, gid, groups = user_ids(user, view)
    groups = (*groups, *(gid for gid in group_ids(request.group_add, view) if gid not in groups))
    env = config.env_map()
    env.setdefault("PATH", DEFAULT_PATH)
    env.setdefault("HOSTNAME", request.hostname or request.name[:63] or "kezuri")
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
        mounts=request.mounts,
        network=network.kind,
        uplink=network.uplink,
        resolver=names,
        hosts=request.hosts,
        ulimits=request.ulimits,
        shm_size=request.shm_size or 64 << 20,
        tty=request.tty,
        ports=ports,
        readonly=request.readonly,
        stop_signal=_stop_signal(request.stop_signal or config.stop_signal),
        grace=request.grace,
        init=request.init,
        add_capabilities=request.add_capabilities,
        drop_capabilities=request.drop_capabilities,
        unfiltered=request.unfiltered,
    )


def _machine_resolver() -> str:
    try:
        with open("/etc/resolv.conf", encoding="utf-8", errors="surrogateescape") as file:
            return file.read(1 << 20)
    except OSError:
        return ""


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
    if request.tools and request.entrypoint is None:
        entrypoint, cmd = (), request.command or ("sh",)
    argv = (*entrypoint, *cmd)
    if not argv:
        raise KezuriError.of("the image names no command", hint="give one after the image's name", exit_code=125)
    return argv
