"""`demo`: a real multi-stage build of a small application, started, and asked for an answer."""

import os
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from kezuri.app.build import build
from kezuri.app.images import images
from kezuri.app.request import BuildRequest, Settings
from kezuri.containers.container import Container
from kezuri.containers.request import RunRequest
from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Manifest
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.progress.events import Listener
from kezuri.sandbox.step import Port
from kezuri.store.store import Store

if TYPE_CHECKING:
    from threading import Event

NAME = "kezuri-demo:latest"
BASE = "golang:1.24-alpine"
CONTAINER_PORT = 8080
_PATIENCE = 30.0
_STOPPED = (128 + 1, 128 + 2, 128 + 15)
"""Exit codes of a container that was stopped since we were: by SIGHUP, SIGINT or SIGTERM."""


class Demonstration(NamedTuple):
    """What the demonstration came to. The program answered with the text `answer` on a `port` of this machine; `size`
    and `base_size` are compressed bytes of the image's layers and of the base image's (0: not known); `id` is the
    image's id in full, empty when the store does not say; `seconds` is how long the build took."""

    port: int
    answer: str
    size: int
    base_size: int
    ran: int
    cached: int
    seconds: float
    id: str


def demo(settings: Settings, listener: Listener, stand_ins: Callable[[str], None]) -> Demonstration:
    """Build the demo application with the official base image where a registry answers, else with a stand-in, of which
    `stand_ins` is told; run the image and ask it for an answer. KezuriError when there is none."""
    began = time.monotonic()
    result = build(BuildRequest(context=example_directory(), tags=(NAME,)), settings, listener, stand_ins=stand_ins)
    took = time.monotonic() - began
    answer, port = _ask(settings)
    found = next((image.id for image in images(settings) if image.name.endswith(f"/{NAME}")), "")
    return Demonstration(port, answer, result.size, _base_size(settings), result.ran, result.cached, took, found)


def example_directory() -> str:
    """The demo application: beside the installed package, or in the checkout."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for path in (
        os.path.join(package, "hello"),
        os.path.join(os.path.dirname(os.path.dirname(package)), "examples", "hello"),
    ):
        if os.path.isfile(os.path.join(path, "Dockerfile")):
            return path
    raise KezuriError.of("the demo application is missing from this installation", exit_code=125)


def _base_size(settings: Settings) -> int:
    """The bytes of the base image's layers as the store has them; 0 when it does not know the image."""
    reference, platform = Reference.parse(BASE), Platform.host()
    with Store(settings.root) as store:
        facts = store.database.facts
        for digest in (facts.image(reference, platform), facts.stand_in(reference, platform)):
            if store.blobs.has(digest):
                return sum(layer.size for layer in Manifest.parse(store.blobs.read(digest), BASE).layers)
    return 0


def _ask(settings: Settings) -> tuple[str, int]:
    """Run the image and ask it over HTTP until it answers: the answer, and the port."""
    from threading import Event, Thread

    from kezuri.app.run import run

    told: list[tuple[str, int]] = []
    problems: list[str] = []
    over = Event()

    def ask(container: Container) -> None:
        port = container.ports[0].host
        try:
            told.append((_answer(port, over), port))
        except KezuriError as error:
            problems.append(str(error))
        finally:
            container.stop()

    threads: list[Thread] = []

    def begun(container: Container) -> None:
        # No thread before: the sandbox is started by a process that has one only.
        threads.append(Thread(target=ask, args=(container,), daemon=True))
        threads[0].start()

    # The host port 0 is a free one. Signals are for us: the program is not what our caller knows of.
    request = RunRequest(image=NAME, ports=(Port(CONTAINER_PORT, 0, "127.0.0.1"),), sig_proxy=False)
    code = run(request, settings, begun=begun)
    over.set()
    for thread in threads:
        thread.join()
    if told:
        return told[0]
    if code in _STOPPED:
        raise KezuriError.of("the demonstration was stopped", exit_code=code)
    problem = problems[0] if problems else "the program in the image did not start"
    raise KezuriError.of(problem, hint=f"its container ended with exit code {code}")


def _answer(port: int, over: "Event") -> str:
    """The body of the program's answer. KezuriError when there is none in time, or the container is over."""
    end = time.monotonic() + _PATIENCE
    problem = "no answer"
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), 2) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
                data = b""
                while chunk := connection.recv(4096):
                    data += chunk
            head, _, body = data.partition(b"\r\n\r\n")
            if head.startswith(b"HTTP/") and b" 200 " in head.split(b"\r\n")[0]:
                return body.decode("utf-8", "replace")
            problem = head.decode("latin-1", "replace")[:200] or problem
        except OSError as error:
            problem = str(error)
        if over.wait(0.1):
            break
    raise KezuriError.of(f"the program in the image did not answer on port {port}: {problem}")
