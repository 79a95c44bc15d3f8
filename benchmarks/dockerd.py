"""A docker daemon of our own: private data, socket and pid file, no bridge, no firewall rules, gone afterwards."""

import os
import re
import shutil
import signal
import subprocess
import time
from types import TracebackType
from typing import Self

from benchmarks.control_groups import ControlGroups
from benchmarks.processes import Failed, ask


def client() -> str | None:
    """A docker client that can ask a daemon for a BuildKit build, or None: since 23 it needs the buildx plugin."""
    for directory in os.get_exec_path():
        path = os.path.join(directory, "docker")
        if not os.access(path, os.X_OK):
            continue
        try:
            version = re.search(r"version (\d+)", ask([path, "--version"]))
            if version is not None and int(version[1]) < 23:
                return path
            ask([path, "buildx", "version"])
            return path
        except (Failed, OSError):
            continue
    return None


def missing() -> str | None:
    """Why no daemon can be started here, or None."""
    if os.getuid() != 0:
        return "needs root"
    if shutil.which("dockerd") is None:
        return "dockerd is not installed"
    if client() is None:
        return "no docker client that can ask for BuildKit"
    return None


class Dockerd:
    """The daemon, while it is entered. Its steps need `--network host`: there is no bridge."""

    def __init__(self, directory: str) -> None:
        """`directory` is absolute, new and short (a socket's path has 107 bytes); it is removed afterwards."""
        self.directory = directory
        self.pid = 0
        found = client()
        if found is None:
            raise Failed("no docker client that can ask for BuildKit")
        self.docker = [found, "--host", f"unix://{directory}/sock", "--config", f"{directory}/config"]
        self.environ = {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}
        self._process: subprocess.Popen[bytes] | None = None
        self._groups = ControlGroups("docker")

    def __enter__(self) -> Self:
        self._groups.__enter__()
        here = self.directory
        os.makedirs(f"{here}/config")
        options = [
            *("--data-root", f"{here}/data", "--exec-root", f"{here}/exec", "--pidfile", f"{here}/pid"),
            *("--host", f"unix://{here}/sock", "--bridge=none", "--iptables=false", "--ip6tables=false"),
            *("--ip-forward=false", "--ip-masq=false", "--storage-driver", "overlay2", "--log-level", "warn"),
        ]
        with open(f"{here}/log", "wb") as log:
            self._process = subprocess.Popen(
                ["dockerd", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.pid = self._process.pid
        deadline = time.monotonic() + 30
        while True:
            try:
                ask([*self.docker, "version"])
                return self
            except Failed as failed:
                if self._process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
                with open(f"{here}/log", errors="replace") as said:
                    text = said.read()[-2000:]
                self._stop()
                raise Failed(f"dockerd does not answer: {failed}\n{text}") from failed

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._groups.__exit__(kind, value, trace)

    def ask(self, *arguments: str) -> str:
        """`docker ARGUMENTS`, not measured. Raises Failed."""
        return ask([*self.docker, *arguments], self.environ)

    def _stop(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        remove(self.directory)


def remove(directory: str) -> None:
    """Removes a directory that engines worked in: first what they left mounted below it, innermost first."""
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4] for line in file]
    for point in sorted((p for p in points if p.startswith(f"{directory}/")), reverse=True):
        subprocess.run(["umount", "--lazy", point], stderr=subprocess.DEVNULL)
    shutil.rmtree(directory, ignore_errors=True)
