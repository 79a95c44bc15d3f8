"""Every row of docs/places.md is true: what works is built, what is missing is named by doctor and by the build."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.places.places_engines import CHECKOUT, Docker, Done, Podman, kezuri_inside, words_inside
from tests.places.places_table import Row, rows
from tests.users.users_run import SINGLE, subordinate_user

pytestmark = pytest.mark.slow

ROWS = rows()
Kezuri = Callable[..., Done]


def walk(row: Row, kezuri: Kezuri, context: str) -> None:
    """Build, run what was built, ask doctor, and compare with the row."""
    built = kezuri("build", "--progress", "plain", "-t", "probe", context)
    asked = kezuri("doctor", "--format", "json")
    assert asked.stdout, asked.stderr
    findings = json.loads(asked.stdout)
    errors = [finding for finding in findings if finding["state"] == "error"]
    # What doctor says is what a build does.
    assert (asked.returncode == 1) == (built.returncode != 0) == bool(errors), (asked.stdout, built.stderr)
    if row.works:
        assert built.returncode == 0, built.stderr
        assert not errors
        ran = kezuri("run", "--rm", "probe", "/program")
        assert ran.returncode == 17, ran.stderr  # the step made the directory: it is there
    elif row.said:
        said = "\n".join(f"{finding['detail']}\n{finding['remedy']}" for finding in findings)
        for words in row.said:
            assert words in said
            assert built.returncode == 0 or words in built.stderr, built.stderr


def in_container(engine: Podman | Docker, row: Row, context: Path, volume: Path) -> Kezuri:
    options = [*words_inside(context, volume), *row.given]
    return lambda *words: engine.run(options, kezuri_inside(*words))


@pytest.mark.parametrize("row", [row for row in ROWS if row.place == "podman run"], ids=str)
def test_podman(row: Row, podman: Podman, context: Path, volume: Path) -> None:
    walk(row, in_container(podman, row, context, volume), "/context")


@pytest.mark.parametrize("row", [row for row in ROWS if row.place == "podman run of an ordinary user"], ids=str)
def test_rootless_podman(row: Row, rootless_podman: Podman, context: Path, volume: Path) -> None:
    os.chown(volume, subordinate_user(), -1)
    walk(row, in_container(rootless_podman, row, context, volume), "/context")


@pytest.mark.parametrize("row", [row for row in ROWS if row.place == "docker run"], ids=str)
def test_docker(row: Row, dockerd: Docker, context: Path, volume: Path) -> None:
    walk(row, in_container(dockerd, row, context, volume), "/context")


def test_a_store_on_the_containers_own_file_system_needs_a_volume(podman: Podman, context: Path, volume: Path) -> None:
    options = [*words_inside(context, volume), "--security-opt", "unmask=ALL", "-e", "KEZURI_ROOT=/tmp/store"]
    for words in (("build", "-q", "/context"), ("doctor",)):
        done = podman.run(options, kezuri_inside(*words), overlaid=True)
        assert done.returncode != 0
        assert "podman run -v kezuri:/kezuri -e KEZURI_ROOT=/kezuri" in done.stdout + done.stderr


def test_every_row_is_walked() -> None:
    assert {row.place for row in ROWS} == {*USERS, "podman run", "podman run of an ordinary user", "docker run"}


USERS = {
    "root on a machine": 0,
    "an ordinary user with subordinate ids": subordinate_user(),
    "an ordinary user without": SINGLE,
    "an ordinary user, user namespaces forbidden": SINGLE,
}


@pytest.mark.parametrize("row", [row for row in ROWS if " run" not in row.place], ids=str)
def test_machine(row: Row, context: Path, volume: Path) -> None:
    user = USERS[row.place]
    if os.geteuid() != 0:
        pytest.skip("only root becomes other users")
    if user == 0 and row.place != "root on a machine":
        pytest.skip("no user here has subordinate ids")
    forbidden = "forbidden" in row.place

    def kezuri(*words: str) -> Done:
        child = [sys.executable, "-c", _BECOME, str(user), str(int(forbidden)), f"{CHECKOUT}/src", *words]
        environ = {**os.environ, "HOME": f"{volume}", "KEZURI_ROOT": f"{volume}/store", "PYTHONPATH": f"{CHECKOUT}/src"}
        return subprocess.run(child, capture_output=True, text=True, env=environ, timeout=120, check=False)

    walk(row, kezuri, f"{context}")


_BECOME = """
import os, sys
user, forbidden, source, *words = sys.argv[1:]
sys.path.insert(0, source)
from kezuri.linux import namespaces
if int(forbidden):
    # A user namespace with all ids of the machine, in which the limit is another.
    ready, go = os.pipe(), os.pipe()
    if (child := os.fork()) == 0:
        os.read(ready[0], 1)
        for kind in ("uid", "gid"):
            with open(f"/proc/{os.getppid()}/{kind}_map", "w") as file:
                file.write("0 0 100000")
        os._exit(0)
    namespaces.unshare(namespaces.NEWUSER)
    os.write(ready[1], b"x")
    os.waitpid(child, 0)
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")
os.setgroups([])
os.setresgid(*3 * (int(user),))
os.setresuid(*3 * (int(user),))
# A process that has changed its user owns its own files in /proc after it has executed a program.
os.execv(sys.executable, [sys.executable, "-m", "kezuri", *words])
"""
"""A program that becomes a user, where the machine's user namespaces are forbidden if that is asked for, and runs
kezuri."""
