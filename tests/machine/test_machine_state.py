"""The comparison of a machine before and after notices what must not change, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.machine import machine_state
from tests.machine.machine_state import State, differences, mounted, node, taken

pytestmark = pytest.mark.slow
"""Whole commands, or many made-up images: together they take longer than the quick tests may."""

SLEEPER = "import sys, time; print(flush=True); time.sleep(600)"
MOUNTING = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
uid, gid = {ids}
assert libc.unshare({flags}) == 0, ctypes.get_errno()
if {flags} & 0x10000000:
    for name, line in (("setgroups", "deny"), ("uid_map", f"0 {{uid}} 1"), ("gid_map", f"0 {{gid}} 1")):
        with open(f"/proc/self/{{name}}", "w") as file:
            file.write(line)
for line in sys.stdin:
    assert libc.mount(b"none", line.strip().encode(), b"tmpfs", 0, None) == 0, ctypes.get_errno()
    print(flush=True)
"""


@pytest.mark.parametrize(
    ("section", "before", "after", "said"),
    [
        (
            "device",
            {"null": "crw-rw-rw- 0:0 1:3"},
            {"null": "crw-rw-rw- 1234:0 1:3"},
            ["device null: was crw-rw-rw- 0:0 1:3, is crw-rw-rw- 1234:0 1:3"],
        ),
        ("device", {"null": "c"}, {}, ["device null: is gone; it was c"]),
        ("setting", {"kernel/core_pattern": "core"}, {"kernel/core_pattern": "|/x"}, ["setting kernel/core_pattern: "]),
        ("setting", {}, {"net/bridge/bridge-nf-call-iptables": "1"}, []),
        ("control group", {}, {"/docker": "d"}, ["control group /docker: is new: d"]),
        ("mounts of a process", {"mnt:[1]": "a\nb"}, {"mnt:[1]": "b\nc"}, ["lacks a", "has a new c"]),
        ("mounts of a process", {"mnt:[1]": "a\nb"}, {"mnt:[1]": "a\na\nb"}, ["in another order or number"]),
        ("mounts of a process", {"mnt:[1]": "a"}, {"mnt:[2]": "b"}, []),
        ("process", {}, {"7": "sh"}, ["process 7: is new: sh"]),
    ],
)
def test_what_counts_as_a_difference(
    section: str, before: dict[str, str], after: dict[str, str], said: list[str]
) -> None:
    found = differences({section: before}, {section: after})
    assert len(found) == len(said), found
    assert all(any(part in line for line in found) for part in said), found


def test_a_second_look_at_once_finds_the_same() -> None:
    """Other programs run on the machine: only what nobody changes within a moment is compared here."""
    first, second = taken(), taken()
    for section in ("device", "setting", "name", "file", "loop device"):
        assert differences({section: first[section]}, {section: second[section]}) == []
    assert first["device"]["null"].startswith("crw-rw-rw- ")
    assert "kernel/core_pattern" in first["setting"]
    assert "kernel/ns_last_pid" not in first["setting"]
    assert "/etc/passwd" in first["file"]


def test_what_systemd_and_logins_mount_is_passed_over() -> None:
    line = "36 35 98:0 / {} rw,noatime shared:7 - ext3 /dev/root rw\n"
    lines = [line.format(place) for place in ("/mnt", "/run/user/1000", "/snap/core/1", "/mnt/snap/core")]
    assert list(mounted(lines)) == [
        "mount / /mnt rw,noatime shared - ext3 /dev/root rw",
        "mount / /mnt/snap/core rw,noatime shared - ext3 /dev/root rw",
    ]


def test_mode_owner_and_link_of_a_node_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("")
    path.chmod(0o640)
    before = node(str(path))
    path.chmod(0o644)
    assert before != node(str(path))
    path.unlink()
    assert node(str(path)) == "No such file or directory"
    path.symlink_to("y")
    assert node(str(path)).endswith(" -> y")


def test_a_process_that_is_left_is_named(tmp_path: Path) -> None:
    """Nobody's child any more, as what a killed builder leaves behind; what others start meanwhile is not ours."""
    starter = (
        "import subprocess, sys;"
        f"subprocess.Popen([sys.executable, '-c', {SLEEPER!r}, 'left-behind'], start_new_session=True,"
        "stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)"
    )
    watching = (
        "import sys; from tests.machine import machine_state as m; m.PATIENCE = 0;"
        "found = [line for line in m.watch(sys.argv[1:])[1] if line.startswith('process')];"
        "import os, signal; [os.kill(int(line.split()[1][:-1]), signal.SIGKILL) for line in found];"
        "print(chr(10).join(found))"
    )
    with subprocess.Popen([sys.executable, "-c", SLEEPER, "of-somebody-else"], stdout=subprocess.DEVNULL) as other:
        done = subprocess.run(
            [sys.executable, "-c", watching, sys.executable, "-c", starter],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        other.kill()
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.endswith("left-behind\n")


def test_a_mount_in_the_private_namespace_of_a_process_is_seen(tmp_path: Path) -> None:
    flags = 0x00020000 | (0 if os.geteuid() == 0 else 0x10000000)  # CLONE_NEWNS, CLONE_NEWUSER
    program = MOUNTING.format(flags=flags, ids=(os.geteuid(), os.getegid()))
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        seen: list[State] = []
        for name in ("one", "two"):
            process.stdin.write(f"{tmp_path}/{name}\n".encode())
            process.stdin.flush()
            answer = process.stdout.readline()
            if not answer and os.geteuid():
                pytest.skip("this user may not make namespaces here")
            assert answer == b"\n"
            seen.append(taken())
        process.stdin.close()
    found = [line for line in differences(seen[0], seen[1]) if f"{tmp_path}/two" in line]
    assert len(found) == 1
    assert "has a new mount / " in found[0]


def test_the_command_says_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_state, "PATIENCE", 0)
    owner = iter((0, 0, 0, 9, 0, 9))
    monkeypatch.setattr(machine_state, "taken", lambda: {"device": {"null": f"c {next(owner)}:0"}})
    report = tmp_path / "machine"
    assert machine_state.main([str(report), "true"]) == 0
    assert report.read_text() == "machine: as it was before\n"
    assert machine_state.main([str(report), "true"]) == 1
    assert "machine: device null: was c 0:0, is c 9:0\n" in report.read_text()
    assert machine_state.main([str(report), "sh", "-c", "exit 7"]) == 7
    assert machine_state.main(["look"]) == 2
