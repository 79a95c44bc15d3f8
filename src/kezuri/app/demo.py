"""`demo`: a real multi-stage build of a small application, started, and asked for an answer."""

import os
import socket
import time
from collections.abc import Callable

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

_NAME = "kezuri-demo:latest"
_BASE = "golang:1.24-alpine"
_CONTAINER_PORT = 8080
_PATIENCE = 30.0


def demo(settings: Settings, listener: Listener, say: Callable[[str], None]) -> int:
    """Build the demo application with the official base image where a registry answers, else with a stand-in; run the
    image; print its answer and what it weighs. Exit code 0 when the program answered."""
    context = example_directory()
    request = BuildRequest(context=context, tags=(_NAME,))
    say(f"building {context} (a Go web server: golang:1.24-alpine to build, scratch to run)")
    began = time.monotonic()
    result = build(request, settings, listener, stand_ins=say)
    took = time.monotonic() - began
    answer, port = _ask(settings)
    say("")
    say(f"the program in the image answered on port {port}: {answer.strip()}")
    say("")
    for row in _table(settings, result.size, result.ran, result.cached, took):
        say(row)
    say("")
    say(f"try it yourself:  kezuri run --rm -p 8080:{_CONTAINER_PORT} {_NAME.partition(':')[0]}")
    return 0


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


def _table(settings: Settings, size: int, ran: int, cached: int, took: float) -> list[str]:
    image = next((i for i in images(settings) if i.name.endswith(f"/{_NAME}")), None)
    built_on = _base_size(settings)
    rows = [
        f"{'image':<12}{_NAME}",
        *([f"{'built on':<12}{built_on / 1e6:.1f} MB compressed ({_BASE})"] if built_on else []),
        f"{'what ships':<12}{size / 1e6:.1f} MB compressed"
        + (f", {100 - 100 * size / built_on:.0f} % less" if built_on else ""),
        f"{'steps':<12}{ran} ran, {cached} from the cache, {took:.1f} s",
    ]
    if image is not None:
        rows.append(f"{'id':<12}{image.id[7:19]}")
    return rows


def _base_size(settings: Settings) -> int:
    """The bytes of the base image's layers as the store has them; 0 when it does not know the image."""
    reference, platform = Reference.parse(_BASE), Platform.host()
    with Store(settings.root) as store:
        facts = store.database.facts
        for digest in (facts.image(reference, platform), facts.stand_in(reference, platform)):
            if store.blobs.has(digest):
                return sum(layer.size for layer in Manifest.parse(store.blobs.read(digest), _BASE).layers)
    return 0


def _ask(settings: Settings) -> tuple[str, int]:
    """Start the image in a child process and ask it over HTTP until it answers."""
    import signal

    port = _free_port()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _serve(settings, port, parent)
    try:
        return _answer(port), port
    finally:
        os.kill(child, signal.SIGTERM)
        _reap(child)


def _serve(settings: Settings, port: int, parent: int) -> None:
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
        request = RunRequest(image=_NAME, ports=(Port(_CONTAINER_PORT, port, "127.0.0.1"),))
        code = run(request, settings)
    except KezuriError as error:
        os.write(2, f"{error}\n".encode())
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


def _answer(port: int) -> str:
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
        time.sleep(0.1)
    raise KezuriError.of(f"the program in the image did not answer on port {port}: {problem}")
