"""A small registry over real sockets that misbehaves on demand and keeps a log."""

import gzip
import json
import re
import socket
import struct
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from kezuri.oci import CONFIG, INDEX, LAYER_GZIP, MANIFEST, Descriptor, Manifest, canonical, digest_of
from kezuri.registry.retry import Clock


class Seen(NamedTuple):
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def range(self) -> str:
        return self.headers.get("range", "")


class FastClock(Clock):
    """A clock whose waits take no time, and are written down."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.waits: list[float] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        return self.time

    def date(self) -> float:
        return 1_700_000_000.0

    def chance(self) -> float:
        return 0.0

    def wait(self, seconds: float, stop: threading.Event) -> None:
        with self._lock:
            self.waits.append(seconds)
            self.time += seconds


class Image(NamedTuple):
    """A tiny image, made by hand."""

    manifest: bytes
    blobs: dict[str, bytes]
    layers: tuple[Descriptor, ...]
    digest: str


def make_image(*layers: bytes, architecture: str = "amd64", variant: str = "", **extra: Any) -> Image:
    """An image whose layers are just these bytes."""
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/hello"], "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(_unpacked(layer)) for layer in layers]},
        "history": [],
    }
    if variant:
        config["variant"] = variant
    raw_config = canonical(config)
    descriptors = tuple(Descriptor(LAYER_GZIP, digest_of(layer), len(layer)) for layer in layers)
    manifest = canonical(
        Manifest(Descriptor(CONFIG, digest_of(raw_config), len(raw_config)), descriptors).to_json() | extra
    )
    blobs = {digest_of(b): b for b in (raw_config, *layers)}
    return Image(manifest, blobs, descriptors, digest_of(manifest))


def _unpacked(layer: bytes) -> bytes:
    return gzip.decompress(layer) if layer.startswith(b"\x1f\x8b") else layer


def make_index(*images: tuple[Image, dict[str, str] | None]) -> bytes:
    """An index over images with the given platform objects."""
    entries: list[dict[str, Any]] = []
    for image, platform in images:
        entry: dict[str, Any] = {"mediaType": MANIFEST, "digest": image.digest, "size": len(image.manifest)}
        if platform is not None:
            entry["platform"] = platform
        entries.append(entry)
    return canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})


Fault = Callable[["Handler", str, bytes], None]


class Rule:
    """A fault for requests whose `METHOD path` matches, a number of times, after skipping some."""

    def __init__(self, pattern: str, fault: Fault, times: int, skip: int) -> None:
        self.pattern = re.compile(pattern)
        self.fault = fault
        self.times = times
        self.skip = skip


class FaultyRegistry:
    """The server. `documents` maps `manifests/NAME` and `blobs/DIGEST` of any repository to (type, bytes). With an
    `upstream` it has nothing itself and lets that registry (host:port, plain HTTP) answer."""

    def __init__(self, ssl_context: Any = None, upstream: str = "") -> None:
        self.upstream = upstream
        self.documents: dict[str, tuple[str, bytes]] = {}
        self.log: list[Seen] = []
        self.rules: list[Rule] = []
        self.authorize: Callable[[Handler], bool] | None = None
        self.uploads: set[str] = set()
        self.upload_host = ""
        self.most_at_once = 0
        self.at_once = 0
        self.stopped = threading.Event()
        self.lock = threading.Lock()
        handler = type("Bound", (Handler,), {"registry": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]
        if ssl_context is not None:
            self.server.socket = ssl_context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=lambda: self.server.serve_forever(0.01), daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def put(self, image: Image, *names: str) -> None:
        for digest, data in image.blobs.items():
            self.documents[f"blobs/{digest}"] = ("application/octet-stream", data)
        self.put_document(image.manifest, MANIFEST, *names)

    def put_document(self, raw: bytes, media_type: str, *names: str) -> None:
        for name in (*names, digest_of(raw)):
            self.documents[f"manifests/{name}"] = (media_type, raw)

    def on(self, pattern: str, fault: Fault, times: int = 1, skip: int = 0) -> None:
        self.rules.append(Rule(pattern, fault, times, skip))

    def asked(self, part: str) -> list[Seen]:
        return [seen for seen in self.log if part in f"{seen.method} {seen.path}"]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    registry: FaultyRegistry
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        registry = self.registry
        path = re.sub(r"^http://[^/]+", "", self.path)
        with registry.lock:
            registry.log.append(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            registry.at_once += 1
            registry.most_at_once = max(registry.most_at_once, registry.at_once)
            fault = None
            for rule in registry.rules:
                if rule.times and rule.pattern.search(f"{self.command} {self.path}"):
                    if rule.skip:
                        rule.skip -= 1
                        continue
                    rule.times -= 1
                    fault = rule.fault
                    break
        try:
            found = re.search(r"((?:manifests|blobs)/[^/?]+)", path)
            if fault is None and registry.upstream:
                self.forward()
                return
            kind, data = registry.documents.get(found[1] if found else "", ("", b""))
            if self.command in ("POST", "PUT", "DELETE") and fault is None:
                self.take(path, found[1] if found else "")
                return
            if fault is not None:
                fault(self, kind, data)
            elif registry.authorize is not None and not registry.authorize(self):
                pass
            elif not kind:
                self.refuse(404, "MANIFEST_UNKNOWN" if "manifests" in path else "BLOB_UNKNOWN", "not here")
            else:
                self.serve(kind, data)
        finally:
            with registry.lock:
                registry.at_once -= 1

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def body(self) -> bytes:
        """All of the request's body."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def forward(self) -> None:
        """Let the registry behind this one answer."""
        assert self.registry.upstream
        body = self.body() if self.command in ("POST", "PUT", "PATCH") else None
        behind = HTTPConnection(self.registry.upstream, timeout=30)
        try:
            # With our own Host the registry sends uploads to us.
            behind.request(self.command, self.path, body, dict(self.headers.items()))
            response = behind.getresponse()
            data = response.read()
            kept = ("location", "docker-content-digest", "www-authenticate", "content-range", "link")
            headers = {name: value for name, value in response.getheaders() if name.lower() in kept}
            if self.command == "HEAD":
                headers["Content-Length"] = response.getheader("Content-Length") or "0"
            self.answer(response.status, data, response.getheader("Content-Type") or "", headers)
        finally:
            behind.close()

    def take(self, path: str, name: str) -> None:
        """What is pushed: uploads that end with their PUT, and manifests."""
        registry = self.registry
        body = self.body()
        session = path.partition("/blobs/uploads/")[2].partition("?")[0]
        if registry.authorize is not None and not registry.authorize(self):
            return
        if "/blobs/uploads/" in path and self.command == "POST":
            with registry.lock:
                session = f"session-{len(registry.uploads)}-{len(registry.log)}"
                registry.uploads.add(session)
            location = f"{path.partition('?')[0]}{session}?_state=a%2Fb"
            self.answer(202, b"", "", {"Location": registry.upload_host + location})
        elif "/blobs/uploads/" in path:
            digest = parse_qs(urlsplit(path).query).get("digest", [""])[0]
            if session not in registry.uploads or "_state=a%2Fb" not in path:
                self.refuse(404, "BLOB_UPLOAD_UNKNOWN", "no such upload")
            elif self.command == "DELETE":
                registry.uploads.discard(session)
                self.answer(204, b"")
            elif digest != digest_of(body):
                self.refuse(400, "DIGEST_INVALID", "another digest")
            else:
                registry.uploads.discard(session)
                registry.documents[f"blobs/{digest}"] = ("application/octet-stream", body)
                self.answer(201, b"", "", {"Docker-Content-Digest": digest})
        elif self.command == "PUT":
            registry.put_document(body, self.headers.get("Content-Type", ""), name.partition("/")[2])
            self.answer(201, b"", "", {"Docker-Content-Digest": digest_of(body)})
        else:
            registry.documents.pop(name, None)
            self.answer(202, b"")

    def serve(self, kind: str, data: bytes, ranges: bool = True) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if found and ranges:
            start, end = int(found[1]), int(found[2])
            part = data[start : end + 1]
            self.answer(206, part, kind, {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(data)}"})
        else:
            self.answer(200, data, kind, {"Docker-Content-Digest": digest_of(data)})

    def answer(self, status: int, body: bytes, kind: str = "", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        headers = headers or {}
        if kind:
            self.send_header("Content-Type", kind)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, body, "application/json", headers)


def after(fault: Fault) -> Fault:
    """A fault that comes when the whole request has been read."""

    def later(handler: Handler, kind: str, data: bytes) -> None:
        handler.body()
        fault(handler, kind, data)

    return later


def midway(fault: Fault, most: int = 10_000) -> Fault:
    """A fault that comes in the middle of the request's body."""

    def later(handler: Handler, kind: str, data: bytes) -> None:
        handler.rfile.read(most)
        fault(handler, kind, data)

    return later


def behind(fault: Fault) -> Fault:
    """A fault of a proxy: the document is that of the registry behind it."""

    def later(handler: Handler, kind: str, data: bytes) -> None:
        registry = HTTPConnection(handler.registry.upstream, timeout=30)
        try:
            registry.request("GET", handler.path, headers={"Accept": handler.headers.get("Accept", "*/*")})
            response = registry.getresponse()
            fault(handler, response.getheader("Content-Type") or "", response.read())
        finally:
            registry.close()

    return later


def lost(handler: Handler, kind: str, data: bytes) -> None:
    """The request is carried out and its answer never arrives."""
    path = handler.path
    found = re.search(r"((?:manifests|blobs)/[^/?]+)", path)
    handler.answer = lambda *_, **__: None  # type: ignore[method-assign]
    try:
        if handler.registry.upstream:
            handler.forward()
        else:
            handler.take(path, found[1] if found else "")
    finally:
        del handler.answer
    reset(handler, kind, data)


def stall(handler: Handler, kind: str, data: bytes) -> None:
    """Nothing is read and nothing answered, until the client goes away."""
    handler.connection.settimeout(20)
    try:
        while handler.connection.recv(1):
            handler.registry.stopped.wait(20)
            break
    except OSError:
        pass
    handler.close_connection = True


def status(code: int, **headers: str) -> Fault:
    return lambda handler, kind, data: handler.refuse(
        code,
        "TOOMANYREQUESTS" if code == 429 else "UNAVAILABLE",
        "not now",
        {k.replace("_", "-"): v for k, v in headers.items()},
    )


def cut(after: int) -> Fault:
    def fault(handler: Handler, kind: str, data: bytes) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", handler.headers.get("Range", ""))
        start = int(found[1]) if found else 0
        rest = data[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(rest)))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        handler.end_headers()
        handler.wfile.write(rest[:after])
        handler.wfile.flush()
        handler.close_connection = True

    return fault


def short(handler: Handler, kind: str, data: bytes) -> None:
    handler.answer(200, data[:-100], kind)


def long(handler: Handler, kind: str, data: bytes) -> None:
    handler.answer(200, data + b"more", kind)


def long_chunked(handler: Handler, kind: str, data: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    body = data + b"more"
    handler.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))


def flip(handler: Handler, kind: str, data: bytes) -> None:
    handler.answer(200, data[:50] + bytes([data[50] ^ 1]) + data[51:], kind)


def reset(handler: Handler, kind: str, data: bytes) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def no_ranges(handler: Handler, kind: str, data: bytes) -> None:
    handler.serve(kind, data, ranges=False)


def wrong_range(handler: Handler, kind: str, data: bytes) -> None:
    handler.answer(206, data[10:], kind, {"Content-Range": f"bytes 10-{len(data) - 1}/{len(data)}"})


def unsatisfiable(handler: Handler, kind: str, data: bytes) -> None:
    """What docker-registry does: a Content-Length that its body never reaches."""
    handler.answer(416, b"short", kind, {"Content-Length": str(len(data))})


def redirect(target: str, code: int = 307) -> Fault:
    return lambda handler, kind, data: handler.answer(
        code, b"", "", {"Location": target.replace("PATH", handler.path.lstrip("/"))}
    )
