"""podman and docker on this machine, in namespaces that end with the test: containers that hold this checkout."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
_UNIFIED = "/sys/fs/cgroup/unified"
_UNSHARE = ("unshare", "-m", "--propagation", "private")
_PROCESSES = ("-p", "-f", "--kill-child", "--mount-proc")
_LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")
"""Engines ask for more than a test's process may have by itself."""

_OWN_NODES = """
set -e
d=$(mktemp -d)
mount -t tmpfs -o mode=755 tmpfs $d
mknod -m 666 $d/null c 1 3
mknod -m 666 $d/zero c 1 5
mknod -m 666 $d/full c 1 7
mknod -m 666 $d/random c 1 8
mknod -m 666 $d/urandom c 1 9
mknod -m 666 $d/tty c 5 0
mknod -m 666 $d/fuse c 10 229
mkdir $d/pts $d/shm $d/mqueue
mount -t devpts -o newinstance,ptmxmode=0666 devpts $d/pts
mount -t tmpfs tmpfs $d/shm
ln -s pts/ptmx $d/ptmx
ln -s /proc/self/fd $d/fd
mount --move $d /dev
rmdir $d
"""

Done = subprocess.CompletedProcess[str]


def skeleton(at: Path) -> Path:
    """A root file system with the mount points and links of a merged /usr, which is this machine's."""
    for name in ("etc", "tmp", "proc", "sys", "dev", "root", "run", "var", "usr", "checkout", "volume", "context"):
        (at / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (at / name).symlink_to(f"usr/{name}")
    (at / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000::/tmp:/bin/sh\n")
    (at / "etc/group").write_text("root:x:0:\nworker:x:1000:\n")
    shutil.copy("/etc/ld.so.cache", at / "etc")
    (at / "tmp").chmod(0o1777)
    return at


def words_inside(context: Path, volume: Path) -> list[str]:
    """Options of both engines that show a container the checkout, the context and a volume for the store."""
    shown = ["/usr:/usr:ro", f"{CHECKOUT}/src:/checkout:ro", f"{context}:/context:ro", f"{volume}:/volume"]
    options = [word for mount in shown for word in ("-v", mount)]
    return [*options, "-e", "PYTHONPATH=/checkout", "-e", "KEZURI_ROOT=/volume/store", *_LIMITS, "--network", "host"]


def kezuri_inside(*words: str) -> list[str]:
    """The command of a container that runs kezuri."""
    return [os.path.realpath(sys.executable), "-m", "kezuri", *words]


class Podman:
    """podman, with all that it keeps in a directory; of an ordinary user, if one is named by his number."""

    def __init__(self, directory: Path, user: int = 0) -> None:
        self._directory = directory
        self._root = skeleton(directory / "rootfs")
        self._become: list[str] = []
        if user:
            for path in (directory, *directory.rglob("*")):
                os.chown(path, user, user, follow_symlinks=False)
            self._become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "env"]
            self._become += [f"HOME={directory}", f"XDG_RUNTIME_DIR={directory}"]

    def run(self, options: Sequence[str], command: Sequence[str], overlaid: bool = False) -> Done:
        """Run a command in a container; `overlaid`: its changes go to an overlay, as they do over an image."""
        own = ["--root", f"{self._directory}/root", "--runroot", f"{self._directory}/run", "--storage-driver", "vfs"]
        root = f"{self._root}:O" if overlaid or self._become else f"{self._root}"
        words = [
            *self._become,
            "podman",
            *own,
            "run",
            "--rm",
            "--cgroups=disabled",
            *options,
            "--rootfs",
            root,
            *command,
        ]
        # What podman leaves running for an ordinary user ends with the namespace.
        return _run([*_UNSHARE, *_PROCESSES, "sh", "-c", f"{_apart()}{shlex.join(words)}"])


class Docker:
    """A docker daemon of one's own, in namespaces of its own."""

    def __init__(self, socket: str) -> None:
        self._client = ["docker", "-H", f"unix://{socket}"]

    def run(self, options: Sequence[str], command: Sequence[str]) -> Done:
        """Run a command in a container."""
        return _run([*self._client, "run", "--rm", *options, "base", *command])

    def answers(self) -> bool:
        """Whether the daemon is there."""
        return _run([*self._client, "info"]).returncode == 0

    def load(self, root: Path) -> None:
        """Make the image of all containers."""
        packed = subprocess.run(["tar", "-C", f"{root}", "-c", "."], stdout=subprocess.PIPE, check=True).stdout
        subprocess.run([*self._client, "import", "-", "base"], input=packed, stdout=subprocess.DEVNULL, check=True)


@contextmanager
def docker(directory: Path) -> Iterator[Docker]:
    """A daemon that is gone afterwards, with its processes, mounts and control groups. It changes no rule of the
    machine's network."""
    groups = _groups()
    with tempfile.TemporaryDirectory(prefix="kezuri-docker-") as place:
        socket = f"{place}/sock"
        words = [
            "dockerd",
            "--data-root",
            f"{directory}/docker",
            "--exec-root",
            "/run/docker-state",
            "-H",
            f"unix://{socket}",
        ]
        words += ["--pidfile", "/run/dockerd.pid", "--iptables=false", "--ip6tables=false", "--bridge=none"]
        words += ["--storage-driver", "vfs"]
        script = f"{_apart()}mount -t tmpfs tmpfs /run\nmkdir /run/docker\nexec {shlex.join(words)}"
        apart = [*_UNSHARE, *_PROCESSES, "sh", "-c", script]
        with (
            open(f"{directory}/dockerd.log", "wb") as log,
            subprocess.Popen(apart, stdin=subprocess.PIPE, stdout=log, stderr=log) as daemon,
        ):
            try:
                client, end = Docker(socket), time.monotonic() + 40
                while not client.answers():
                    if daemon.poll() is not None or time.monotonic() > end:
                        raise RuntimeError(Path(f"{directory}/dockerd.log").read_text()[-2000:])
                    time.sleep(0.2)
                client.load(skeleton(directory / "image"))
                yield client
            finally:
                daemon.kill()
        for group in sorted(_groups() - groups, reverse=True):
            os.rmdir(group)


def _groups() -> set[str]:
    base = _UNIFIED if os.path.isdir(_UNIFIED) else "/sys/fs/cgroup"
    return {path for path, _, _ in os.walk(f"{base}/docker")}


def _apart() -> str:
    """Lines of shell for a new mount namespace. Nodes of its own, since engines make a container the owner of its
    streams, the machine's /dev/null among them. And control groups of version 2 alone: crun and runc refuse a machine
    that mixes both."""
    one_version = f"mount --bind {_UNIFIED} /sys/fs/cgroup\n" if os.path.isdir(_UNIFIED) else ""
    return one_version + _OWN_NODES


def _run(words: Sequence[str]) -> Done:
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, input="")
