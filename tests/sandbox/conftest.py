"""A root file system made of this machine's own programs, and tests that run in a process of their own."""

import contextlib
import functools
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kezuri.linux import libc, privileges, userns
from kezuri.sandbox.step import Exit, Root, Sandbox, Step, TreeMount

_PROGRAMS = """
    sh cat ls id mkdir rm touch sleep stat env mount umount grep chmod chown kill readlink mknod ln echo true false
    unshare tail head seq dd hostname mv cp date tty
"""


def copy_program(root: str, name: str) -> None:
    """A program of this machine with its libraries, at the same paths as here (in /bin and /lib* of `root`)."""
    path = shutil.which(name)
    if path is None:
        return
    target = f"{root}/bin/{name}"
    if os.path.exists(target):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy2(os.path.realpath(path), target)
    said = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    for word in said.split():
        if word.startswith("/"):
            copy = root + os.path.realpath(os.path.dirname(word)) + "/" + os.path.basename(word)
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            if not os.path.exists(copy):
                shutil.copy2(word, copy)


@pytest.fixture(scope="session")
def layers_of() -> Iterator[Callable[[str], tuple[str, str]]]:
    """Makes the layers of each kind of user once."""
    made: dict[str, str] = {}

    def make(who: str) -> tuple[str, str]:
        if who not in made:
            made[who] = make_layers()
            if who in ("subordinate", "single") and os.geteuid() == 0:
                uid = user_with_subordinate_ids() if who == "subordinate" else 54321
                subprocess.run(["chown", "-hR", f"{uid}:{uid}", made[who]], check=True)
        return f"{made[who]}/top", f"{made[who]}/bottom"

    yield make
    for base in made.values():
        shutil.rmtree(base)


@pytest.fixture
def layers(who: str, layers_of: Callable[[str], tuple[str, str]]) -> tuple[str, str]:
    """Two layer directories, topmost first, that belong to the user as whom the test runs."""
    return layers_of(who)


def make_layers() -> str:
    """Make the directories `top` and `bottom`; where they are (pytest's own directories let nobody else in)."""
    base = tempfile.mkdtemp(prefix="kezuri-test-")
    os.chmod(base, 0o755)
    bottom, top = f"{base}/bottom", f"{base}/top"
    for name in _PROGRAMS.split():
        copy_program(bottom, name)
    for name in ("lib", "lib64"):
        if os.path.islink(f"/{name}") and not os.path.lexists(f"{bottom}/{name}"):
            os.symlink(os.readlink(f"/{name}"), f"{bottom}/{name}")
    os.makedirs(f"{top}/etc")
    with open(f"{top}/etc/passwd", "w") as f:
        f.write("root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
    with open(f"{top}/etc/group", "w") as f:
        f.write("root:x:0:\nuser:x:1000:\n")
    os.mkdir(f"{top}/tmp")
    os.chmod(f"{top}/tmp", 0o1777)
    os.mkdir(f"{top}/data", 0o750)
    os.utime(f"{top}/data", (1_000_000_000, 1_000_000_000))
    os.utime(f"{top}/etc", (1_000_000_000, 1_000_000_000))
    for path in (top, bottom):
        os.chmod(path, 0o755)
    return base


@pytest.fixture
def skeleton(who: str) -> Iterator[tuple[str]]:
    """A layer with nothing but links into /usr, where `USR` mounts this machine's own."""
    base = tempfile.mkdtemp(prefix="kezuri-test-")
    os.chmod(base, 0o755)
    for name in ("bin", "lib", "lib64", "sbin"):
        if os.path.islink(f"/{name}"):
            os.symlink(os.readlink(f"/{name}"), f"{base}/{name}")
    if not os.path.lexists(f"{base}/bin"):
        pytest.skip("this machine has /bin and /usr/bin apart")
    os.mkdir(f"{base}/tmp")
    os.chmod(f"{base}/tmp", 0o1777)
    if who in ("subordinate", "single") and os.geteuid() == 0:
        uid = user_with_subordinate_ids() if who == "subordinate" else 54321
        subprocess.run(["chown", "-hR", f"{uid}:{uid}", base], check=True)
    yield (base,)
    shutil.rmtree(base)


USR = TreeMount(("/usr",), "/", "/usr")


class Ran:
    """What a step printed and how it ended."""

    def __init__(self, ended: Exit, out: bytes, err: bytes) -> None:
        self.ended = ended
        self.code = ended.exit_code
        self.out = out.decode(errors="replace")
        self.err = err.decode(errors="replace")

    def __repr__(self) -> str:
        return f"{self.ended}\n--- stdout\n{self.out}--- stderr\n{self.err}"


def run(
    sandbox: Sandbox,
    layers: tuple[str, ...],
    command: str | tuple[str, ...],
    upper: str = "",
    cancel: threading.Event | None = None,
    **fields: Any,
) -> Ran:
    """Run a shell command (or an exact argv) and gather what it prints."""
    got = {1: bytearray(), 2: bytearray()}
    argv = ("/bin/sh", "-c", command) if isinstance(command, str) else command
    work = ""
    if upper:
        os.makedirs(f"{upper}/upper", exist_ok=True)
        os.makedirs(f"{upper}/work", exist_ok=True)
        upper, work = f"{upper}/upper", f"{upper}/work"
    fields.setdefault("env", (("PATH", "/bin"),))
    step = Step(Root(layers, upper, work), argv, **fields)
    ended = sandbox.run(step, lambda s, b: got[s].extend(b), cancel or threading.Event())
    return Ran(ended, bytes(got[1]), bytes(got[2]))


def user_with_subordinate_ids() -> int:
    """Some user of this machine to whom /etc/subuid grants ids (0: none)."""
    with contextlib.suppress(OSError), open("/etc/subuid") as f:
        for line in f:
            with contextlib.suppress(KeyError):
                user = pwd.getpwnam(line.split(":")[0])
                if userns.subordinate("/etc/subgid", user.pw_name, user.pw_uid).ranges:
                    return user.pw_uid
    return 0


OTHERS = ("subordinate", "single", "confined")
WHO = ["as-is", "subordinate", "single", "confined"]


@pytest.fixture(params=WHO)
def who(request: pytest.FixtureRequest) -> str:
    """As whom a test runs: as the caller, and as root also as ordinary users with and without subordinate ids, and as
    root that may not mount, which is what root is in most containers."""
    name: str = request.param
    if name in OTHERS and os.geteuid() != 0:
        pytest.skip("becoming another user needs root")
    if name == "subordinate" and not (user_with_subordinate_ids() and userns.find_program("newuidmap")):
        pytest.skip("no user here has subordinate ids")
    if os.geteuid() != 0 and not userns.subordinate("/etc/subuid", userns.user_name(os.geteuid()), os.geteuid()).ranges:
        return "single"  # it is what the caller is
    return name


def apart(who: str, act: Callable[[], None], killed_by: int = 0) -> None:
    """Run `act` in a child process that has entered its namespaces, and fail as it fails. `killed_by`: the signal that
    it ends with."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            libc.load()  # before its files become unreadable, where Python lies in somebody's home
            if who == "subordinate":
                become(user_with_subordinate_ids())
            elif who == "single":
                become(54321)
            elif who == "confined":
                privileges.bound(privileges.permitted() & ~privileges.mask(("SYS_ADMIN",)))
                have = privileges.permitted() & ~privileges.mask(("SYS_ADMIN",))
                privileges.set_capabilities(have, have, 0)
            if not os.access(os.__file__, os.R_OK):
                pytest.skip("this Python's library is not readable by other users")
            userns.enter()
            act()
        except pytest.skip.Exception as e:
            os.write(write, f"skip:{e}".encode())
        except BaseException:
            os.write(write, traceback.format_exc().encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as f:
        said = f.read().decode(errors="replace")
    ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if said.startswith("skip:"):
        pytest.skip(said[5:])
    assert not said, said
    assert ended == -killed_by, f"the process of the test was killed by signal {-ended}"


def become(uid: int) -> None:
    """Turn this process, if it is root, into an ordinary user."""
    if os.geteuid() != 0:
        return
    with contextlib.suppress(OSError):
        os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    libc.call("prctl", 4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, as after an execve: /proc/self is ours
    os.environ["HOME"] = "/"


@pytest.fixture(params=["kezuri", "crun", "runc"])
def name(request: pytest.FixtureRequest) -> str:
    """The name of the sandbox: kezuri's own, or an OCI runtime."""
    chosen: str = request.param
    if chosen != "kezuri" and not userns.find_program(chosen):
        pytest.skip(f"{chosen} is not installed")
    return chosen


@pytest.fixture
def scratch(who: str) -> Iterator[str]:
    """A directory of the user that the test runs as."""
    path = tempfile.mkdtemp(prefix="kezuri-test-")
    os.chmod(path, 0o755)
    if who in ("subordinate", "single") and os.geteuid() == 0:
        uid = user_with_subordinate_ids() if who == "subordinate" else 54321
        os.chown(path, uid, uid)
    yield path
    shutil.rmtree(path)


def isolated(test: Callable[..., None]) -> Callable[..., None]:
    """Run the test's body in a process of its own (it takes the fixture `who`)."""

    @functools.wraps(test)
    def wrapper(*arguments: Any, **named: Any) -> None:
        apart(named.get("who", "as-is"), lambda: test(*arguments, **named))

    return wrapper
