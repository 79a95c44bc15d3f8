"""Images probed: started as `kezuri run` starts them, watched, asked for an answer, and stopped."""

import socket
import time
from typing import TYPE_CHECKING

from kezuri.app.request import Settings
from kezuri.containers.container import Container
from kezuri.containers.health import HealthOptions, healthcheck
from kezuri.containers.request import RunRequest
from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.proof.probes import Answer, Patience, Probe
from kezuri.sandbox.step import Port

if TYPE_CHECKING:
    from threading import Event

_SECOND = 1_000_000_000
_USUAL = Patience()
_PAUSE = 0.1
_KEPT = 2000
_CONFINED = (125, 126, 127)
"""Exit codes that say that the program could not be started."""


class Probes:
    """A Prober of the images of the store. What a container says is kept from the terminal; it reaches no network."""

    def __init__(self, settings: Settings, patience: Patience = _USUAL) -> None:
        self._settings = settings
        self._patience = patience

    def probe(self, digest: str) -> Probe:
        """As the door has it."""
        config = _config(self._settings, digest)
        if not (config.entrypoint or config.cmd):
            return Probe(refused="the image names no command")
        watch = _Watch(config, self._patience)
        request = RunRequest(
            image=digest,
            ports=watch.ports,
            network="" if watch.ports else "none",
            pull="never",
            sig_proxy=False,
            grace=2.0,
            # It is asked often: nobody wants to wait half a minute for the first answer.
            health=HealthOptions(interval=_SECOND // 4, start_interval=_SECOND // 4, start_period=0),
        )
        return watch.run(self._settings, request)


class _Watch:
    """One container from start to end."""

    def __init__(self, config: ImageConfig, patience: Patience) -> None:
        from threading import Event

        self._patience = patience
        self._checked = healthcheck(config.healthcheck, HealthOptions(), config.shell) is not None
        self._over = Event()
        self._output = b""
        self._answers: tuple[Answer, ...] = ()
        self._health = ""
        self._stopped = False
        numbers = (text.partition("/") for text in config.exposed_ports)
        tcp = sorted({int(number) for number, _, kind in numbers if kind in ("", "tcp") and number.isdecimal()})
        self.ports = tuple(Port(number, 0, "127.0.0.1") for number in tcp)

    def run(self, settings: Settings, request: RunRequest) -> Probe:
        from threading import Thread

        from kezuri.app.run import run

        threads: list[Thread] = []

        def begun(container: Container) -> None:
            # No thread before: the sandbox is started by a process that has one only.
            threads.append(Thread(target=self._look, args=(container,), daemon=True))
            threads[0].start()

        try:
            code = run(request, settings, begun=begun, output=self._hear)
        except KezuriError as error:
            return Probe(refused=error.diagnostics[0].message if error.diagnostics else "it could not be started")
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
        output = self._output.decode("utf-8", "replace")
        if code in _CONFINED and not self._stopped:
            last = output.strip().splitlines()[-1:] or [f"exit code {code}"]
            return Probe(refused=last[0], output=output)
        return Probe("", None if self._stopped else code, self._answers, self._health, output)

    def _hear(self, stream: int, data: bytes) -> None:
        self._output = (self._output + data)[-_KEPT:]

    def _look(self, container: Container) -> None:
        """Watch it, ask its ports and its health, and stop it. It may end at any moment by itself."""
        try:
            began = time.monotonic()
            answers = {port: Answer(f"{port}/tcp", -1) for port in (p.container for p in self.ports)}
            while not self._over.wait(_PAUSE):
                waited = time.monotonic() - began
                for bound in container.ports:
                    if answers[bound.container].status < 0:
                        answers[bound.container] = Answer(f"{bound.container}/tcp", _ask(bound.host, self._over))
                self._answers = tuple(answers[port] for port in sorted(answers))
                self._health = container.health
                open_questions = any(a.status < 0 for a in self._answers) or self._health == "starting"
                if waited >= (self._patience.answer if open_questions else self._patience.alive):
                    break
        finally:
            if not self._over.is_set():
                self._stopped = True
                container.stop()


def _ask(port: int, over: "Event") -> int:
    """The status that something answers on a port of this machine: see Answer."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as connection:
            connection.settimeout(2)
            connection.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            data = b""
            while b"\r\n" not in data and len(data) < 4096 and not over.is_set():
                chunk = connection.recv(4096)
                if not chunk:
                    break
                data += chunk
    except TimeoutError:
        return 0
    except OSError:
        return -1
    words = data.split(b"\r\n")[0].split(b" ")
    if data.startswith(b"HTTP/") and len(words) > 1 and words[1].isdigit():
        return int(words[1])
    # A connection that is taken and closed at once is the forwarder's: nobody listens behind it.
    return 0 if data else -1


def _config(settings: Settings, digest: str) -> ImageConfig:
    from kezuri.images.kept import choose
    from kezuri.store.store import Store

    with Store(settings.root, reading=True) as store:
        return choose(store, digest, "").config
