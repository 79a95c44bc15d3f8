"""A process to be run in a root file system, described as a value, and the door behind which runtimes stand."""

import threading
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol


class Root(NamedTuple):
    """The root file system: layer directories in overlay form, topmost first, and where changes go.

    `upper` and `work` are empty directories on one file system; changes are found in `upper` afterwards, in overlay
    form, and nothing else: mount points that had to be made are gone again. Without `upper` changes are discarded.
    """

    lowers: tuple[str, ...]
    upper: str = ""
    work: str = ""


class TreeMount(NamedTuple):
    """Part of another stack of layer directories (topmost first), mounted at `target`; writes are discarded.

    `source` is a path inside the merged stack, symlinks resolved within it. A stack of one ordinary directory is the
    way to mount a host directory or file read-only.
    """

    lowers: tuple[str, ...]
    source: str
    target: str
    writable: bool = False


class HostMount(NamedTuple):
    """A directory or file of this machine, at `target`; writes stay (cache mounts, volumes). Devices work only where
    the mount is one (`device`)."""

    source: str
    target: str
    writable: bool = True
    device: bool = False


class TmpfsMount(NamedTuple):
    """An empty tmpfs of at most `size` bytes (0: the kernel's default).

    `mode` is for a directory that the image does not have, and the mode of one that it has is kept, unless it is to be
    `exact`.
    """

    target: str
    size: int = 0
    mode: int = 0o1777
    exact: bool = False
    uid: int = 0
    gid: int = 0
    noexec: bool = False
    readonly: bool = False


class SecretMount(NamedTuple):
    """A file on a tmpfs of its own, never written to a disk, read-only, nodev, nosuid."""

    target: str
    data: bytes
    mode: int = 0o400
    uid: int = 0
    gid: int = 0


class AgentMount(NamedTuple):
    """An SSH agent's socket, forwarded to the socket `agent` of this machine."""

    target: str
    agent: str
    mode: int = 0o600
    uid: int = 0
    gid: int = 0


class FileMount(NamedTuple):
    """A small read-only file made for the step (a heredoc script)."""

    target: str
    data: bytes
    mode: int = 0o644


Mount = TreeMount | HostMount | TmpfsMount | SecretMount | AgentMount | FileMount


class Port(NamedTuple):
    """A port of the process that is published on this machine: at all of its addresses where none is named, and at
    a free number where `host` is 0."""

    container: int
    host: int
    address: str = ""
    protocol: Literal["tcp", "udp"] = "tcp"


class Uplink(NamedTuple):
    """The program that connects a private network with this machine's, and where it is.

    `answers`: it is to answer for this machine's name server, which the step cannot reach itself.
    """

    program: Literal["pasta", "slirp4netns"]
    path: str
    answers: bool = False


class Step(NamedTuple):
    """One process: what to run, as whom, where, and what it may see.

    `uid`, `gid` and `groups` are numbers in the image's own view. `network`: `host` shares this machine's, `none` has
    only a loopback interface; `private` has one too, and what an `uplink` adds, and `ports` are forwarded into it.
    `resolver` is the text of /etc/resolv.conf (empty: what the network implies).
    `hosts` are (name, address) lines for /etc/hosts. `ulimits` are (name, soft, hard), -1 for unlimited.
    `ca_bundle` is a file of this machine with PEM certificates, shown to the process read-only at a private path and
    announced by the variables that clients read (only those that `env` does not set already); it leaves no trace in
    the layer. `tty` gives the process a terminal; `stdin` is the file descriptor it reads from (-1: nothing).
    `insecure` gives all capabilities, no seccomp, writable /sys. A step that is stopped gets its `stop_signal`, and
    SIGKILL after `grace` seconds (less than 0: never). Capabilities are named without CAP_, `ALL` is every one: root
    has docker's but for those that are dropped, and those that are added. `unfiltered` is without the system call
    filter. With `init` the process is not the first of its PID namespace: that is one of the sandbox's, which passes
    signals on and waits for orphans. `backwards`: directories are read in reverse (`backwards.py`).
    """

    root: Root
    argv: tuple[str, ...]
    env: tuple[tuple[str, str], ...] = ()
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    hostname: str = "kezuri"
    mounts: tuple[Mount, ...] = ()
    network: Literal["host", "none", "private"] = "host"
    hosts: tuple[tuple[str, str], ...] = ()
    ulimits: tuple[tuple[str, int, int], ...] = ()
    shm_size: int = 64 << 20
    insecure: bool = False
    ca_bundle: str = ""
    tty: bool = False
    stdin: int = -1
    ports: tuple[Port, ...] = ()
    readonly: bool = False
    stop_signal: int = 15
    grace: float = 10.0
    init: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    unfiltered: bool = False
    uplink: Uplink | None = None
    resolver: str = ""
    backwards: bool = False


class Exit(NamedTuple):
    """How a step's process ended. `exit_code` is 128 + the signal's number where a signal ended it. `oom`: the kernel
    killed it, or a process that it had started, for want of memory. `peak` is the most memory that all of them held,
    `memory` their limit, in bytes; 0 where these are not known."""

    exit_code: int
    signal: int = 0
    oom: bool = False
    peak: int = 0
    memory: int = 0


Output = Callable[[int, bytes], None]
"""Receives what the process prints: the stream (1 or 2) and the bytes, from one thread at a time."""


class Signal(NamedTuple):
    """An order: this signal for the step's first process, as soon as its program has started.

    One that asks a program to end (SIGTERM, SIGINT, SIGHUP, SIGQUIT) ends the step where its first process has no
    handler for it, as it ends any other process: the kernel itself spares the first of a PID namespace.
    """

    number: int


class Stop(NamedTuple):
    """An order: the step's stop signal, and SIGKILL when its grace is over; with `kill`, SIGKILL now."""

    kill: bool = False


class Probe(NamedTuple):
    """An order: run this beside the step's program, as the same user, in the same directory and environment, and tell
    the attendant how it ended; `timeout` seconds at most."""

    argv: tuple[str, ...]
    timeout: float


Order = Signal | Stop | Probe


class Attendant(Protocol):
    """Whoever looks after a step while it runs. All of it is called by the thread that runs the step."""

    def bound(self, ports: tuple[Port, ...]) -> None:
        """The published ports listen, with the addresses and numbers that they have now."""
        ...

    def started(self) -> None:
        """The program runs."""
        ...

    def warned(self, text: str) -> None:
        """Something of the step is not as it was asked for."""
        ...

    def probed(self, code: int, output: bytes) -> None:
        """A probe has ended with this exit code (less than 0: it was killed, since it took too long); the beginning of
        what it said."""
        ...

    def orders(self) -> Sequence[Order]:
        """What is to be done now; asked for some times a second."""
        ...


class Sandbox(Protocol):
    """Runs steps. Several threads may run steps at once."""

    name: str

    def run(self, step: Step, output: Output, cancel: threading.Event, attendant: Attendant | None = None) -> Exit:
        """Run the step to its end. When `cancel` is set the process is stopped (stop signal, then SIGKILL after the
        step's grace); `attendant` may give other orders. KezuriError when the process could not be started: a command
        that is not there is no such error but exit code 127, one that cannot be executed 126, with the reason on stream
        2, as a shell would have it."""
        ...

    def close(self) -> None:
        """Stop everything that is still running and release what is held."""
        ...
