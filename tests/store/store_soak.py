"""One store, several kezuri processes at once that pull, build, push, prune and remove, and are killed at random.

`python -m tests.store.store_soak --seconds 600 [--seed N] [--workers N]` goes on until the time is over. Every now and
then all of them rest: then the store check has to be clean, and every image that was given a name, or pushed, has to be
there with its files. A command that was not killed has to succeed. What goes wrong is printed with the commands that
led to it, and the store stays for a look.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from pathlib import Path

from tests.build.build_busybox import busybox_tar
from tests.layer.layer_trees import tar_of
from tests.registry.registry_faults import FaultyRegistry, Handler, make_image

from kezuri.layer.entry import Entry, Item

SOURCE = Path(__file__).parents[2] / "src"
SHIFT = 12.0
"""Seconds for which the workers go on between two looks at the store."""
PATIENCE = 120.0
"""Seconds after which a command is taken to hang."""


class Failed(Exception):
    """Something that must not be; the text tells what."""


def slowly(handler: Handler, kind: str, data: bytes) -> None:
    """Serve a blob at some megabytes a second, so that a kill meets it half way; one in twenty breaks off."""
    end = random.randrange(len(data)) if random.random() < 0.05 else len(data)
    begin = int(handler.headers.get("Range", "bytes=0-").partition("=")[2].partition("-")[0])
    handler.send_response(206 if begin else 200)
    handler.send_header("Content-Length", str(len(data) - begin))
    if begin:
        handler.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
    handler.end_headers()
    try:
        for at in range(begin, end, 32768):
            handler.wfile.write(data[at : at + 32768])
            time.sleep(0.005)
    except OSError:
        end = 0
    if end < len(data):
        handler.close_connection = True


def _file(path: str, content: bytes) -> Item:
    return Entry(path, "file", 0o644, size=len(content)), content


class World:
    """A registry with images that share layers, a store, and what is known of it."""

    def __init__(self, base: str, server: FaultyRegistry, seed: int) -> None:
        self.base = base
        self.host = server.host
        self.root = os.path.join(base, "store")
        self.log: deque[str] = deque(maxlen=60)
        self.ends: Counter[str] = Counter()
        self._lock = threading.Lock()
        chance = random.Random(seed)
        shared = busybox_tar()
        middle = tar_of([_file("middle", chance.randbytes(700_000))])
        self.marks = [f"image {number}".encode() for number in range(4)]
        for number, mark in enumerate(self.marks):
            own = tar_of([_file("mark", mark), _file(f"own-{number}", chance.randbytes(400_000))])
            layers = (shared, middle, own) if number % 2 else (shared, own)
            server.put(make_image(*layers), str(number))
        server.on("GET .*blobs", slowly, times=1 << 30)

    def note(self, text: str) -> None:
        """Remember what happened, for the report of a failure."""
        with self._lock:
            self.log.append(f"{time.monotonic():.2f} {text}")

    def count(self, what: str) -> None:
        """Count an end of a command."""
        with self._lock:
            self.ends[what] += 1

    def kezuri(self, *argv: str) -> "subprocess.Popen[bytes]":
        """A command under way."""
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("KEZURI_")},
            "PYTHONPATH": str(SOURCE),
            "KEZURI_ROOT": self.root,
            "KEZURI_CONFIG_SYSTEM": "",
            "XDG_CONFIG_HOME": self.base,
            "LC_ALL": "C.UTF-8",
            "KEZURI_MAX_USED_SPACE": "300k",
            "KEZURI_KEEP_AGE": "0",
        }
        command = [sys.executable, "-m", "kezuri", *argv]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ask(self, *argv: str) -> str:
        """What a command prints that has to succeed."""
        with self.kezuri(*argv) as process:
            out, err = process.communicate(timeout=PATIENCE)
        if process.returncode:
            raise Failed(f"{argv} ended with {process.returncode}: {err.decode()}{out.decode()}")
        return out.decode()


class Worker:
    """Runs one command after the other, and knows which images it has named and what is in them."""

    def __init__(self, world: World, number: int, seed: int) -> None:
        self.world = world
        self.number = number
        self.named: dict[str, str] = {}
        """The names that are to be there, and the mark in their image."""
        self._chance = random.Random(seed)
        self.pushed: dict[str, str] = {}
        """The names that the registry is to have, and the mark in their image."""
        self._context = os.path.join(world.base, f"context-{number}")
        os.makedirs(self._context)

    def work(self, until: float) -> None:
        """Run commands until the time is over."""
        while time.monotonic() < until:
            self._act()

    def check(self) -> None:
        """Every image that has to be there is, whole, and so is what was pushed."""
        for name, mark in (*self.named.items(), *self.pushed.items()):
            told = self.world.ask("cat", f"{name}:/mark")
            if told != mark:
                raise Failed(f"{name} has the mark {told!r} instead of {mark!r}")

    def _act(self) -> None:
        chance, image = self._chance, self._chance.randrange(len(self.world.marks))
        mark = self.world.marks[image].decode()
        source = f"{self.world.host}/app:{image}"
        own = f"w{self.number}:{chance.randrange(3)}"
        kind = chance.choices(
            ("pull", "build", "push", "copy", "prune", "prune all", "prune budget", "rmi", "tag", "list", "cat", "du"),
            (6, 10, 3, 3, 2, 2, 2, 2, 2, 1, 2, 1),
        )[0]
        # The registry has the same tags in every repository: those of this one nobody else takes away.
        pulled = f"{self.world.host}/w{self.number}:{image}"
        if kind == "pull":
            name = chance.choice((source, pulled))
            if self._run("pull", "-q", name):
                self.named[name] = mark  # nobody else takes it away or gives it to another image
        elif kind == "build":
            mark = self._dockerfile(source, mark)
            if self._run("build", "-q", "-t", own, self._context):
                self.named[own] = mark
            else:
                self._now_unsure(own, mark)
        elif kind == "push":
            # The registry knows a tag whatever its repository is.
            target = f"{self.world.host}/app:built-{own.replace(':', '-')}"
            mark = self._dockerfile(source, mark)
            self._send(f"docker://{target}", mark, "build", "-q", "--push", "-t", target, self._context)
        elif kind == "copy" and own in self.named:
            target = f"docker://{self.world.host}/app:copied-{own.replace(':', '-')}"
            self._send(target, self.named[own], "copy", f"store:{own}", target)
        elif kind.startswith("prune"):
            extra = {"prune": (), "prune all": ("--all",), "prune budget": ("--max-used-space", "300k")}[kind]
            self._run("prune", "-f", *extra)
        elif kind == "rmi" and (there := [name for name in (own, pulled) if name in self.named]):
            name = chance.choice(there)
            self.named.pop(name)
            self._run("rmi", "-f", name)
        elif kind == "tag" and own in self.named:
            other = f"w{self.number}:tagged"
            if self._run("tag", own, other):
                self.named[other] = self.named[own]
            else:
                self._now_unsure(other, self.named[own])
        elif kind == "cat" and own in self.named:
            self._run("cat", f"{own}:/mark")
        elif kind == "du":
            self._run("du")
        else:
            self._run("images")

    def _dockerfile(self, source: str, mark: str) -> str:
        chance = self._chance
        lines = [f"FROM {source}"]
        if chance.random() < 0.5:
            lines.append(f"RUN echo {chance.randrange(5)} > /ran")
        if chance.random() < 0.3:
            lines.append("RUN --mount=type=cache,target=/cache echo x >> /cache/log; cp /cache/log /log")
        if chance.random() < 0.5:
            mark = f"mark {chance.randrange(4)}"
            with open(os.path.join(self._context, "mark"), "w") as file:
                file.write(mark)
            lines.append("COPY mark /mark")
        with open(os.path.join(self._context, "Dockerfile"), "w") as file:
            file.write("\n".join(lines) + "\n")
        return mark

    def _now_unsure(self, name: str, mark: str) -> None:
        """A name that a killed command may have moved: it has to be there if it was, with one mark or the other."""
        if name in self.named and self.named[name] != mark:
            del self.named[name]

    def _send(self, target: str, mark: str, *argv: str) -> None:
        """Run a command that pushes: a killed one has left the image of before at the registry, or has put its own."""
        if self._run(*argv):
            self.pushed[target] = mark
        elif self.pushed.get(target) != mark:
            self.pushed.pop(target, None)

    def _run(self, *argv: str) -> bool:
        """Run a command, perhaps only for a while; whether it went to its end."""
        chance, world = self._chance, self.world
        deadly = chance.random() < 0.5
        world.note(f"worker {self.number}: {' '.join(argv)}{' (to be killed)' if deadly else ''}")
        with world.kezuri(*argv) as process:
            killed = ""
            if deadly:
                try:
                    process.wait(chance.uniform(0.05, 0.45))
                except subprocess.TimeoutExpired:
                    killed = chance.choice(("KILL", "KILL", "TERM"))
                    process.send_signal(getattr(signal, f"SIG{killed}"))
            try:
                out, err = process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Failed(f"worker {self.number}: {argv} hangs") from None
        code = process.returncode
        world.note(f"worker {self.number}: {argv[0]} ended with {code}{' after SIG' + killed if killed else ''}")
        world.count(f"{argv[0]} {'killed' if killed and code else 'done' if code == 0 else 'failed'}")
        if code and not killed:
            raise Failed(f"worker {self.number}: {argv} ended with {code}: {err.decode()}{out.decode()}")
        return code == 0


def soak(base: str, seconds: float, seed: int = 1, workers: int = 2) -> Counter[str]:
    """Let workers loose on one store below `base`; how often each command ended how. Failed when something is wrong."""
    with FaultyRegistry() as server:
        world = World(base, server, seed)
        crew = [Worker(world, number, seed * 1000 + number) for number in range(workers)]
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                _shift(crew, min(end, time.monotonic() + SHIFT))
                world.ask("store", "check")
                for worker in crew:
                    worker.check()
            world.ask("prune", "-f", "--all")
            world.ask("store", "check")
            for worker in crew:
                worker.check()
            for kind in ("tmp", "leases", "partial"):
                left = os.listdir(os.path.join(world.root, kind))
                if left:
                    raise Failed(f"{kind} still has {left}")
        except Failed as failure:
            failure.add_note(f"seed {seed}; the store: {world.root}\n" + "\n".join(world.log))
            raise
    return world.ends


def _shift(crew: "list[Worker]", until: float) -> None:
    failures: list[Failed] = []

    def work(worker: Worker) -> None:
        try:
            worker.work(until)
        except Failed as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in crew]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    base = tempfile.mkdtemp(prefix="soak-")
    print(f"seed {options.seed} in {base}", flush=True)
    ends = soak(base, options.seconds, options.seed, options.workers)
    for end, count in sorted(ends.items()):
        print(f"{count:7} {end}")
    shutil.rmtree(base)


if __name__ == "__main__":
    main()
