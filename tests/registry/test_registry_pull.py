"""Pulling from a registry that misbehaves: outcome and behaviour, over real sockets."""

import os
import random
from typing import Any

import pytest
from tests.registry.registry_faults import (
    FastClock,
    FaultyRegistry,
    Handler,
    Image,
    cut,
    flip,
    long,
    long_chunked,
    make_image,
    make_index,
    no_ranges,
    redirect,
    reset,
    short,
    status,
    unsatisfiable,
    wrong_range,
)

from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.oci import INDEX, MANIFEST, Descriptor, Platform, Reference, canonical, digest_of
from kezuri.registry import DirectorySink, MemorySink, Registry, RegistryConfig, Resolved
from kezuri.registry.challenge import Credential

AMD64 = Platform("linux", "amd64")
LAYER = random.Random(7).randbytes(300_000)
BLOB = "GET .*/blobs/" + digest_of(LAYER)


@pytest.fixture(autouse=True)
def no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the system's authorities for every client costs more than the tests themselves."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")


@pytest.fixture
def image(server: FaultyRegistry) -> Image:
    made = make_image(LAYER)
    server.put(made, "1")
    return made


class Client:
    """A registry client on a fast clock, which writes down its warnings."""

    def __init__(self, **config: Any) -> None:
        self.clock = FastClock()
        self.warnings: list[Diagnostic] = []
        self.registry = Registry(RegistryConfig(**config), warn=self.warnings.append, clock=self.clock)

    def resolve(self, host: str, name: str = "app:1", platform: Platform = AMD64) -> Resolved:
        with self.registry:
            return self.registry.resolve(Reference.parse(f"{host}/{name}"), platform)

    def pull(self, host: str, name: str = "app:1") -> dict[str, bytes]:
        sink = MemorySink()
        reference = Reference.parse(f"{host}/{name}")
        with self.registry as registry:
            resolved = registry.resolve(reference, AMD64)
            registry.fetch_all(reference, resolved.manifest.layers, sink)
        return sink.blobs


def text(error: KezuriError) -> str:
    return "\n".join(f"{d.message}\n{d.hint}" for d in error.diagnostics)


def test_an_image_is_resolved_and_pulled(server: FaultyRegistry, image: Image) -> None:
    client = Client()
    assert client.pull(server.host)[digest_of(LAYER)] == LAYER
    assert [s.path for s in server.log if s.path.startswith("/v2/")] == [
        "/v2/app/manifests/1",
        *(f"/v2/app/blobs/{d}" for d in (digest_of(image.blobs[next(iter(image.blobs))]), digest_of(LAYER))),
    ]
    accept = server.asked("manifests")[0].headers["accept"].split(",")
    assert {INDEX, MANIFEST, "application/vnd.docker.distribution.manifest.v2+json"} < set(accept)


def test_what_resolve_gives(server: FaultyRegistry, image: Image) -> None:
    found = Client().resolve(server.host)
    assert found.descriptor == Descriptor(MANIFEST, image.digest, len(image.manifest))
    assert (found.manifest_raw, found.index_digest, found.host) == (image.manifest, "", server.host)
    assert found.config.cmd == ("/hello",)
    assert digest_of(found.config_raw) == found.manifest.config.digest


@pytest.mark.parametrize("where", [BLOB, "GET .*/manifests/"])
@pytest.mark.parametrize("fault", [status(429, Retry_After="7"), status(500), status(503), reset], ids=str)
def test_a_passing_failure_is_repeated(server: FaultyRegistry, image: Image, where: str, fault: Any) -> None:
    server.on(where, fault)
    client = Client()
    assert client.pull(server.host)[digest_of(LAYER)] == LAYER
    assert len(client.clock.waits) == 1
    assert client.clock.waits[0] >= 1


def test_retry_after_is_honoured_as_seconds_and_as_a_date(server: FaultyRegistry, image: Image) -> None:
    server.on(BLOB, status(429, Retry_After="7"))
    server.on(BLOB, status(503, Retry_After="Tue, 14 Nov 2023 22:13:41 GMT"))
    client = Client()
    client.pull(server.host)
    assert client.clock.waits == [7, 21]


def test_a_long_retry_after_is_not_waited_for(server: FaultyRegistry, image: Image) -> None:
    server.on(BLOB, status(429, Retry_After="3600"))
    client = Client()
    with pytest.raises(KezuriError) as caught:
        client.pull(server.host)
    assert client.clock.waits == []
    assert "429 TOOMANYREQUESTS" in text(caught.value)
    assert "limits how often it is asked; it asks to wait 3600 s" in text(caught.value)


def test_a_lasting_failure_ends_after_five_tries(server: FaultyRegistry, image: Image) -> None:
    server.on(BLOB, status(500), times=99)
    client = Client()
    with pytest.raises(KezuriError) as caught:
        client.pull(server.host)
    assert len(server.asked(digest_of(LAYER))) == 5
    assert client.clock.waits == [1, 2, 4, 8]
    assert caught.value.exit_code == 125
    assert f"{server.host}/app:1: blob {digest_of(LAYER)}: GET http://" in text(caught.value)


def test_a_cut_blob_is_gone_on_with(server: FaultyRegistry, image: Image) -> None:
    server.on(BLOB, cut(100_000))
    server.on(BLOB, cut(50_000))
    assert Client().pull(server.host)[digest_of(LAYER)] == LAYER
    assert [s.range for s in server.asked(digest_of(LAYER))] == ["", "bytes=100000-299999", "bytes=150000-299999"]


def test_a_blob_cut_at_its_very_end_is_not_asked_for_at_its_end(server: FaultyRegistry, image: Image) -> None:
    server.on(BLOB, cut(299_999))
    assert Client().pull(server.host)[digest_of(LAYER)] == LAYER
    assert [s.range for s in server.asked(digest_of(LAYER))] == ["", "bytes=299999-299999"]


@pytest.mark.parametrize("fault", [no_ranges, unsatisfiable, wrong_range])
def test_ranges_that_are_ignored_refused_or_wrong(server: FaultyRegistry, image: Image, fault: Any) -> None:
    server.on(BLOB, cut(100_000))
    server.on(BLOB, fault)
    assert Client().pull(server.host)[digest_of(LAYER)] == LAYER
    asked = server.asked(digest_of(LAYER))
    assert asked[1].range == "bytes=100000-299999"
    assert [s.range for s in asked[2:]] == ([] if fault is no_ranges else [""])


@pytest.mark.parametrize("fault", [short, flip, long, long_chunked])
def test_wrong_bytes_are_fetched_once_more(server: FaultyRegistry, image: Image, fault: Any) -> None:
    server.on(BLOB, fault)
    assert Client().pull(server.host)[digest_of(LAYER)] == LAYER
    assert [s.range for s in server.asked(digest_of(LAYER))] == ["", ""]


@pytest.mark.parametrize("fault", [short, flip, long, long_chunked])
def test_bytes_that_are_wrong_twice_fail(server: FaultyRegistry, image: Image, fault: Any, tmp_path: Any) -> None:
    server.on(BLOB, fault, times=99)
    sink = DirectorySink(str(tmp_path))
    with Client().registry as registry, pytest.raises(KezuriError) as caught:
        registry.fetch(Reference.parse(f"{server.host}/app:1"), image.layers[0], sink)
    assert len(server.asked(digest_of(LAYER))) == 2
    assert "wrong twice" in text(caught.value)
    assert text(caught.value).count(digest_of(LAYER)) == 1
    assert not sink.has(digest_of(LAYER))


def test_a_manifest_that_lacks_its_digest(server: FaultyRegistry, image: Image) -> None:
    server.on("GET .*/manifests/", flip)
    assert Client().resolve(server.host, f"app@{image.digest}").descriptor.digest == image.digest
    server.on("GET .*/manifests/", flip, times=9)
    with pytest.raises(KezuriError, match="wrong twice"):
        Client().resolve(server.host, f"app@{image.digest}")


def test_progress_is_told(server: FaultyRegistry, image: Image) -> None:
    heard: list[tuple[int, int]] = []
    with Client().registry as registry:
        registry.fetch(
            Reference.parse(f"{server.host}/app:1"), image.layers[0], MemorySink(), lambda n, of: heard.append((n, of))
        )
    assert heard[-1] == (300_000, 300_000)
    assert [n for n, _ in heard] == sorted(n for n, _ in heard)


def test_progress_of_a_whole_image_is_told(server: FaultyRegistry) -> None:
    made = make_image(LAYER, LAYER[:200_000])
    server.put(made, "1")
    heard: list[tuple[Descriptor, int, int]] = []
    with Client().registry as registry:
        reference = Reference.parse(f"{server.host}/app:1")
        registry.fetch_all(reference, made.layers, MemorySink(), lambda *told: heard.append(told))
    for layer in made.layers:
        sizes = [current for descriptor, current, total in heard if descriptor == layer and total == layer.size]
        assert sizes == sorted(sizes) and sizes[0] > 0 and sizes[-1] == layer.size
    assert {total for _, _, total in heard} == {layer.size for layer in made.layers}
    assert any(current < total for _, current, total in heard)


def test_a_part_of_before_is_gone_on_with(server: FaultyRegistry, image: Image, tmp_path: Any) -> None:
    sink = DirectorySink(str(tmp_path))
    part = sink.path(digest_of(LAYER)) + ".part"
    with open(part, "wb") as file:
        file.write(LAYER[:1000])
    with Client().registry as registry:
        registry.fetch(Reference.parse(f"{server.host}/app:1"), image.layers[0], sink)
    assert [s.range for s in server.asked(digest_of(LAYER))] == ["bytes=1000-299999"]
    with open(sink.path(digest_of(LAYER)), "rb") as file:
        assert file.read() == LAYER
    assert not os.path.exists(part)


@pytest.mark.parametrize("kept", [b"x" * 1000, LAYER + b"x", b"x" * len(LAYER)], ids=["wrong", "long", "whole, wrong"])
def test_a_part_that_does_not_fit_is_dropped(server: FaultyRegistry, image: Image, tmp_path: Any, kept: bytes) -> None:
    sink = DirectorySink(str(tmp_path))
    with open(sink.path(digest_of(LAYER)) + ".part", "wb") as file:
        file.write(kept)
    with Client().registry as registry:
        registry.fetch(Reference.parse(f"{server.host}/app:1"), image.layers[0], sink)
    assert server.asked(digest_of(LAYER))[-1].range == ""
    with open(sink.path(digest_of(LAYER)), "rb") as file:
        assert file.read() == LAYER


def test_a_failed_pull_leaves_a_part_to_go_on_from(server: FaultyRegistry, image: Image, tmp_path: Any) -> None:
    sink = DirectorySink(str(tmp_path))
    reference = Reference.parse(f"{server.host}/app:1")
    server.on(BLOB, cut(100_000))
    server.on(BLOB, status(404))
    with Client().registry as registry, pytest.raises(KezuriError, match="404"):
        registry.fetch(reference, image.layers[0], sink)
    server.rules.clear()
    with Client().registry as registry:
        registry.fetch(reference, image.layers[0], sink)
    assert server.asked(digest_of(LAYER))[-1].range == "bytes=100000-299999"


def test_what_is_there_is_not_asked_for(server: FaultyRegistry, image: Image) -> None:
    sink = MemorySink()
    sink.blobs[digest_of(LAYER)] = LAYER
    with Client().registry as registry:
        registry.fetch_all(Reference.parse(f"{server.host}/app:1"), image.layers * 3, sink)
    assert server.log == []


def test_blobs_come_four_at_a_time_and_each_once(server: FaultyRegistry) -> None:
    layers = [bytes([i]) * (1000 + i) for i in range(12)]
    image = make_image(*layers)
    server.put(image, "1")
    sink = MemorySink()
    with Client().registry as registry:
        registry.fetch_all(Reference.parse(f"{server.host}/app:1"), image.layers * 2, sink)
    assert set(sink.blobs.values()) == set(layers)
    assert len(server.asked("/blobs/")) == 12
    assert server.most_at_once <= 4


def test_the_first_error_ends_a_parallel_pull(server: FaultyRegistry) -> None:
    image = make_image(*(bytes([i]) * (1000 + i) for i in range(40)))
    server.put(image, "1")
    server.on("GET .*/blobs/", status(404), times=99)
    with Client().registry as registry, pytest.raises(KezuriError, match="404"):
        registry.fetch_all(Reference.parse(f"{server.host}/app:1"), image.layers, MemorySink())
    assert len(server.asked("/blobs/")) < 12


class Bearer:
    """Demands a token of a token server at the same place; tokens hold for a number of requests."""

    def __init__(self, server: FaultyRegistry, uses: int = 99, refuse: bool = False, realm: str = "") -> None:
        self.server, self.uses, self.refuse = server, uses, refuse
        self.realm = realm or f"http://{server.host}/token"
        self.left: dict[str, int] = {}
        self.scopes: list[str] = []

    def __call__(self, handler: Handler) -> bool:
        from urllib.parse import parse_qs, urlsplit

        if handler.path.startswith("/token"):
            query = parse_qs(urlsplit(handler.path).query)
            self.scopes.append(query["scope"][0])
            assert query["service"] == ["the, registry"]
            token = f"t{len(self.scopes)}"
            self.left[token] = self.uses
            handler.answer(200, b'{"access_token": "%s", "expires_in": 300}' % token.encode())
            return False
        token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        if not self.refuse and self.left.get(token, 0) > 0:
            self.left[token] -= 1
            return True
        handler.refuse(
            401,
            "UNAUTHORIZED",
            "authentication required",
            {
                "WWW-Authenticate": f'Negotiate, bEaReR realm="{self.realm}",service="the, registry",'
                'scope="repository:app:pull"'
            },
        )
        return False


def test_a_token_is_fetched_once_for_all(server: FaultyRegistry, image: Image) -> None:
    bearer = server.authorize = Bearer(server)
    assert Client().pull(server.host)[digest_of(LAYER)] == LAYER
    assert bearer.scopes == ["repository:app:pull"]
    assert "authorization" not in server.asked("/token")[0].headers


def test_a_token_that_ends_in_mid_pull_is_renewed(server: FaultyRegistry, image: Image) -> None:
    bearer = server.authorize = Bearer(server, uses=1)
    assert Client().pull(server.host)[digest_of(LAYER)] == LAYER
    assert len(bearer.scopes) == 3


def test_a_registry_that_never_lets_us_in(server: FaultyRegistry, image: Image) -> None:
    bearer = server.authorize = Bearer(server, refuse=True)
    with pytest.raises(KezuriError) as caught:
        Client().pull(server.host)
    assert len(bearer.scopes) == 1
    assert len(server.asked("manifests")) == 2
    assert "401 UNAUTHORIZED authentication required" in text(caught.value)
    assert "typo or the repository is private" in text(caught.value)


def test_a_realm_at_the_machine_s_own_metadata_is_not_asked(server: FaultyRegistry, image: Image) -> None:
    server.authorize = Bearer(server, realm="http://169.254.169.254/token")
    with pytest.raises(KezuriError, match="private address"):
        Client().pull(server.host)


def test_a_token_server_in_trouble_is_asked_again(server: FaultyRegistry, image: Image) -> None:
    server.authorize = Bearer(server)
    server.on("GET /token", status(503))
    assert Client().pull(server.host)[digest_of(LAYER)] == LAYER
    server.on("GET /token", lambda handler, kind, data: handler.answer(200, b'{"token": "a\\r\\nX: y"}'))
    with pytest.raises(KezuriError, match="no token in it"):
        Client().pull(server.host)


class Known:
    """One credential for everybody."""

    def find(self, host: str, path: str) -> Credential | None:
        return Credential("user", "pass")


def test_basic_is_answered_where_there_is_a_credential(server: FaultyRegistry, image: Image) -> None:
    def basic(handler: Handler) -> bool:
        if handler.headers.get("Authorization") == "Basic dXNlcjpwYXNz":
            return True
        handler.refuse(401, "UNAUTHORIZED", "no", {"WWW-Authenticate": 'Basic realm="here"'})
        return False

    server.authorize = basic
    with pytest.raises(KezuriError, match="401"):
        Client().resolve(server.host)
    with Registry(RegistryConfig(), credentials=Known()) as registry:
        assert registry.resolve(Reference.parse(f"{server.host}/app:1"), AMD64).descriptor.digest == image.digest


def test_authorization_does_not_follow_a_redirect(server: FaultyRegistry, second: FaultyRegistry, image: Image) -> None:
    server.authorize = Bearer(server)
    second.put(image)
    server.on(BLOB, cut(1000))
    server.on(BLOB, redirect(f"http://{second.host}/PATH?signature=secret"))
    assert Client().pull(server.host)[digest_of(LAYER)] == LAYER
    asked = second.asked("/blobs/")
    assert [("authorization" in s.headers, s.range) for s in asked] == [(False, "bytes=1000-299999")]
    assert all("authorization" in s.headers for s in server.asked("/blobs/"))


def test_authorization_does_not_come_back(server: FaultyRegistry, second: FaultyRegistry, image: Image) -> None:
    server.authorize = Bearer(server)
    server.on("GET /v2/app/blobs/", redirect(f"http://{second.host}/away"))
    second.on("GET /away", redirect(f"http://{server.host}/back"))
    server.on("GET /back", lambda h, kind, data: h.answer(200, image.blobs[next(iter(image.blobs))]))
    Client().resolve(server.host)
    assert "authorization" not in server.asked("/back")[0].headers


def test_a_stranger_s_refusal_is_not_the_registry_s(
    server: FaultyRegistry, second: FaultyRegistry, image: Image
) -> None:
    bearer = second.authorize = Bearer(second)
    server.on(BLOB, redirect(f"http://{second.host}/PATH?signature=secret"), times=9)
    with pytest.raises(KezuriError) as caught:
        Client().pull(server.host)
    assert bearer.scopes == []
    assert "401" in text(caught.value)
    assert "secret" not in text(caught.value)


def test_endless_redirects_end(server: FaultyRegistry, image: Image) -> None:
    server.on("GET .*/manifests/", redirect("/PATH"), times=99)
    with pytest.raises(KezuriError, match="more than 10 redirects"):
        Client().pull(server.host)
    assert len(server.asked("manifests")) == 11


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest", "file:///etc/passwd", "http://a@127.0.0.1/", "http://[::1", "http://[x]/",
     "//[::1"],
)  # fmt: skip
def test_redirects_that_are_refused(server: FaultyRegistry, image: Image, target: str) -> None:
    server.on("GET .*/manifests/", redirect(target))
    with pytest.raises(KezuriError, match="sends us to"):
        Client().pull(server.host)


@pytest.mark.parametrize("what", ["manifests", "blobs"])
def test_a_redirect_to_nowhere_is_shown_as_what_it_is(server: FaultyRegistry, image: Image, what: str) -> None:
    server.on(f"GET .*/{what}/", status(302), times=9)
    with pytest.raises(KezuriError, match=f"GET http://{server.host}/v2/.*: 302"):
        Client().pull(server.host)


def test_what_does_not_speak_http_is_said(server: FaultyRegistry, image: Image) -> None:
    def banner(handler: Handler, kind: str, data: bytes) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        handler.close_connection = True

    server.on("GET .*/manifests/", banner, times=9)
    with pytest.raises(KezuriError) as caught:
        Client().pull(server.host)
    assert "what answers does not speak HTTP" in text(caught.value)


def test_a_mirror_serves_first_and_is_told_for_whom(server: FaultyRegistry, image: Image) -> None:
    client = Client(mirrors=(("docker.io", f"http://{server.host}/hub"),))
    assert client.pull("docker.io", "app:1")[digest_of(LAYER)] == LAYER
    assert server.log[0].path == "/v2/hub/library/app/manifests/1?ns=docker.io"


def test_a_mirror_that_fails_is_passed_over(server: FaultyRegistry, second: FaultyRegistry, image: Image) -> None:
    dead = f"http://127.0.0.1:{unused_port()}"
    client = Client(mirrors=((server.host, dead), (server.host, f"http://{second.host}")))
    assert client.pull(server.host)[digest_of(LAYER)] == LAYER
    assert len(second.log) == 1  # whoever served the manifest is asked first for the blobs
    assert "ns=" not in server.log[0].path


def hang(handler: Handler, kind: str, data: bytes) -> None:
    """Says nothing until the client has gone."""
    handler.connection.recv(1)
    handler.close_connection = True


@pytest.mark.slow
@pytest.mark.parametrize("fault", [status(429, Retry_After="120"), status(500), status(503), reset, hang], ids=str)
@pytest.mark.parametrize("where", ["manifests", "blobs"])
def test_a_mirror_in_trouble_is_asked_once_and_not_waited_for(
    server: FaultyRegistry, second: FaultyRegistry, image: Image, where: str, fault: Any
) -> None:
    second.put(image, "1")
    second.on(where, fault, times=100)
    client = Client(mirrors=((server.host, f"http://{second.host}"),), brisk_timeout=0.2)
    with client.registry as registry:
        for name in ("app:1", "other:1"):
            reference = Reference.parse(f"{server.host}/{name}")
            sink = MemorySink()
            registry.fetch_all(reference, registry.resolve(reference, AMD64).manifest.layers, sink)
            assert sink.blobs[digest_of(LAYER)] == LAYER
    assert client.clock.waits == []
    assert len(second.asked(where)) == 1


def test_a_mirror_that_breaks_off_late_is_asked_for_the_rest(server: FaultyRegistry, second: FaultyRegistry) -> None:
    layer = random.Random(9).randbytes(3 << 20)
    second.put(make_image(layer), "1")
    second.on("blobs/" + digest_of(layer), cut(2 << 20))
    client = Client(mirrors=((server.host, f"http://{second.host}"),))
    assert client.pull(server.host)[digest_of(layer)] == layer
    assert server.log == []
    assert second.asked(digest_of(layer))[-1].range == f"bytes={2 << 20}-{len(layer) - 1}"


def test_the_last_mirror_is_waited_for(server: FaultyRegistry, second: FaultyRegistry, image: Image) -> None:
    second.put(image, "1")
    second.on("manifests", status(503), times=2)
    client = Client(mirrors=((server.host, f"http://{second.host}"),), mirror_only=True)
    assert client.pull(server.host)[digest_of(LAYER)] == LAYER
    assert len(client.clock.waits) == 2


def test_all_fail_and_the_error_tells_of_each(server: FaultyRegistry, second: FaultyRegistry) -> None:
    client = Client(mirrors=((server.host, f"http://{second.host}"),))
    with pytest.raises(KezuriError) as caught:
        client.pull(server.host)
    assert "404 MANIFEST_UNKNOWN not here" in text(caught.value)
    assert f"the mirror {second.host} did not have it" in text(caught.value)


def test_mirrors_only(server: FaultyRegistry, second: FaultyRegistry, image: Image) -> None:
    client = Client(mirrors=((server.host, f"http://{second.host}"),), mirror_only=True)
    with pytest.raises(KezuriError):
        client.pull(server.host)
    assert server.log == []


def unused_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_nobody_listens() -> None:
    host = f"127.0.0.1:{unused_port()}"
    client = Client()
    with pytest.raises(KezuriError) as caught:
        client.resolve(host)
    assert client.clock.waits == []
    assert f"{host}/app:1: no registry can be reached at {host}: connection refused" in text(caught.value)
    assert "--registry-mirror" in text(caught.value)
    assert "--build-context" not in text(caught.value)  # Only a build has it.


def test_a_name_that_does_not_resolve() -> None:
    client = Client()
    with pytest.raises(KezuriError) as caught:
        client.resolve("registry.invalid")
    assert len(client.clock.waits) <= 1
    assert "no registry can be reached at registry.invalid: the name" in text(caught.value)


def test_head(server: FaultyRegistry, image: Image) -> None:
    with Client().registry as registry:
        there = registry.head(Reference.parse(f"{server.host}/app:1"))
        assert there == Descriptor(MANIFEST, image.digest, len(image.manifest))
        assert registry.head(Reference.parse(f"{server.host}/app:2")) is None
        assert {s.method for s in server.asked("/v2/app/manifests/")} == {"HEAD"}


def test_head_without_a_digest_asks_for_the_document(server: FaultyRegistry, image: Image) -> None:
    server.on("HEAD", lambda h, kind, data: h.answer(200, data, kind))
    with Client().registry as registry:
        there = registry.head(Reference.parse(f"{server.host}/app:1"))
    assert there == Descriptor(MANIFEST, image.digest, len(image.manifest))


def test_a_platform_is_chosen(server: FaultyRegistry) -> None:
    arm, amd = make_image(b"arm", architecture="arm64"), make_image(b"amd")
    for made in (arm, amd):
        server.put(made)
    odd = make_image(b"attestation", architecture="unknown")
    index = make_index(
        (odd, {"os": "unknown", "architecture": "unknown"}),
        (arm, {"os": "linux", "architecture": "arm64", "variant": "v8"}),
        (amd, {"os": "linux", "architecture": "amd64"}),
    )
    server.put_document(index, INDEX, "1")
    found = Client().resolve(server.host)
    assert (found.descriptor.digest, found.index_digest) == (amd.digest, digest_of(index))
    assert Client().resolve(server.host, platform=Platform("linux", "arm64")).descriptor.digest == arm.digest
    with pytest.raises(KezuriError) as caught:
        Client().resolve(server.host, platform=Platform("linux", "s390x"))
    assert "there is no image for linux/s390x" in text(caught.value)
    assert "there are images for: linux/arm64, linux/amd64" in text(caught.value)


def test_an_image_for_another_platform_is_warned_of(server: FaultyRegistry, image: Image) -> None:
    client = Client()
    client.resolve(server.host, platform=Platform("linux", "arm64"))
    assert [w.message for w in client.warnings] == [
        f"{server.host}/app:1: the image is for linux/amd64, not for linux/arm64"
    ]


def test_a_digest_that_the_registry_gets_wrong_is_warned_of(server: FaultyRegistry, image: Image) -> None:
    lie = {"Docker-Content-Digest": "sha256:" + "0" * 64}
    server.on("GET .*/manifests/", lambda h, kind, data: h.answer(200, data, kind, lie))
    client = Client()
    assert client.resolve(server.host).descriptor.digest == image.digest
    assert "says that the digest is sha256:000" in client.warnings[0].message


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"<html>Log in</html>", "text/html; charset=utf-8", "is this host a registry"),
        (b"not json", MANIFEST, "not a JSON document"),
        (b"[" * 100_000, MANIFEST, "not a JSON document"),
        (b'{"schemaVersion": 1, "name": "x"}', "application/vnd.docker.distribution.manifest.v1+json", "schema 1"),
        (canonical({"mediaType": MANIFEST, "layers": [], "config": {}}), INDEX, "says of itself that it is"),
        (canonical({"layers": [], "config": {}, "manifests": []}), MANIFEST, "both an index and a manifest"),
        (canonical({"mediaType": "application/x-chart", "layers": []}), "", "not a container image"),
        (canonical({"mediaType": MANIFEST, "layers": [1], "config": {}}), MANIFEST, "not a descriptor"),
        (canonical({"mediaType": MANIFEST, "layers": {}, "config": {}}), MANIFEST, "not an image manifest"),
        (
            canonical({"mediaType": INDEX, "manifests": [], "annotations": "x"}),
            INDEX,
            "annotations is a text, not an object",
        ),
        (canonical({"mediaType": INDEX, "manifests": []}), INDEX, "lists no images"),
        (canonical({"mediaType": 7, "layers": []}), MANIFEST, "mediaType is a number, not a text"),
    ],
)
def test_documents_that_are_none(server: FaultyRegistry, body: bytes, kind: str, words: str) -> None:
    server.put_document(body, kind or "application/json", "1")
    with pytest.raises(KezuriError) as caught:
        Client().resolve(server.host)
    assert words in text(caught.value)
    assert f"{server.host}/app:1" in text(caught.value)
    assert caught.value.exit_code == 125


@pytest.mark.parametrize("announced", [True, False])
def test_a_manifest_that_never_ends(server: FaultyRegistry, announced: bool) -> None:
    def endless(handler: Handler, kind: str, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", MANIFEST)
        if announced:
            handler.send_header("Content-Length", str(1 << 40))
        else:
            handler.close_connection = True
        handler.end_headers()
        for _ in range(64):
            handler.wfile.write(b" " * (1 << 20))

    server.on("manifests", endless)
    with pytest.raises(KezuriError, match="larger than 8 MiB"):
        Client().resolve(server.host)


def test_words_of_a_stranger_are_safe_to_show(server: FaultyRegistry) -> None:
    server.on("manifests", lambda h, kind, data: h.refuse(400, "X\x1b[2J", "evil\x1b]0;title\x07 " + "a" * 5000))
    with pytest.raises(KezuriError) as caught:
        Client().resolve(server.host)
    assert "\x1b" not in text(caught.value)
    assert len(text(caught.value)) < 1000


def test_a_proxy_is_used_and_its_password_is_its_own(server: FaultyRegistry, image: Image) -> None:
    proxy = f"http://user:pass@{server.host}"
    client = Client(insecure=("registry.invalid",), environment={"http_proxy": proxy})
    assert client.pull("registry.invalid")[digest_of(LAYER)] == LAYER
    assert server.log[-1].path.startswith("http://registry.invalid/v2/app/blobs/")
    assert server.log[-1].headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"


def test_a_proxy_that_is_down_is_named_without_its_password() -> None:
    port = unused_port()
    client = Client(environment={"HTTPS_PROXY": f"http://user:secret@127.0.0.1:{port}"})
    with pytest.raises(KezuriError) as caught:
        client.resolve("registry.invalid")
    assert f"the proxy http://127.0.0.1:{port} cannot be reached" in text(caught.value)
    assert "secret" not in text(caught.value)


def test_plain_http_is_not_spoken_to_strangers(server: FaultyRegistry) -> None:
    with pytest.raises(KezuriError, match="speaks plain HTTP"):
        Client(mirrors=(("docker.io", "http://mirror.example"),)).resolve("docker.io")


def test_closing_calls_the_work_off(server: FaultyRegistry, image: Image) -> None:
    client = Client()
    client.registry.close()
    with pytest.raises(KezuriError, match="called off"):
        client.resolve(server.host)
    with pytest.raises(KezuriError, match="called off"):
        client.registry.fetch_all(Reference.parse(f"{server.host}/app:1"), image.layers, MemorySink())
