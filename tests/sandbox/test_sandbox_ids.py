"""Steps of a user who has one id only: owners are recorded, ids are believed, and no path leads out of the root."""

import os
import stat
import threading
import time
from typing import Any

import pytest
from tests.sandbox.conftest import USR, Ran, isolated, run

from kezuri.linux import recorded
from kezuri.linux.recorded import Record
from kezuri.sandbox.native import NativeSandbox

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")]

HEAD = "import ctypes, os, signal, stat, struct, sys, threading, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"


@pytest.fixture
def who() -> str:
    """An ordinary user without subordinate ids."""
    return "single"


def python(layers: tuple[str], scratch: str, program: str, **fields: Any) -> Ran:
    """Run a Python program in the step."""
    with NativeSandbox() as sandbox:
        return run(sandbox, layers, ("/usr/bin/python3", "-c", HEAD + program), scratch, mounts=(USR,), **fields)


def kept(scratch: str, path: str) -> Record:
    """What is recorded of a file that the step changed."""
    where = f"{scratch}/upper/{path}"
    return recorded.read(where, os.lstat(where).st_mode)


@isolated
def test_every_way_of_naming_a_file_records_its_owner(who: str, skeleton: tuple[str], scratch: str) -> None:
    program = """
os.chdir("/tmp")
for name in ("path", "at", "fd", "empty", "half", "magic", "target", "pipe"):
    os.mkfifo(name) if name == "pipe" else open(name, "w").close()
os.symlink("/tmp/target", "link")
os.mkdir("dir")
os.chown("/tmp/path", 1, 2)
here = os.open(".", os.O_RDONLY)
os.chown("at", 3, 4, dir_fd=here)
with open("fd") as f:
    os.fchown(f.fileno(), 5, 6)
opened = os.open("empty", os.O_PATH)
assert libc.fchownat(opened, b"", 7, 8, 0x1000) == 0
os.chown("half", 9, 10)
os.chown("half", -1, 11)
with open("magic") as f:
    os.chown(f"/proc/self/fd/{f.fileno()}", 12, 13)
os.chown("link", 14, 15)
os.lchown("link", 16, 17)
os.chown("dir", 70000, 18)
os.lchown("pipe", 19, 20)
os.mknod("null", 0o20640, os.makedev(1, 3))
os.chown("null", 0, 21)
os.chown("/dev/stdout", 1, 1)
"""
    ran = python(skeleton, scratch, program)
    assert (ran.code, ran.out) == (0, ""), ran
    expected = {
        "path": (1, 2),
        "at": (3, 4),
        "fd": (5, 6),
        "empty": (7, 8),
        "half": (9, 11),
        "magic": (12, 13),
        "target": (14, 15),
        "link": (16, 17),
        "dir": (70000, 18),
        "pipe": (19, 20),
    }
    assert {name: kept(scratch, f"tmp/{name}")[:2] for name in expected} == expected
    assert kept(scratch, "tmp/null") == Record(0, 21, "char", (1, 3))
    assert stat.S_IMODE(os.stat(f"{scratch}/upper/tmp/null").st_mode) == 0o640


@isolated
def test_a_file_is_seen_as_it_is_recorded(who: str, skeleton: tuple[str], scratch: str) -> None:
    program = """
os.chdir("/tmp")
open("file", "w").write("text")
os.symlink("file", "link")
os.mkdir("dir")
os.mknod("null", 0o20640, os.makedev(1, 3))
before = os.lstat("file")
os.chown("file", 5, 6)
os.lchown("link", 7, 8)
os.chown("dir", 9, 70000)
after = os.stat("file")
assert [n for n in range(10) if before[n] != after[n] and n < 7] == [4, 5], (before, after)
assert before.st_mtime_ns == after.st_mtime_ns and before.st_blocks == after.st_blocks
here = os.open("/tmp", os.O_RDONLY)
with open("file") as f:
    seen = [os.stat("link"), os.lstat("link"), os.fstat(f.fileno()), os.stat("file", dir_fd=here)]
    seen.append(os.stat("dir/..//dir"))
print([(s.st_uid, s.st_gid) for s in seen])
null = os.lstat("null")
print(stat.S_ISCHR(null.st_mode), oct(stat.S_IMODE(null.st_mode)), os.major(null.st_rdev), os.minor(null.st_rdev))
for missing in ("nothing", "file/x", ""):
    try:
        os.stat(missing)
    except OSError as e:
        print(e.errno)
sys.stdout.flush()
os.execv("/usr/bin/stat", ["stat", "-c", "%u:%g:%F", "/tmp/file", "/tmp/link", "/tmp/null", "/dev/null"])
"""
    ran = python(skeleton, scratch, program)
    assert ran.code == 0, ran
    assert ran.out.splitlines() == [
        "[(5, 6), (7, 8), (5, 6), (5, 6), (9, 70000)]",
        "True 0o640 1 3",
        *("2", "20", "2"),
        "5:6:regular file",
        "7:8:symbolic link",
        "0:0:character special file",
        "65534:65534:character special file",
    ], ran


@isolated
def test_a_chown_does_what_else_a_chown_does(who: str, skeleton: tuple[str], scratch: str) -> None:
    program = """
os.chdir("/tmp")
open("set-id", "w").close()
os.chmod("set-id", 0o6755)
os.chown("set-id", 5, 5)
os.chown("set-id", 0, 0)
print(oct(os.stat("set-id").st_mode))
for path in ("missing", "set-id/x", "x" * 5000, "/proc/sys/kernel/hostname"):
    try:
        os.chown(path, 1, 1)
    except OSError as e:
        print(e.errno)
print(libc.chown(ctypes.c_void_p(16), 1, 1), ctypes.get_errno(), libc.fchown(99, 1, 1), ctypes.get_errno())
print(libc.fchownat(-100, b"set-id", 1, 1, 0x4), ctypes.get_errno())
"""
    ran = python(skeleton, scratch, program)
    assert (ran.code, ran.out) == (0, "0o100755\n2\n20\n36\n30\n-1 14 -1 9\n-1 22\n"), ran
    assert os.listxattr(f"{scratch}/upper/tmp/set-id") == []


@isolated
def test_no_path_leads_out_of_the_root(who: str, skeleton: tuple[str], scratch: str) -> None:
    canary = f"{scratch}/canary"
    with open(canary, "w"):
        pass
    program = f"""
canary = {canary!r}
up = "../" * 40
ways = [up + canary, "/proc/self/root/" + up + canary, "/proc/1/root" + canary, "/proc/self/cwd/" + up + canary]
for way in ways:
    os.path.lexists("/tmp/link") and os.unlink("/tmp/link")
    os.symlink(way, "/tmp/link")
    for path in (way, "/tmp/link"):
        try:
            os.chown(path, 5, 5)
            print("given", path)
        except FileNotFoundError:
            pass
os.mkdir("/tmp/jail")
os.chroot("/tmp/jail")
for way in ways:
    try:
        os.chown(way, 5, 5)
        print("given", way)
    except FileNotFoundError:
        pass
open("/inside", "w").close()
os.chown("/inside", 6, 7)
"""
    ran = python(skeleton, scratch, program)
    assert (ran.code, ran.out) == (0, ""), ran
    assert kept(scratch, "tmp/jail/inside")[:2] == (6, 7)
    assert os.listxattr(canary) == []


@isolated
def test_paths_that_change_meanwhile_stay_inside(who: str, skeleton: tuple[str], scratch: str) -> None:
    canary = f"{scratch}/canary"
    with open(canary, "w"):
        pass
    program = f"""
canary = {canary!r}.encode()
ways = [b"/tmp/a", b"/proc/self/root/../../.." + canary]
buffer = ctypes.create_string_buffer(200)
stop = False
def change():
    while not stop:
        for way in ways:
            buffer.value = way
            os.symlink(way, "/tmp/new")
            os.rename("/tmp/new", "/tmp/link")
open("/tmp/a", "w").close()
buffer.value = ways[0]
os.symlink("/tmp/a", "/tmp/link")
changer = threading.Thread(target=change)
changer.start()
for number in range(3000):
    libc.chown(buffer, number, number)
    libc.chown(b"/tmp/link", number, number)
    libc.lchown(b"/tmp/link", number, number)
stop = True
changer.join()
"""
    ran = python(skeleton, scratch, program)
    assert ran.code == 0, ran
    assert os.listxattr(canary) == []
    assert kept(scratch, "tmp/a")[0] > 0


@isolated
def test_threads_and_the_dying_do_not_disturb_each_other(who: str, skeleton: tuple[str], scratch: str) -> None:
    program = """
def own(number):
    path = f"/tmp/t{number}"
    open(path, "w").close()
    for round in range(200):
        os.chown(path, number, round)
threads = [threading.Thread(target=own, args=(n,)) for n in range(1, 7)]
for t in threads:
    t.start()
for number in range(60):
    child = os.fork()
    if child == 0:
        while True:
            libc.chown(b"/tmp", 0, 0)
    time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
for t in threads:
    t.join()
print("done")
"""
    ran = python(skeleton, scratch, program)
    assert (ran.code, ran.out) == (0, "done\n"), ran
    assert [kept(scratch, f"tmp/t{n}")[:2] for n in range(1, 7)] == [(n, 199) for n in range(1, 7)]


@isolated
def test_a_process_believes_the_ids_that_it_took(who: str, skeleton: tuple[str], scratch: str) -> None:
    program = """
print(os.getresuid(), os.getresgid(), os.getgroups(), flush=True)
os.setgroups([7, 8])
child = os.fork()
if child == 0:
    os.setresgid(1001, 1001, 1001)
    os.setresuid(1000, 1000, 1000)
    print(os.getresuid(), os.getresgid(), os.getgroups(), flush=True)
    for again in (lambda: os.setuid(0), lambda: os.setegid(0)):
        try:
            again()
            print("root again")
        except PermissionError:
            pass
    os.setgid(1002)
    if os.fork() == 0:
        os.execv("/usr/bin/id", ["id", "-u", "-r"])
    os.wait()
    os._exit(0)
os.waitpid(child, 0)
os.seteuid(1000)
print(os.getuid(), os.geteuid(), flush=True)
os.seteuid(0)
print(os.getresuid(), os.getgroups())
"""
    ran = python(skeleton, scratch, program)
    first, other, identity, effective, last = ran.out.splitlines()
    assert ran.code == 0 and first.startswith("(0, 0, 0) (0, 0, 0)"), ran
    assert other == "(1000, 1000, 1000) (1001, 1001, 1001) [7, 8]", ran
    assert (identity, effective, last) == ("1000", "0 1000", "(0, 0, 0) [7, 8]"), ran


@isolated
def test_a_user_is_another_name_of_the_one_id(who: str, skeleton: tuple[str], scratch: str) -> None:
    program = """
open("/tmp/own", "w").close()
s = os.stat("/tmp/own")
print(os.getresuid(), os.getresgid(), s.st_uid, s.st_gid)
os.chown("/tmp/own", 1000, 1001)
for ids in ((0, 0), (1001, -1)):
    try:
        os.chown("/tmp/own", *ids)
        print("given away")
    except OSError:
        pass
try:
    os.setuid(0)
    print("root")
except OSError:
    pass
"""
    ran = python(skeleton, scratch, program, uid=1000, gid=1001)
    assert (ran.code, ran.out) == (0, "(1000, 1000, 1000) (1001, 1001, 1001) 1000 1001\n"), ran


@isolated
def test_a_program_may_filter_its_own_calls_but_not_listen(who: str, skeleton: tuple[str], scratch: str) -> None:
    program = """
code = struct.pack("=HBBI", 0x06, 0, 0, 0x7fff0000)
text = ctypes.create_string_buffer(code)
argument = ctypes.create_string_buffer(struct.pack("=H6xQ", 1, ctypes.addressof(text)))
number = {"x86_64": 317}.get(os.uname().machine, 277)
libc.prctl(38, 1, 0, 0, 0)
print(libc.syscall(number, 1, 8, argument), ctypes.get_errno(), libc.syscall(number, 1, 0, argument))
open("/tmp/a", "w").close()
os.chown("/tmp/a", 5, 5)
"""
    ran = python(skeleton, scratch, program)
    assert (ran.code, ran.out) == (0, "-1 16 0\n"), ran
    assert kept(scratch, "tmp/a")[:2] == (5, 5)


@isolated
def test_when_the_keeper_is_killed_calls_fail_and_the_step_goes_on(
    who: str, skeleton: tuple[str], scratch: str
) -> None:
    program = """
open("/tmp/a", "w").close()
os.chown("/tmp/a", 5, 5)
print("ready", flush=True)
open("/tmp/ready", "w").close()
end = time.monotonic() + 30
while time.monotonic() < end:
    if libc.chown(b"/tmp/a", 6, 6):
        print(ctypes.get_errno())
        break
    time.sleep(0.01)
"""
    before = set(processes())

    def kill() -> None:
        for _ in range(400):
            time.sleep(0.01)
            if not os.path.exists(f"{scratch}/upper/tmp/ready"):
                continue  # It is still to answer for the first change of an owner.
            for number in set(processes()) - before:
                try:
                    # The one that has a /proc of its own as its working directory.
                    here = os.stat(f"/proc/{number}/cwd")
                    if here.st_ino == 1 and here.st_dev != os.stat("/proc").st_dev:
                        os.kill(number, 9)
                        return
                except OSError:
                    continue

    killer = threading.Thread(target=kill)
    with NativeSandbox() as sandbox:
        killer.start()
        ran = run(sandbox, skeleton, ("/usr/bin/python3", "-c", HEAD + program), scratch, mounts=(USR,))
    killer.join()
    assert (ran.code, ran.out) == (0, "ready\n38\n"), ran


def processes() -> list[int]:
    """The numbers of the processes that there are."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]
