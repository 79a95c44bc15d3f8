"""Random roots, mounts and targets for the sandbox, with steps that attack: nothing outside may be read or changed.

`python -m tests.sandbox.sandbox_fuzz --seconds 600 [--seed N] [--who subordinate]` goes on until the time is over, and
prints the seed and the step of what went wrong. Root runs it as an ordinary user with `--who`. `--runtime crun` tries
that in place of kezuri's own sandbox.
"""

import argparse
import contextlib
import os
import random
import re
import shlex
import shutil
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections import Counter

from tests.sandbox.conftest import WHO, Ran, apart, make_layers, run, user_with_subordinate_ids
from tests.sandbox.sandbox_machine import Record, devices, differences, own_devices, record

from kezuri.diagnostics import KezuriError
from kezuri.sandbox import kernelfs
from kezuri.sandbox.choice import choose
from kezuri.sandbox.step import AgentMount, FileMount, HostMount, Mount, Sandbox, SecretMount, TmpfsMount, TreeMount

PATIENCE = 30.0
"""Seconds after which a step is taken to hang."""

SECRET = b"what no step may ever read\n"
NAMES = (
    *kernelfs.DEVICES,
    *("pts", "shm", "mqueue", "fd", "stdin", "ptmx", "console", "0", "1", ".kezuri", "ca-certificates.crt", "pipes"),
    *("etc", "hosts", "resolv.conf", "hostname", "run", "secrets", "dev", "proc", "sys", "self", "kernel", "firmware"),
    *("a", "b", "c", "interrupts", "keys", "kcore", "timer_list"),
)
PLACES = (
    *("/dev", "/dev/null", "/dev/tty", "/dev/shm", "/dev/pts", "/dev/pts/0", "/dev/pts/ptmx", "/dev/fd", "/dev/stdin"),
    *("/dev/console", "/dev/mqueue", "/dev/.kezuri", "/dev/.kezuri/ca-certificates.crt", "/dev/new/deep", "/./dev"),
    *("/proc", "/proc/self/fd", "/proc/self/root", "/proc/self/cwd", "/proc/sys", "/proc/keys", "/proc/1/root/etc"),
    *("/sys", "/sys/firmware", "/sys/fs/cgroup", "/sys/kernel", "/etc", "/etc/hosts", "/etc/resolv.conf", "/a/../dev"),
    *("/run/secrets/x", "/run", "/tmp", "/data", "/a", "/a/b", "/a/b/c", "/b", "/c/null", "/mnt/x", "/bin/sh", "/"),
)


class World:
    """A place with canaries, layers, caches and an agent, and the steps that are made of them."""

    def __init__(self, base: str, seed: int, layers: tuple[str, ...]) -> None:
        self.base = base
        self.seed = seed
        self.random = random.Random(seed)
        self.layers = layers
        self.canary = f"{base}/canary"
        os.makedirs(f"{self.canary}/directory/pts")
        for name in ("secret", "directory/null", "directory/keys", "directory/pts/0"):
            with open(f"{self.canary}/{name}", "wb") as f:
                f.write(SECRET)
            os.chmod(f"{self.canary}/{name}", 0o666)
        os.mkfifo(f"{self.canary}/fifo")
        with open(f"{base}/bundle.pem", "w") as f:
            f.write("certificates\n")
        self.agent = f"{base}/agent"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.agent)
        self._listener.listen()
        self._number = 0
        self.caches = [self.tree() for _ in range(3)]
        self.ran = 0
        self.refusals: Counter[str] = Counter()
        self._over = threading.Event()
        self._swapping = threading.Thread(target=self._swap, args=(random.Random(seed),))
        self._swapping.start()

    def close(self) -> None:
        """Let go of everything and remove it."""
        self._over.set()
        self._swapping.join()
        self._listener.close()
        shutil.rmtree(self.base, ignore_errors=True)

    def _swap(self, chance: random.Random) -> None:
        """Change entries of the caches into links and back all the time, as another step that shares them could."""
        while not self._over.wait(0.001):
            path = f"{chance.choice(self.caches)}/{chance.choice(NAMES)}"
            target = f"{self.canary}/{chance.choice(('secret', 'directory', 'directory/pts'))}"
            with contextlib.suppress(OSError):
                os.symlink(target, f"{path}.new")
                os.rename(f"{path}.new", path)
                self._over.wait(0.001)
                os.unlink(path)
            with contextlib.suppress(OSError):
                os.mkdir(path)

    def link(self) -> str:
        """Where a link leads: mostly to where it must not."""
        inside = self.random.choice(("secret", "directory", "directory/null", "fifo", "new-file", "directory/pts"))
        target = f"{self.canary}/{inside}"
        if self.random.random() < 0.4:
            return self.random.choice((f"{self.canary}/secret", f"{self.canary}/directory/null", target))
        return self.random.choice(
            (
                target,
                "../" * 24 + target[1:],
                f"/proc/self/root{target}",
                f"/proc/1/root{target}",
                f"/proc/{os.getpid()}/root{target}",
                f"/proc/self/fd/{self.random.randrange(12)}",
                f"/proc/self/cwd/{'../' * 9}{target[1:]}",
                self.random.choice(PLACES),
                self.random.choice(PLACES)[1:] or ".",
                self.random.choice(NAMES),
                "..",
            )
        )

    def fill(self, directory: str, depth: int) -> None:
        """Make random entries in a directory."""
        for name in self.random.sample(NAMES, self.random.randint(1, 6)):
            path, kind = f"{directory}/{name}", self.random.random()
            if os.path.lexists(path):
                continue
            if kind < 0.45:
                os.symlink(self.link(), path)
            elif kind < 0.7 and depth:
                os.mkdir(path, self.random.choice((0o755, 0o1777)))
                self.fill(path, depth - 1)
            elif kind < 0.8:
                os.mkfifo(path)
            elif kind < 0.85 and os.geteuid() == 0:
                try:
                    os.mknod(path, stat.S_IFCHR | 0o666, self.random.choice(tuple(kernelfs.DEVICES.values())))
                except PermissionError:
                    os.mkdir(path)
            else:
                with open(path, "wb") as f:
                    f.write(b"content\n")

    def tree(self) -> str:
        """A directory of random entries."""
        self._number += 1
        path = f"{self.base}/tree-{self._number}"
        os.mkdir(path, 0o755)
        if self.random.random() < 0.6:  # one to pass for /dev
            for name in ("pts", "shm", "mqueue"):
                os.mkdir(f"{path}/{name}")
            for name in ("null", "zero", "console", "tty", "pts/ptmx", "pts/0"):
                if self.random.random() < 0.8:
                    os.symlink(self.link(), f"{path}/{name}")
        self.fill(path, 2)
        return path

    def target(self) -> str:
        """Where something is mounted, or looked for."""
        chance = self.random.random()
        if chance < 0.6:
            return self.random.choice(("/dev", "/dev/pts", "/sys", "/proc") if chance < 0.15 else PLACES)
        parts = self.random.choices((*NAMES, "..", "."), k=self.random.randint(1, 4))
        return "/" + "/".join(parts)

    def mount(self, trees: list[str]) -> Mount:
        """One mount of any kind."""
        target, kind = self.target(), self.random.randrange(8)
        owner = self.random.choice((0, 0, 1000))
        if kind < 3:
            lowers = tuple(self.random.choices(trees, k=self.random.choice((1, 1, 2, 3))))
            source = "/" if self.random.random() < 0.6 else self.random.choice((self.target(), *os.listdir(lowers[0])))
            return TreeMount(lowers, source, target, self.random.random() < 0.5)
        if kind < 5:
            return HostMount(self.random.choice(self.caches), target, self.random.random() < 0.7)
        if kind == 5:
            return TmpfsMount(target, self.random.choice((0, 1 << 20)))
        if kind == 6:
            return SecretMount(target, b"given\n", 0o444, owner, owner)
        if self.random.random() < 0.5:
            return FileMount(target, b"given\n")
        return AgentMount(target, self.agent, uid=owner, gid=owner)

    def attack(self, mounts: list[Mount]) -> str:
        """A shell's text that writes to, reads, and changes everything that the step is shown, and lays more links."""
        shown = [*(m.target for m in mounts), *self.random.sample(PLACES[:-1], 12)]
        shown += [f"{m.target}/{name}" for m in mounts for name in self.random.sample(NAMES, 5)]
        shown += [*kernelfs.MASKED, *(f"/dev/{name}" for name in kernelfs.DEVICES)]
        self.random.shuffle(shown)
        paths = " ".join(shlex.quote(path) for path in shown if path not in ("/bin/sh", "/"))
        laid = "\n".join(
            f"ln -s {shlex.quote(self.link())} {shlex.quote(f'{m.target}/{self.random.choice(NAMES)}')}" for m in mounts
        )
        return f"""exec 2>/dev/null
{laid}
for p in {paths}; do
    case $p in /dev/tty|/dev/zero|/dev/*random|/dev/full) continue;; esac
    echo PWNED 1<>$p
done
for p in {paths}; do dd if=$p iflag=nonblock bs=200 count=1 status=none; done
touch -d 2001-01-01 {paths}
chown 7:7 {paths}
chmod 0600 {paths}
mknod /dev/shm/node c 1 5; mknod /dev/node c 1 5; head -c 1 /dev/node /dev/shm/node
true"""

    def round(self, sandbox: Sandbox) -> None:
        """Make a step and run it, with fewer mounts as long as it is refused."""
        trees = [self.tree() for _ in range(2)]
        above = tuple(self.random.sample(trees, self.random.randint(0, 2)))
        mounts = [self.mount(trees) for _ in range(self.random.randint(1, 5))]
        while not self.step(sandbox, trees, above, mounts) and mounts:
            mounts.pop(self.random.randrange(len(mounts)))
        for tree in trees:
            shutil.rmtree(tree, ignore_errors=True)

    def step(self, sandbox: Sandbox, trees: list[str], above: tuple[str, ...], mounts: list[Mount]) -> bool:
        """Run one step; False when it was refused. AssertionError when something outside was touched or shown."""
        fields = {
            "mounts": tuple(mounts),
            "uid": self.random.choice((0, 0, 0, 1000)),
            "cwd": self.random.choice(("/", "/", self.target())),
            "readonly": self.random.random() < 0.1,
            "tty": self.random.random() < 0.15,
            "ca_bundle": self.random.choice(("", f"{self.base}/bundle.pem")),
            "network": self.random.choice(("host", "none", "private")),
        }
        before = self.outside(trees)
        upper = f"{self.base}/upper-{self._number}"
        cancel = threading.Event()
        timer = threading.Timer(PATIENCE, cancel.set)
        timer.start()
        ran: Ran | None = None
        try:
            ran = run(sandbox, (*above, *self.layers), self.attack(mounts), upper, cancel, **fields)
        except KezuriError as error:
            assert "please report" not in error.diagnostics[0].hint, error
            self.refusals[re.sub(r"/[^ :]*", "/…", str(error)).partition(": /")[0]] += 1
        finally:
            timer.cancel()
        assert not cancel.is_set(), f"the step hangs: {fields}"
        changed = differences(before, self.outside(trees))
        assert not changed, "\n".join([*changed[:9], repr(fields)])
        if ran is not None:
            assert SECRET.decode().strip() not in ran.out + ran.err, f"the secret was shown: {fields}\n{ran}"
        shutil.rmtree(upper, ignore_errors=True)
        self.ran += ran is not None
        return ran is not None

    def outside(self, trees: list[str]) -> Record:
        """The record of everything that no step may change."""
        return {**devices(), **record(self.canary, f"{self.base}/bundle.pem", *trees)}


def fuzz(
    base: str, layers: tuple[str, ...], seed: int, seconds: float = 0.0, steps: int = 0, name: str = "kezuri"
) -> Counter[str]:
    """Run steps in the sandbox of this name until the time is over, or that many; how often each end was met.

    For a process that has entered its namespaces. AssertionError names the seed of the world in which it failed.
    """
    own_devices()
    ends: Counter[str] = Counter()
    mounted = _mounted()
    until = time.monotonic() + seconds
    with choose(name) as sandbox:
        while time.monotonic() < until or ends["ran"] < steps:
            with contextlib.closing(World(tempfile.mkdtemp(prefix="world-", dir=base), seed, layers)) as world:
                try:
                    for _ in range(25):
                        world.round(sandbox)
                except BaseException as error:
                    error.add_note(f"seed {seed}")
                    raise
                ends["ran"] += world.ran
                ends += world.refusals
            seed += 1
    assert _mounted() == mounted
    return ends


def _mounted() -> str:
    with open("/proc/self/mounts") as f:
        return f.read()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--who", choices=WHO, default="as-is")
    parser.add_argument("--runtime", default="kezuri")
    options = parser.parse_args()
    base = make_layers()
    if options.who in ("subordinate", "single") and os.geteuid() == 0:
        uid = user_with_subordinate_ids() if options.who == "subordinate" else 54321
        subprocess.run(["chown", "-hR", f"{uid}:{uid}", base], check=True)

    def act() -> None:
        ends = fuzz(base, (f"{base}/top", f"{base}/bottom"), options.seed, options.seconds, 0, options.runtime)
        for end, count in ends.most_common():
            print(f"{count:7} {end}", flush=True)

    try:
        apart(options.who, act)
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
