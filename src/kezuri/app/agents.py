"""The SSH agents that a build's steps may ask: those of this machine, or one of our own that holds given key files."""

import os
from collections.abc import Mapping
from contextlib import ExitStack

from kezuri.app.request import AgentSource
from kezuri.diagnostics import KezuriError


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
    import tempfile
    from time import sleep

    # A socket's path has 107 bytes at most: the store's own directory may be longer than that.
    directory = held.enter_context(tempfile.TemporaryDirectory(prefix="kezuri-ssh-"))
    socket = os.path.join(directory, "agent")
    none = subprocess.DEVNULL
    try:
        agent = subprocess.Popen(
            ["ssh-agent", "-D", "-a", socket], stdin=none, stdout=none, stderr=none, start_new_session=True
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
        sleep(0.002)
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
