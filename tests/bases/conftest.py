"""A small Debian archive, made by the tests and served over real HTTP."""

import gzip
import hashlib
import io
import lzma
import os
import tarfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

import pytest

Files = dict[str, bytes | str | None]
"""Path → content; None is a directory, a text a symlink's target."""


def make_deb(
    files: Files,
    compression: str = "xz",
    change: Callable[[tarfile.TarFile], None] | None = None,
    controls: Mapping[str, bytes] = MappingProxyType({"control": b"Package: small\nVersion: 1.0-1\n"}),
) -> bytes:
    """A .deb with these files in data.tar, and those in control.tar."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path, content in files.items():
            info = tarfile.TarInfo("./" + path)
            if content is None:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
            elif isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                tar.addfile(info)
            else:
                info.size, info.mode = len(content), 0o755 if path.endswith("/program") else 0o644
                tar.addfile(info, io.BytesIO(content))
        if change:
            change(tar)
    control = io.BytesIO()
    with tarfile.open(fileobj=control, mode="w:gz") as tar:
        for name, text in controls.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))
    data = plain.getvalue()
    if compression == "xz":
        data = lzma.compress(data)
    elif compression == "gz":
        data = gzip.compress(data, mtime=0)
    elif compression == "zst":
        import zstandard

        data = zstandard.compress(data)
    name = "data.tar" + (f".{compression}" if compression else "")
    return ar(("debian-binary", b"2.0\n"), ("control.tar.gz", control.getvalue()), (name, data))


def ar(*members: tuple[str, bytes]) -> bytes:
    out = b"!<arch>\n"
    for name, data in members:
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return out


class Archive:
    """The archive's files by URL path; `faults` maps a path to what goes wrong: a status, or `cut`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, int | str] = {}
        self.asked: list[str] = []
        self.packages: list[tuple[str, bytes, str]] = []
        self.url = ""
        self.sign: Callable[[bytes], bytes] = _unsigned
        self.suite = "trixie"

    def add(self, name: str, deb: bytes, filename: str = "") -> None:
        self.packages.append((name, deb, filename or f"pool/{name}_1.0-1_amd64.deb"))

    def publish(self) -> None:
        stanzas = "\n".join(
            f"Package: {name}\nVersion: 1:1.0-1\nArchitecture: amd64\nFilename: {filename}\nSize: {len(deb)}\n"
            f"SHA256: {hashlib.sha256(deb).hexdigest()}\nDescription: x\n"
            for name, deb, filename in self.packages
        )
        for _, deb, filename in self.packages:
            self.files[f"/debian/{filename}"] = deb
        index = lzma.compress(stanzas.encode())
        digest = hashlib.sha256(index).hexdigest()
        base = f"/debian/dists/{self.suite}"
        self.files[f"{base}/main/binary-amd64/by-hash/SHA256/{digest}"] = index
        self.files[f"{base}/main/binary-amd64/Packages.xz"] = index
        release = (
            "Origin: Debian\nCodename: trixie\nSuite: stable\nDate: Sat, 12 Sep 2026 07:55:41 UTC\n"
            f"SHA256:\n {digest} {len(index)} main/binary-amd64/Packages.xz\n"
        )
        self.files[f"{base}/InRelease"] = self.sign(release.encode())


def _unsigned(release: bytes) -> bytes:
    return (
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
        + release
        + b"-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n"
    )


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """An empty archive with a server; `publish` after adding packages."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "KEZURI_DEBIAN_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("kezuri.registry.retry.delay", lambda failures, chance: 0.0)
    made = Archive()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            fault = made.faults.get(self.path)
            body = made.files.get(self.path)
            if isinstance(fault, int) or (fault is None and body is None):
                self.send_error(fault if isinstance(fault, int) else 404)
                return
            assert body is not None
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}/debian"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def deb_maker() -> Callable[..., bytes]:
    """make_deb, for tests that cannot import from here."""
    return make_deb


@pytest.fixture
def ar_maker() -> Callable[..., bytes]:
    return ar


@pytest.fixture(scope="session")
def real_mirror() -> str:
    """A Debian mirror that answers; otherwise the test is skipped with the reason."""
    from kezuri.bases.mirror import DEFAULT, VARIABLE, Mirror
    from kezuri.diagnostics import KezuriError
    from kezuri.registry.config import RegistryConfig
    from kezuri.registry.transport import SocketTransport

    url = os.environ.get(VARIABLE, "") or DEFAULT
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as directory:
        try:
            with closing(SocketTransport(RegistryConfig.of_machine())) as transport:
                Mirror(url, directory, transport, report=lambda line: None)._release("trixie")
        except KezuriError as error:
            pytest.skip(f"no Debian mirror: {error}")
    return url
