"""Agents for `--ssh`: the one of the environment, one by its socket, and one of our own that holds key files."""

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from kezuri.app.agents import open_agents
from kezuri.app.request import AgentSource
from kezuri.diagnostics import KezuriError


def test_the_socket_of_the_environment_is_taken_when_none_is_given() -> None:
    with ExitStack() as held:
        sources = (AgentSource("default", ""), AgentSource("other", "/run/other"))
        found = open_agents(sources, {"SSH_AUTH_SOCK": "/run/agent"}, held)
    assert found == {"default": "/run/agent", "other": "/run/other"}


def make_key(path: Path, passphrase: str = "") -> str:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", path.name, "-f", str(path)], check=True
    )
    return str(path)


@pytest.mark.slow
def test_key_files_have_an_agent_of_their_own_that_ends_with_the_build(tmp_path: Path) -> None:
    keys = make_key(tmp_path / "one"), make_key(tmp_path / "two")
    with ExitStack() as held:
        socket = open_agents((AgentSource("default", "", keys),), {}, held)["default"]
        environ = {**os.environ, "SSH_AUTH_SOCK": socket}
        listed = subprocess.run(["ssh-add", "-l"], env=environ, check=True, capture_output=True, text=True).stdout
        assert " one " in listed and " two " in listed
        assert os.stat(os.path.dirname(socket)).st_mode & 0o777 == 0o700
    assert not os.path.exists(os.path.dirname(socket))


@pytest.mark.slow
def test_a_key_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    locked = make_key(tmp_path / "locked", "a long passphrase")
    with ExitStack() as held, pytest.raises(KezuriError, match="locked has a passphrase") as error:
        open_agents((AgentSource("default", "", (locked,)),), {}, held)
    assert "ssh-add" in error.value.diagnostics[0].hint
    (tmp_path / "none").write_text("no key")
    with ExitStack() as held, pytest.raises(KezuriError, match="none cannot be used"):
        open_agents((AgentSource("default", "", (str(tmp_path / "none"),)),), {}, held)


@pytest.mark.slow
def test_a_key_that_others_may_read_is_taken_as_docker_takes_it(tmp_path: Path) -> None:
    os.chmod(make_key(tmp_path / "open"), 0o644)
    with ExitStack() as held:
        socket = open_agents((AgentSource("default", "", (str(tmp_path / "open"),)),), {}, held)["default"]
        environ = {**os.environ, "SSH_AUTH_SOCK": socket}
        listed = subprocess.run(["ssh-add", "-l"], env=environ, check=True, capture_output=True, text=True).stdout
    assert " open " in listed


@pytest.mark.slow
def test_a_public_key_is_no_key_for_an_agent(tmp_path: Path) -> None:
    public = make_key(tmp_path / "key") + ".pub"
    with ExitStack() as held, pytest.raises(KezuriError, match=r"key\.pub cannot be used") as error:
        open_agents((AgentSource("default", "", (public,)),), {}, held)
    assert ".pub" in error.value.diagnostics[0].hint


@pytest.mark.slow
def test_an_agent_dies_with_a_builder_that_is_killed(tmp_path: Path) -> None:
    key = make_key(tmp_path / "one")
    code = f"""
import os, signal
from contextlib import ExitStack
from kezuri.app.agents import open_agents
from kezuri.app.request import AgentSource
with ExitStack() as held:
    print(open_agents((AgentSource("default", "", ({key!r},)),), {{}}, held)["default"], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environ = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = done.stdout.strip()
    end = time.monotonic() + 10
    while True:
        asked = subprocess.run(["ssh-add", "-l"], env={**os.environ, "SSH_AUTH_SOCK": left}, capture_output=True)
        if asked.returncode == 2:
            break  # nobody listens
        assert time.monotonic() < end, asked
        time.sleep(0.02)
    directory = os.path.dirname(left)
    os.utime(directory, (0, 0))
    (tmp_path / "kezuri-ssh-link").symlink_to(tmp_path)
    again = code.replace("os.kill(os.getpid(), signal.SIGKILL)", f"assert not os.path.exists({directory!r})")
    done = subprocess.run([sys.executable, "-c", again], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert os.path.exists(key)
