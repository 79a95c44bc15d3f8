"""Mounts, capabilities, groups and limits of containers, as `kezuri run` is asked for them."""

import os
import re
from pathlib import Path

import pytest
from tests.build.build_busybox import RUNS_STEPS
from tests.containers.containers_place import Place

from kezuri.linux import userns
from kezuri.linux.cgroups import Groups, Limits

pytestmark = RUNS_STEPS


def test_tmpfs_has_its_options(place: Place) -> None:
    script = "cp /bin/busybox /t/ && /t/busybox true; echo $?; stat -c '%a %u:%g' /t /x; mount | grep -c ' /x .*=64k'"
    said = place.run(
        *("--tmpfs", "/t:mode=1750,uid=5,gid=6", "--mount", "type=tmpfs,target=/x,tmpfs-size=64k"),
        *("plain", "sh", "-c", script),
    )
    assert said.stdout == "126\n1750 5:6\n1777 0:0\n1\n", said
    said = place.run("--tmpfs", "/t:exec", "plain", "sh", "-c", "cp /bin/busybox /t/busybox; /t/busybox true; echo $?")
    assert said.stdout == "0\n", said


def test_a_read_only_root_is_read_only_and_volumes_are_not(place: Place) -> None:
    place.image("volumes", "RUN mkdir -p /v && echo kept > /v/old && chown 7:8 /v", "VOLUME /v", 'CMD ["sh"]')
    script = (
        "for d in / /tmp /v /new /dev/shm; do touch $d/f 2>/dev/null && echo $d; done\ncat /v/old; stat -c %u:%g /v"
    )
    said = place.run("--read-only", "-v", "/new", "volumes", "sh", "-c", script)
    assert said.stdout == "/v\n/new\n/dev/shm\nkept\n7:8\n", said
    said = place.run("volumes", "sh", "-c", script)
    assert said.stdout == "/\n/tmp\n/v\n/dev/shm\nkept\n7:8\n", said


def test_a_bind_mount_shows_what_is_here(place: Place, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o755)
    (tmp_path / "f").write_text("here\n")
    said = place.run(
        "--mount", f"type=bind,source={tmp_path},target=/m,readonly", "plain", "sh", "-c", "cat /m/f; touch /m/g"
    )
    assert said.stdout == "here\n" and said.returncode == 1
    assert place.run("-v", f"{tmp_path}:/m", "plain", "touch", "/m/g").returncode == 0
    assert (tmp_path / "g").exists()


def capabilities(place: Place, *options: str) -> tuple[int, int]:
    """What root has in the container, and what programs there may gain."""
    said = place.run("--network", "none", *options, "plain", "cat", "/proc/self/status").stdout
    found = {name: int(value, 16) for name, value in re.findall(r"Cap(Eff|Bnd):\s*([0-9a-f]+)", said)}
    return found["Eff"], found["Bnd"]


def test_capabilities_are_added_and_dropped(place: Place) -> None:
    docker = 0xA80425FB
    net_admin, chown = 1 << 12, 1
    assert capabilities(place) == (docker, docker)
    assert capabilities(place, "--cap-drop", "ALL") == (0, 0)
    assert capabilities(place, "--cap-drop", "all", "--cap-add", "CAP_NET_ADMIN") == (net_admin, net_admin)
    assert capabilities(place, "--cap-drop", "chown", "--cap-add", "net_admin") == ((docker | net_admin) & ~chown,) * 2
    every, _ = capabilities(place, "--cap-add", "ALL", "--cap-drop", "CHOWN")
    assert every & net_admin and not every & chown


def test_the_filter_stays_unless_it_is_taken_away(place: Place) -> None:
    mounts = ("plain", "sh", "-c", "mount -t tmpfs t /tmp && echo mounted")
    said = place.run("--cap-add", "SYS_ADMIN", *mounts)
    assert said.stdout == "" and "still refuses what CAP_SYS_ADMIN is for" in said.stderr
    said = place.run("--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined", *mounts)
    assert (said.stdout, said.stderr) == ("mounted\n", "")


def test_set_id_programs_give_nothing_when_that_is_asked_for(place: Place) -> None:
    tell = ("plain", "grep", "NoNewPrivs", "/proc/self/status")
    assert place.run("--security-opt", "no-new-privileges", *tell).stdout == "NoNewPrivs:\t1\n"


def test_groups_are_added(place: Place) -> None:
    said = place.run("-u", "1000", "--group-add", "app", "--group-add", "44", "plain", "id")
    assert said.stdout == "uid=1000(app) gid=1000(app) groups=44,1000(app)\n"
    said = place.run("--group-add", "appp", "plain", "id")
    assert said.returncode == 125 and 'unknown group "appp"' in said.stderr


def test_the_id_is_written_once(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "id"
    assert place.run("--cidfile", str(path), "plain", "true").returncode == 0
    assert re.fullmatch("[0-9a-f]{64}", path.read_text())
    said = place.run("--cidfile", str(path), "plain", "true")
    assert said.returncode == 125 and "is there" in said.stderr
    path.unlink()
    assert place.run("--cidfile", str(path), "-u", "nobody-here", "plain", "true").returncode == 125
    assert not path.exists()


def test_limits_hold_or_are_said_not_to(place: Place) -> None:
    said = place.run("--memory", "16m", "plain", "tail", "/dev/zero")
    with Groups(Limits(memory=16 << 20)) as groups:
        lacks = groups.lacks
    if lacks:
        pytest.skip(f"no limits here: {lacks[0].reason}; told: {'without effect here' in said.stderr}")
    assert said.returncode == 137 and "more than its 16 MiB of memory" in said.stderr


def test_limits_that_cannot_be_had_are_told(place: Place) -> None:
    with Groups(Limits(pids=10)) as groups:
        lacks = groups.lacks
    said = place.run("--pids-limit", "10", "plain", "true")
    assert said.returncode == 0 and ("without effect here: --pids-limit" in said.stderr) == bool(lacks)


def test_an_image_that_is_nowhere_is_told_with_what_the_store_lacks(place: Place) -> None:
    said = place.run("127.0.0.1:1/plain", "true")
    assert said.returncode == 125
    assert "the store has no image 127.0.0.1:1/plain:latest, and 127.0.0.1:1/plain:latest: no registry" in said.stderr
    assert "--build-context" not in said.stderr  # it is no option of run
    said = place.run("--pull", "always", "127.0.0.1:1/plain", "true")
    assert said.returncode == 125 and "the store has no" not in said.stderr


@pytest.mark.parametrize(
    "options", [("--runtime", "crun", "--init"), ("-p", "80", "--network", "host"), ("-p", "80", "--network", "none")]
)
def test_options_that_exclude_each_other_are_a_mistake_in_the_words(place: Place, options: tuple[str, ...]) -> None:
    said = place.run(*options, "plain", "true")
    assert said.returncode == 2 and "usage: kezuri run [OPTIONS] IMAGE" in said.stderr


def test_a_device_is_shown_and_can_be_used_and_no_other(place: Place) -> None:
    script = "echo x > /dev/mine && [ -c /dev/mine ] && echo used; ls /dev/zero2 2>/dev/null"
    for runtime in ((), ("--runtime", "crun")) if userns.find_program("crun") else ((),):
        said = place.run(*runtime, "--device", "/dev/null:/dev/mine:rwm", "plain", "sh", "-c", script)
        assert said.stdout == "used\n", said
    # What is mounted as a file is none.
    said = place.run("-v", "/dev/null:/mine", "plain", "sh", "-c", "echo x > /mine")
    assert said.returncode == 1 and "Permission denied" in said.stderr
    for text, words in {
        "/dev/null:/d:r": "cannot be limited to r",
        "/etc/passwd": "is no device",
        "/dev/nothing-here": "No such file",
        "vendor.com/gpu=all": "devices are named by their paths",
    }.items():
        said = place.run("--device", text, "plain", "true")
        assert said.returncode == 2 and words in said.stderr, said.stderr


def test_a_name_is_taken_as_long_as_the_container_runs(place: Place) -> None:
    with place.running("--name", "taken", "plain", "sh", "-c", "echo up; sleep 1000") as container:
        container.wait_for("up\n")
        said = place.run("--name", "taken", "plain", "true")
        assert said.returncode == 125 and "the name taken is taken by a container that runs" in said.stderr
        assert place.run("--name", "other", "plain", "hostname").stdout == "other\n"
    assert place.run("--name", "taken", "plain", "true").returncode == 0
