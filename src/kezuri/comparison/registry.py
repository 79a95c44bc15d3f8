"""Registries on loopback to pull from: Debian's docker-registry where it is installed, else a small one of our own that
hands out an OCI layout."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from kezuri.diagnostics import KezuriError

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

PROGRAMS = ("docker-registry", "registry")
"""What the reference implementation is called by distributions, and by those who make it."""
OWN = "kezuri's own"
_PATH = re.compile(r"/v2/(?P<name>[a-z0-9./_-]+)/(?P<kind>manifests|blobs)/(?P<reference>[A-Za-z0-9._:-]+)\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_WAIT = 20.0


class Registry(NamedTuple):
    """A registry that runs: where, and what it is called. `layout` is the directory of the layout that it hands out;
    empty for one that images are pushed to."""

    port: int
    name: str
    layout: str = ""


@contextmanager
def installed(scratch: str, environ: Mapping[str, str]) -> "Iterator[Registry | None]":
    """The reference implementation, while the block runs; None where it is not installed. KezuriError where it does not
    come up."""
    from shutil import which

    program = next((found for name in PROGRAMS if (found := which(name, path=environ.get("PATH")))), "")
    if not program:
        yield None
        return
    import socket
    import subprocess
    from time import monotonic, sleep

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config, log = os.path.join(scratch, "registry.yml"), os.path.join(scratch, "registry.log")
    storage = os.path.join(scratch, "registry")
    with open(config, "w", encoding="utf-8") as file:
        file.write(
            "version: 0.1\nlog: {level: error}\n"
            f"storage: {{filesystem: {{rootdirectory: {_quoted(storage)}}}}}\n"
            f"http: {{addr: '127.0.0.1:{port}'}}\n"
        )
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [program, "serve", config], stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=dict(environ)
        )
    try:
        until = monotonic() + _WAIT
        while True:
            if process.poll() is not None or monotonic() > until:
                raise KezuriError.of(f"{program} does not come up: {_last_line(log)}", exit_code=125)
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                sleep(0.02)
        yield Registry(port, os.path.basename(program))
    finally:
        process.kill()
        process.wait()


def _quoted(text: str) -> str:
    """A string of YAML."""
    return "'" + text.replace("'", "''") + "'"


def _last_line(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return (file.read()[-1000:].strip().splitlines() or ["it says nothing"])[-1]


@contextmanager
def own(layout: str) -> Iterator[Registry]:
    """A registry that hands out the images of a layout, by the names that they have in it, while the block runs. Only
    what is needed to pull: it takes nothing."""
    import threading
    from http.server import ThreadingHTTPServer

    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(layout))
    server.daemon_threads = True
    thread = threading.Thread(target=lambda: server.serve_forever(0.05), daemon=True)
    thread.start()
    try:
        yield Registry(int(server.server_address[1]), OWN, layout)
    finally:
        server.shutdown()
        server.server_close()


def _handler(layout: str) -> "type[BaseHTTPRequestHandler]":
    from http.server import BaseHTTPRequestHandler

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer(True)

        def do_HEAD(self) -> None:
            self._answer(False)

        def log_message(self, format: str, *args: object) -> None:
            pass

        def _answer(self, body: bool) -> None:
            if self.path in ("/v2/", "/v2"):
                self._say(200, b"{}", body, "application/json")
                return
            asked = _PATH.match(self.path)
            found = asked and _found(layout, asked["name"], asked["kind"], asked["reference"])
            if not found:
                self._say(404, b'{"errors":[{"code":"NOT_FOUND"}]}', body, "application/json")
                return
            digest, media_type = found
            with open(os.path.join(layout, "blobs", "sha256", digest[7:]), "rb", 0) as file:
                size = os.fstat(file.fileno()).st_size
                self.send_response(200)
                self.send_header("Content-Type", media_type)
                self.send_header("Content-Length", str(size))
                self.send_header("Docker-Content-Digest", digest)
                self.end_headers()
                if body:
                    self.wfile.flush()
                    self.connection.sendfile(file)

        def _say(self, status: int, data: bytes, body: bool, media_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

    return Handler


def _found(layout: str, name: str, kind: str, reference: str) -> tuple[str, str] | None:
    """The digest and the media type of what is asked for; None where there is nothing."""
    import json

    digest, media_type = reference, "application/octet-stream"
    if kind == "manifests" and not _DIGEST.match(reference):
        with open(os.path.join(layout, "index.json"), "rb") as file:
            manifests = json.load(file)["manifests"]
        wanted = f"{name}:{reference}"
        named = (m for m in manifests if m.get("annotations", {}).get("org.opencontainers.image.ref.name") == wanted)
        digest = next((m["digest"] for m in named), "")
    if not _DIGEST.match(digest) or not os.path.isfile(os.path.join(layout, "blobs", "sha256", digest[7:])):
        return None
    if kind == "manifests":
        with open(os.path.join(layout, "blobs", "sha256", digest[7:]), "rb") as file:
            document = json.loads(file.read(4 << 20))
        media_type = document.get("mediaType", "application/vnd.oci.image.manifest.v1+json")
    return digest, media_type
