"""The command line, run as a user runs it, and its plain progress, read back."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.integration.integration_entries import PROJECT


class Answer(NamedTuple):
    """What a command gave."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Kezuri:
    """Runs the command line with a store of its own and the machine's certificate authorities."""

    def __init__(self, root: Path, directory: Path) -> None:
        self.root = root
        self.directory = directory
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("KEZURI_")}
        self.environ["KEZURI_ROOT"] = str(root)
        self.environ["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(PROJECT / "src"), os.environ.get("PYTHONPATH", "")])
        )
        for name in ("KEZURI_RUNTIME", "KEZURI_DEBIAN_MIRROR"):
            if name in os.environ:
                self.environ[name] = os.environ[name]
        if os.environ.get("SSL_CERT_FILE"):
            self.environ["KEZURI_CA_CERTIFICATES"] = os.environ["SSL_CERT_FILE"]

    def __call__(
        self,
        *arguments: str,
        stdin: str = "",
        environ: Mapping[str, str] | None = None,
        timeout: float = 300,
    ) -> Answer:
        """Runs `kezuri ARGUMENTS`; `timeout` is seconds, after which the test fails with what was said so far."""
        try:
            done = subprocess.run(
                self.argv(*arguments),
                input=stdin.encode(),
                capture_output=True,
                cwd=self.directory,
                env={**self.environ, **(environ or {})},
                timeout=timeout,
            )
        except subprocess.TimeoutExpired as late:
            said = b"".join(filter(None, (late.stdout, late.stderr))).decode("utf-8", "replace")
            pytest.fail(f"kezuri {' '.join(arguments)} took more than {timeout:.0f} s\n{said[-4000:]}", pytrace=False)
        return Answer(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "kezuri", *arguments]

    @contextmanager
    def running(self, image: str, *command: str, container_port: int) -> Iterator["Container"]:
        """`kezuri run` in the foreground with the port published; ended, and everything it started, at the end."""
        with open(self.directory / "container.log", "w+b") as log:
            port = _free_port()
            arguments = ("run", "--rm", "-p", f"127.0.0.1:{port}:{container_port}", image, *command)
            process = subprocess.Popen(
                self.argv(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=self.environ,
                start_new_session=True,
            )
            try:
                yield Container(process, port, Path(log.name))
            finally:
                _end(process)


class Container(NamedTuple):
    """A container that runs in the foreground of a process, and the port of this machine that leads to it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ask(self, path: str, patience: float = 60) -> str:
        """The body of the answer to GET; waits up to `patience` seconds for the program to answer at all."""
        deadline = time.monotonic() + patience
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                    body: bytes = answer.read()
                    return body.decode("utf-8", "replace")
            except urllib.error.HTTPError as error:
                pytest.fail(f"GET {path}: {error.code} {error.read()[:500]!r}\n{self.said()}", pytrace=False)
            except OSError as error:
                if self.process.poll() is not None:
                    pytest.fail(f"the container ended with {self.process.returncode}\n{self.said()}", pytrace=False)
                if time.monotonic() > deadline:
                    pytest.fail(f"GET {path}: {error} after {patience:.0f} s\n{self.said()}", pytrace=False)
                time.sleep(0.1)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]


def _free_port() -> int:
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _end(process: subprocess.Popen[bytes]) -> None:
    for sign, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 20)):
        if process.poll() is None:
            process.send_signal(sign)
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


_STEP = re.compile(r"^#(\d+) (?P<rest>\[.*)$")
_END = re.compile(r"^#(\d+) (?P<end>CACHED|DONE \d+(\.\d+)?s|ERROR.*|CANCELED)$")
_INSTRUCTION = re.compile(r"^\[(?:\S+ )*?(?:\S+ +)?\d+/\d+\] (?!FROM\b)")


class Steps(NamedTuple):
    """What plain progress said of the steps that are instructions (not FROM): their names, in order of appearance."""

    ran: tuple[str, ...]
    cached: tuple[str, ...]

    @classmethod
    def read(cls, progress: str) -> "Steps":
        """Reads lines of the form `#7 [builder 3/5] RUN npm ci`, `#7 CACHED`, `#7 DONE 1.2s`."""
        names: dict[str, str] = {}
        ends: dict[str, str] = {}
        for line in progress.splitlines():
            if (end := _END.match(line)) is not None:
                ends[end[1]] = end["end"].split()[0]
            elif (step := _STEP.match(line)) is not None:
                names.setdefault(step[1], step["rest"])
        steps = {number: name for number, name in names.items() if _INSTRUCTION.match(name)}
        for number, name in steps.items():
            assert number in ends, f"step #{number} {name} never ended:\n{progress}"
        ran = tuple(name for number, name in steps.items() if ends[number] != "CACHED")
        return cls(ran, tuple(name for number, name in steps.items() if ends[number] == "CACHED"))
