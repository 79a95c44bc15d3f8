"""The SSH agents that a build's steps may ask: those of this machine, or one of our own that holds given key files."""

import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

from kezuri.app.request import AgentSource
from kezuri.diagnostics import KezuriError

_PREFIX = "kezuri-ssh-"
_YOUNG = 60.0
"""Seconds for which a directory that is not locked may be one that another process is just making."""


def open_agents(sources: tuple[AgentSource, ...], environ: Mapping[str, str], held: ExitStack) -> dict[str, str]:
    """The socket of each agent by its id. An agent of key files runs until `held` is closed.

    KezuriError when a key cannot be used: it is not there, is no private key, or wants a passphrase.
    """
    return {
        source.id: _with_keys(source, held) if source.keys else source.socket or environ.get("SSH_AUTH_SOCK", "")
        for source in sources
    }


def _with_keys(source: AgentSource, held: ExitStack) -> str:
    import subprocess

    socket = os.path.join(held.enter_context(_directory()), "agent")
    none = subprocess.DEVNULL
    try:
        agent = subprocess.Popen(
            ["ssh-agent", "-D", "-a", socket],
            stdin=none,
            stdout=none,
            stderr=none,
            start_new_session=True,
            preexec_fn=_die_with_us(),
        )
    except FileNotFoundError:
        raise KezuriError.of(
            f"--ssh {source.id}: key files need the program ssh-agent",
            hint="install openssh-client, or give the socket of a running agent",
        ) from None
    held.callback(agent.wait)
    held.callback(agent.terminate)
    while not os.path.exists(socket):
        if agent.poll() is not None:
            raise KezuriError.of(f"--ssh {source.id}: ssh-agent ended with {agent.returncode}")
        time.sleep(0.002)
    own = {**os.environ, "SSH_AUTH_SOCK": socket, "SSH_ASKPASS_REQUIRE": "never"}
    own.pop("DISPLAY", None)
    for key in source.keys:
        try:
            # From standard input, ssh-add takes a key whoever may read its file, as docker does.
            with open(key, "rb") as file:
                added = subprocess.run(
                    ["ssh-add", "-q", "-"],
                    env=own,
                    stdin=file,
                    stdout=none,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                    check=False,
                )
        except OSError as error:
            raise KezuriError.of(f"--ssh {source.id}: the key {key} cannot be read: {error.strerror}") from None
        if added.returncode:
            said = added.stderr.decode("utf-8", "replace").strip()
            locked = "passphrase" in said.lower()
            raise KezuriError.of(
                f"--ssh {source.id}: the key {key} "
                + ("has a passphrase" if locked else "cannot be used: it is no private key that ssh-add can read"),
                hint=f"put it into an agent before: ssh-add {key}, then --ssh {source.id}"
                if locked
                else "name the file of a private key, not the one that ends in .pub",
            )
    return socket


@contextmanager
def _directory() -> Iterator[str]:
    """A directory for an agent's socket, locked while we live; those that killed processes have left go away.

    It is none of the store's: a socket's path has 107 bytes at most, and the store's may be longer than that.
    """
    import tempfile

    directory = tempfile.mkdtemp(prefix=_PREFIX)
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in os.listdir(os.path.dirname(directory)):
            if name.startswith(_PREFIX):
                with suppress(OSError):
                    _sweep(os.path.join(os.path.dirname(directory), name))
        yield directory
    finally:
        with suppress(OSError):
            _remove(directory)
        os.close(lock)


def _sweep(path: str) -> None:
    """Remove a directory of ours that nobody holds. OSError when it is held, not ours or not to be removed."""
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        status = os.fstat(lock)
        if status.st_uid == os.geteuid() and time.time() - status.st_mtime > _YOUNG:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)
    finally:
        os.close(lock)


def _remove(directory: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(directory, "agent"))
    os.rmdir(directory)


def _die_with_us() -> Callable[[], None]:
    """What the agent's process does before it becomes the agent, so that the keys are gone when we are killed."""
    from kezuri.linux import libc, privileges

    libc.load()
    us = os.getpid()
    main = threading.current_thread() is threading.main_thread()

    def prepare() -> None:
        # Programs that gain a group (the agent does, on Debian) would lose the death signal.
        privileges.no_new_privileges()
        if main:  # the kernel ties the signal to the thread that forked
            privileges.die_with_parent(signal.SIGKILL)
            if os.getppid() != us:
                os._exit(1)

    return prepare
