"""Pulling from docker-registry itself, over HTTP and TLS, and what TLS refuses."""

import gzip
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.images.test_images_layout import LAYER, NAME, write_layout
from tests.registry.registry_faults import FastClock, FaultyRegistry, make_image, reset

from kezuri.diagnostics import KezuriError
from kezuri.oci import Platform, Reference, digest_of
from kezuri.registry import DirectorySink, Registry, RegistryConfig
from kezuri.registry.challenge import Credential

AMD64 = Platform("linux", "amd64")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed"),
]
needs_server = pytest.mark.skipif(
    shutil.which("docker-registry") is None or shutil.which("skopeo") is None,
    reason="docker-registry or skopeo is not installed",
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A certificate authority of our own, and a certificate for 127.0.0.1 from it."""
    base = str(tmp_path_factory.mktemp("tls"))
    names = {n: os.path.join(base, n) for n in ("ca.pem", "ca.key", "server.pem", "server.key", "server.csr", "ext")}

    def run(*argv: str) -> None:
        subprocess.run(["openssl", *argv], check=True, capture_output=True)

    run("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test CA",
        "-keyout", names["ca.key"], "-out", names["ca.pem"],
        "-addext", "basicConstraints=critical,CA:TRUE")  # fmt: skip
    run("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=registry",
        "-keyout", names["server.key"], "-out", names["server.csr"])  # fmt: skip
    with open(names["ext"], "w") as file:
        file.write("subjectAltName=IP:127.0.0.1\n")
    run("x509", "-req", "-in", names["server.csr"], "-CA", names["ca.pem"], "-CAkey", names["ca.key"],
        "-CAcreateserial", "-days", "2", "-extfile", names["ext"], "-out", names["server.pem"])  # fmt: skip
    return names


class Server:
    """A docker-registry process on a free port."""

    def __init__(self, base: str, tls: dict[str, str] | None = None, users: str = "") -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{sock.getsockname()[1]}"
        conf = [
            "version: 0.1", "log: {level: error}", f"storage: {{filesystem: {{rootdirectory: {base}/data}}}}",
            f"http: {{addr: '{self.host}', secret: x"
            + (f", tls: {{certificate: {tls['server.pem']}, key: {tls['server.key']}}}" if tls else "") + "}",
        ]  # fmt: skip
        if users:
            conf.append(f"auth: {{htpasswd: {{realm: here, path: {users}}}}}")
        with open(f"{base}/conf.yml", "w") as file:
            file.write("\n".join(conf))
        self.process = subprocess.Popen(
            ["docker-registry", "serve", f"{base}/conf.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        host, _, port = self.host.partition(":")
        for _ in range(200):
            try:
                socket.create_connection((host, int(port)), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        self.stop()
        raise RuntimeError("docker-registry does not start")

    def fill(self, layout: str, *options: str) -> None:
        subprocess.run(
            ["skopeo", "copy", "--insecure-policy", "--dest-tls-verify=false", "--preserve-digests", *options,
             f"oci:{layout}:1", f"docker://{self.host}/team/app:1"],
            check=True, capture_output=True,
        )  # fmt: skip

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def serve(base: Any, **options: Any) -> Iterator[Server]:
    server = Server(str(base), **options)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def plain(tmp_path: Any) -> Iterator[Server]:
    yield from serve(tmp_path)


@pytest.fixture
def secure(tmp_path: Any, authority: dict[str, str]) -> Iterator[Server]:
    yield from serve(tmp_path, tls=authority)


PACKED = gzip.compress(LAYER, 1, mtime=0)
IMAGE = make_image(PACKED, gzip.compress(b"second layer", mtime=0))
BCRYPT_OF_PASS = "$2y$05$abcdefghijklmnopqrstuuZFBUbfXoM8LFiPx8LYlO/sXZB/Cwk3K"


def pulls(server: Server, config: RegistryConfig, base: Any, credentials: Any = None) -> None:
    """A pull of the image, by tag and by digest, which must give just its bytes."""
    with Registry(config, credentials=credentials) as registry:
        for name in ("app:1", f"app@{IMAGE.digest}"):
            reference = Reference.parse(f"{server.host}/team/{name}")
            resolved = registry.resolve(reference, AMD64)
            assert (resolved.manifest_raw, resolved.host) == (IMAGE.manifest, server.host)
            head = registry.head(reference)
            assert head is not None
            assert head.digest == IMAGE.digest
            sink = DirectorySink(str(base / f"sink-{reference.tag}"))
            registry.fetch_all(reference, resolved.manifest.layers, sink)
            for layer in resolved.manifest.layers:
                with open(sink.path(layer.digest), "rb") as file:
                    assert digest_of(file.read()) == layer.digest
        assert registry.head(Reference.parse(f"{server.host}/team/app:none")) is None


@needs_server
def test_over_http(plain: Server, tmp_path: Any) -> None:
    plain.fill(write_layout(str(tmp_path / "layout"), (IMAGE, {NAME: "1"})))
    pulls(plain, RegistryConfig(), tmp_path)


@needs_server
def test_a_part_is_gone_on_with_at_a_real_registry(plain: Server, tmp_path: Any) -> None:
    plain.fill(write_layout(str(tmp_path / "layout"), (IMAGE, {NAME: "1"})))
    sink = DirectorySink(str(tmp_path / "sink"))
    reference = Reference.parse(f"{plain.host}/team/app:1")
    for kept in (PACKED[:1234567], PACKED, PACKED[:-1]):
        with open(sink.path(digest_of(PACKED)) + ".part", "wb") as file:
            file.write(kept)
        with Registry() as registry:
            registry.fetch(reference, IMAGE.layers[0], sink)
        os.unlink(sink.path(digest_of(PACKED)))


@needs_server
def test_what_a_real_registry_says_of_a_missing_tag(plain: Server, tmp_path: Any) -> None:
    with (
        Registry() as registry,
        pytest.raises(KezuriError, match=r"/app:none: GET .*: 404 MANIFEST_UNKNOWN|NAME_UNKNOWN"),
    ):
        registry.resolve(Reference.parse(f"{plain.host}/team/app:none"), AMD64)


@needs_server
def test_over_tls_with_an_authority_of_our_own(
    secure: Server, tmp_path: Any, authority: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    secure.fill(write_layout(str(tmp_path / "layout"), (IMAGE, {NAME: "1"})))
    pulls(secure, RegistryConfig(ca_certificates=authority["ca.pem"]), tmp_path)
    pulls(secure, RegistryConfig(insecure=(secure.host,)), tmp_path)
    directory = tmp_path / "certs.d" / secure.host
    directory.mkdir(parents=True)
    shutil.copy(authority["ca.pem"], directory / "ca.crt")
    pulls(secure, RegistryConfig(certificate_directories=(str(tmp_path / "certs.d"),)), tmp_path)
    with Registry() as registry, pytest.raises(KezuriError) as caught:
        registry.resolve(Reference.parse(f"{secure.host}/team/app:1"), AMD64)
    assert "is not trusted" in caught.value.diagnostics[0].message
    assert "`ca-certificates`" in caught.value.diagnostics[0].hint
    monkeypatch.setenv("SSL_CERT_FILE", authority["ca.pem"])
    pulls(secure, RegistryConfig(), tmp_path)


@needs_server
def test_with_a_password(tmp_path: Any) -> None:
    (tmp_path / "users").write_text(f"user:{BCRYPT_OF_PASS}\n")
    for server in serve(tmp_path, users=str(tmp_path / "users")):
        server.fill(write_layout(str(tmp_path / "layout"), (IMAGE, {NAME: "1"})), "--dest-creds=user:pass")

        class Known:
            def find(self, host: str, path: str) -> Credential | None:
                return Credential("user", "pass")

        pulls(server, RegistryConfig(), tmp_path, Known())
        with Registry() as registry, pytest.raises(KezuriError, match="401 UNAUTHORIZED"):
            registry.resolve(Reference.parse(f"{server.host}/team/app:1"), AMD64)


@pytest.fixture
def tls_server(authority: dict[str, str]) -> Iterator[FaultyRegistry]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority["server.pem"], authority["server.key"])
    with FaultyRegistry(context) as server:
        server.put(IMAGE, "1")
        yield server


def test_a_certificate_for_another_name(tls_server: FaultyRegistry, authority: dict[str, str]) -> None:
    config = RegistryConfig(ca_certificates=authority["ca.pem"])
    with Registry(config) as registry:
        assert registry.resolve(Reference.parse(f"{tls_server.host}/app:1"), AMD64).config.cmd == ("/hello",)
        with pytest.raises(KezuriError, match="is for another name"):
            registry.resolve(Reference.parse(f"localhost:{tls_server.port}/app:1"), AMD64)


def test_tls_is_not_left_for_an_untrusted_certificate(tls_server: FaultyRegistry) -> None:
    with Registry() as registry, pytest.raises(KezuriError, match="is not trusted"):
        registry.resolve(Reference.parse(f"{tls_server.host}/app:1"), AMD64)
    assert tls_server.log == []


def test_tls_is_not_left_for_a_connection_that_breaks(tls_server: FaultyRegistry, authority: dict[str, str]) -> None:
    tls_server.on("manifests", reset)
    with Registry(RegistryConfig(ca_certificates=authority["ca.pem"]), clock=FastClock()) as registry:
        assert registry.resolve(Reference.parse(f"{tls_server.host}/app:1"), AMD64).config.cmd == ("/hello",)
    assert len(tls_server.asked("manifests")) == 2


def test_a_file_of_authorities_that_is_none(tmp_path: Any) -> None:
    (tmp_path / "bad.pem").write_text("nothing")
    for path, words in ((str(tmp_path / "bad.pem"), "PEM"), (str(tmp_path / "none.pem"), "no such file")):
        with Registry(RegistryConfig(ca_certificates=path)) as registry, pytest.raises(KezuriError, match=words):
            registry.resolve(Reference.parse("registry.invalid/app:1"), AMD64)
