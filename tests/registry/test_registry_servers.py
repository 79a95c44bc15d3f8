"""Pulling from docker-registry itself, over HTTP and TLS, and what TLS refuses."""

import gzip
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.images.test_images_layout import LAYER, NAME, write_layout
from tests.registry.registry_faults import FastClock, FaultyRegistry, make_image, reset
from tests.registry.registry_servers import (
    PASSWORD,
    USER,
    Authority,
    Pair,
    RegistryServer,
    needs_openssl,
    needs_registry,
    needs_skopeo,
)

from kezuri.diagnostics import KezuriError
from kezuri.oci import Platform, Reference, digest_of
from kezuri.registry import DirectorySink, Registry, RegistryConfig
from kezuri.registry.challenge import Credential

AMD64 = Platform("linux", "amd64")

pytestmark = [pytest.mark.slow, needs_openssl]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def shown(authority: Authority) -> Pair:
    """What a server on 127.0.0.1 shows."""
    return authority.issue("registry", "IP:127.0.0.1")


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[RegistryServer]:
    with RegistryServer(tmp_path) as server:
        yield server


@pytest.fixture
def secure(tmp_path: Path, shown: Pair) -> Iterator[RegistryServer]:
    with RegistryServer(tmp_path, tls=shown) as server:
        yield server


PACKED = gzip.compress(LAYER, 1, mtime=0)
IMAGE = make_image(PACKED, gzip.compress(b"second layer", mtime=0))


def pulls(server: RegistryServer, config: RegistryConfig, base: Any, credentials: Any = None) -> None:
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


@needs_registry
@needs_skopeo
def test_over_http(plain: RegistryServer, tmp_path: Any) -> None:
    plain.fill(write_layout(str(tmp_path / "layout"), (IMAGE, {NAME: "1"})))
    pulls(plain, RegistryConfig(), tmp_path)


@needs_registry
@needs_skopeo
def test_a_part_is_gone_on_with_at_a_real_registry(plain: RegistryServer, tmp_path: Any) -> None:
    plain.fill(write_layout(str(tmp_path / "layout"), (IMAGE, {NAME: "1"})))
    sink = DirectorySink(str(tmp_path / "sink"))
    reference = Reference.parse(f"{plain.host}/team/app:1")
    heard: list[int] = []

    def note(there: int, whole: int) -> None:
        heard.append(there)

    for kept in (PACKED[:1234567], PACKED, PACKED[:-1]):
        with open(sink.path(digest_of(PACKED)) + ".part", "wb") as file:
            file.write(kept)
        heard.clear()
        with Registry() as registry:
            registry.fetch(reference, IMAGE.layers[0], sink, note)
        assert heard and min(heard) >= len(kept), "it began anew"
        os.unlink(sink.path(digest_of(PACKED)))


@needs_registry
@needs_skopeo
def test_what_a_real_registry_says_of_a_missing_tag(plain: RegistryServer, tmp_path: Any) -> None:
    with (
        Registry() as registry,
        pytest.raises(KezuriError, match=r"/app:none: GET .*: 404 MANIFEST_UNKNOWN|NAME_UNKNOWN"),
    ):
        registry.resolve(Reference.parse(f"{plain.host}/team/app:none"), AMD64)


@needs_registry
@needs_skopeo
def test_over_tls_with_an_authority_of_our_own(
    secure: RegistryServer, tmp_path: Any, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    secure.fill(write_layout(str(tmp_path / "layout"), (IMAGE, {NAME: "1"})))
    pulls(secure, RegistryConfig(ca_certificates=authority.certificate), tmp_path)
    pulls(secure, RegistryConfig(insecure=(secure.host,)), tmp_path)
    directory = tmp_path / "certs.d" / secure.host
    directory.mkdir(parents=True)
    shutil.copy(authority.certificate, directory / "ca.crt")
    pulls(secure, RegistryConfig(certificate_directories=(str(tmp_path / "certs.d"),)), tmp_path)
    with Registry() as registry, pytest.raises(KezuriError) as caught:
        registry.resolve(Reference.parse(f"{secure.host}/team/app:1"), AMD64)
    assert "is not trusted" in caught.value.diagnostics[0].message
    assert "`ca-certificates`" in caught.value.diagnostics[0].hint
    monkeypatch.setenv("SSL_CERT_FILE", authority.certificate)
    pulls(secure, RegistryConfig(), tmp_path)


@needs_registry
@needs_skopeo
def test_with_a_password(tmp_path: Any) -> None:
    with RegistryServer(tmp_path, password=True) as server:
        server.fill(
            write_layout(str(tmp_path / "layout"), (IMAGE, {NAME: "1"})), "team/app:1", "--dest-creds=user:pass"
        )

        class Known:
            def find(self, host: str, path: str) -> Credential | None:
                return Credential(USER, PASSWORD)

        pulls(server, RegistryConfig(), tmp_path, Known())
        with Registry() as registry, pytest.raises(KezuriError, match="401 UNAUTHORIZED"):
            registry.resolve(Reference.parse(f"{server.host}/team/app:1"), AMD64)


@pytest.fixture
def tls_server(shown: Pair) -> Iterator[FaultyRegistry]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown.certificate, shown.key)
    with FaultyRegistry(context) as server:
        server.put(IMAGE, "1")
        yield server


@pytest.mark.parametrize(("hashed", "whole", "trusted"), [(0, 1, True), (1, 0, True), (1, 1, False)])
def test_the_authorities_of_the_system_are_in_a_directory_or_in_a_file(
    hashed: int,
    whole: int,
    trusted: bool,
    tls_server: FaultyRegistry,
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the directory does not have is looked for in the file: people append to that one."""
    (tmp_path / "another").mkdir()
    authorities = (authority.certificate, Authority(tmp_path / "another").certificate)
    (directory := tmp_path / "certs").mkdir()
    shutil.copy(authorities[hashed], directory / "ca.pem")
    subprocess.run(["openssl", "rehash", str(directory)], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_DIR", str(directory))
    monkeypatch.setenv("SSL_CERT_FILE", authorities[whole])
    tls_server.put(make_image(b"layer"), "1")
    reference = Reference.parse(f"{tls_server.host}/app:1")
    with Registry(RegistryConfig(), clock=FastClock()) as registry:
        if trusted:
            assert registry.resolve(reference, AMD64).manifest.layers
        else:
            with pytest.raises(KezuriError, match="certificate"):
                registry.resolve(reference, AMD64)


def test_a_certificate_for_another_name(tls_server: FaultyRegistry, authority: Authority) -> None:
    config = RegistryConfig(ca_certificates=authority.certificate)
    with Registry(config) as registry:
        assert registry.resolve(Reference.parse(f"{tls_server.host}/app:1"), AMD64).config.cmd == ("/hello",)
        with pytest.raises(KezuriError, match="is for another name"):
            registry.resolve(Reference.parse(f"localhost:{tls_server.port}/app:1"), AMD64)


def test_tls_is_not_left_for_an_untrusted_certificate(tls_server: FaultyRegistry) -> None:
    with Registry() as registry, pytest.raises(KezuriError, match="is not trusted"):
        registry.resolve(Reference.parse(f"{tls_server.host}/app:1"), AMD64)
    assert tls_server.log == []


def test_tls_is_not_left_for_a_connection_that_breaks(tls_server: FaultyRegistry, authority: Authority) -> None:
    tls_server.on("manifests", reset)
    with Registry(RegistryConfig(ca_certificates=authority.certificate), clock=FastClock()) as registry:
        assert registry.resolve(Reference.parse(f"{tls_server.host}/app:1"), AMD64).config.cmd == ("/hello",)
    assert len(tls_server.asked("manifests")) == 2


def test_certificates_of_ours_that_cannot_be_shown(
    tmp_path: Path, authority: Authority, tls_server: FaultyRegistry
) -> None:
    ours = authority.issue("ours")
    directory = tmp_path / "certificates"
    directory.mkdir()
    shutil.copy(ours.certificate, directory / "client.cert")
    config = RegistryConfig(certificates=str(directory))

    def refused() -> str:
        with Registry(config) as registry, pytest.raises(KezuriError) as caught:
            registry.resolve(Reference.parse(f"{tls_server.host}/app:1"), AMD64)
        return caught.value.diagnostics[0].message

    key = str(directory / "client.key")
    assert refused() == f"client certificate {directory}/client.cert: No such file or directory (its key is {key})"
    subprocess.run(["openssl", "pkey", "-in", ours.key, "-out", key, "-aes256", "-passout", "pass:hush"], check=True)
    assert refused() == f"client certificate {directory}/client.cert: its key {key} has a passphrase"
    shutil.copy(authority.issue("another").key, key)
    assert "not a certificate in PEM form with its key" in refused()


def test_a_file_of_authorities_that_is_none(tmp_path: Any) -> None:
    (tmp_path / "bad.pem").write_text("nothing")
    for path, words in ((str(tmp_path / "bad.pem"), "PEM"), (str(tmp_path / "none.pem"), "no such file")):
        with Registry(RegistryConfig(ca_certificates=path)) as registry, pytest.raises(KezuriError, match=words):
            registry.resolve(Reference.parse("registry.invalid/app:1"), AMD64)
