"""What a container is to be, as its user asks for it."""

from typing import NamedTuple

from kezuri.containers.health import HealthOptions
from kezuri.linux.cgroups import Limits
from kezuri.sandbox.step import HostMount, Port, TmpfsMount


class NamedVolume(NamedTuple):
    """A volume of the store at a path of the container, made if it is not there. `copies`: one that is empty begins
    with what the image has at the path."""

    name: str
    target: str
    writable: bool = True
    copies: bool = True


class RunRequest(NamedTuple):
    """`kezuri run`. `entrypoint` None means the image's own; an empty text clears it. `command` empty means the image's
    CMD. `volumes` are paths in the container whose files live as long as it does, `named` volumes stay.

    `tools` are shown beside the root, and the command is a shell, or what is named, without the image's entrypoint.
    `network` empty means that none was named; `exposed` are ports such as `80/tcp`; `asks_for_gateway`: a host is to
    have the address `host-gateway`. `sig_proxy`: signals that come to us go to the container. `stop_signal` (empty: the
    image's, else SIGTERM) asks it to end; `grace` seconds later it is killed (less than 0: never).
    """

    image: str
    command: tuple[str, ...] = ()
    entrypoint: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    ports: tuple[Port, ...] = ()
    mounts: tuple[HostMount | TmpfsMount, ...] = ()
    volumes: tuple[str, ...] = ()
    named: tuple[NamedVolume, ...] = ()
    user: str = ""
    workdir: str = ""
    hostname: str = ""
    name: str = ""
    network: str = ""
    interactive: bool = False
    tty: bool = False
    remove: bool = True
    readonly: bool = False
    pull: str = "missing"
    init: bool = False
    sig_proxy: bool = True
    stop_signal: str = ""
    grace: float = 10.0
    publish_all: bool = False
    exposed: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    group_add: tuple[str, ...] = ()
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    unfiltered: bool = False
    no_new_privileges: bool = False
    cidfile: str = ""
    tools: bool = False
    limits: Limits | None = None
    asks_for_gateway: bool = False
    health: HealthOptions = HealthOptions()
    platform: str = ""
    hosts: tuple[tuple[str, str], ...] = ()
    ulimits: tuple[tuple[str, int, int], ...] = ()
    shm_size: int = 0
