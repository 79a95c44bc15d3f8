"""What a container is to be, as its user asks for it."""

from typing import NamedTuple

from kezuri.sandbox.step import Port


class RunRequest(NamedTuple):
    """`kezuri run`. `entrypoint` None means the image's own; an empty text clears it. `volumes` are (host path,
    container path, read-only). `command` empty means the image's CMD. `sig_proxy`: signals that come to us go to it.
    `stop_signal` (empty: the image's, else SIGTERM) asks it to end; `grace` seconds later it is killed (less than 0:
    never)."""

    image: str
    command: tuple[str, ...] = ()
    entrypoint: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    ports: tuple[Port, ...] = ()
    volumes: tuple[tuple[str, str, bool], ...] = ()
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
    platform: str = ""
    hosts: tuple[tuple[str, str], ...] = ()
    ulimits: tuple[tuple[str, int, int], ...] = ()
    shm_size: int = 0
