"""`demo`: a real multi-stage build of a small application, started, and asked for an answer."""

import os
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from kezuri.app.build import build
from kezuri.app.images import images
from kezuri.app.request import BuildRequest, RunRequest, Settings
from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Manifest
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.progress.events import Listener
from kezuri.sandbox.step import Port
from kezuri.store.store import Store

NAME = "kezuri-demo:latest"
BASE = "golang:1.24-alpine"
CONTAINER_PORT = 8080
_PATIENCE = 30.0


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
    """Start the image in a child process and ask it over HTTP until it answers: the answer, and the port."""
    import signal

    port = _free_port()
    parent = os.getpid()
    said, told = os.pipe()
    try:
        child = os.fork()
        if child == 0:
            _serve(settings, port, parent, told)
        os.close(told)
        try:
            return _answer(port, said), port
        finally:
            os.kill(child, signal.SIGTERM)
            _reap(child)
    finally:
        os.close(said)


def _serve(settings: Settings, port: int, parent: int, told: int) -> None:
    """In the child: run the image until it ends or the parent does; `told` is written why it could not be run."""
    import signal

    from kezuri.app.run import run
    from kezuri.linux import privileges, userns

    code = 125
    try:
        # Entering changes our ids, and that would clear the death signal: so it comes first.
        userns.enter()
        privileges.die_with_parent(signal.SIGKILL)
        if os.getppid() != parent:
            return
        request = RunRequest(image=NAME, ports=(Port(CONTAINER_PORT, port, "127.0.0.1"),))
        code = run(request, settings)
    except KezuriError as error:
        os.write(told, str(error).encode("utf-8", "surrogateescape"))
    except BaseException:
        pass
    finally:
        os._exit(code)


def _reap(child: int) -> None:
    import signal

    end = time.monotonic() + 15
    while time.monotonic() < end:
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answer(port: int, said: int) -> str:
    """The body of the program's answer. KezuriError when there is none in time, or the child tells through the
    descriptor `said` why there will be none."""
    from select import select

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
        if select([said], (), (), 0.1)[0]:
            problem = os.read(said, 1 << 16).decode("utf-8", "replace") or f"its container has ended ({problem})"
            break
    raise KezuriError.of(f"the program in the image did not answer on port {port}: {problem}")
