"""Pushing to a registry that misbehaves: outcome and behaviour, over real sockets."""

import gzip
import io
import random
import threading
import time
from typing import IO, Any

import pytest
from tests.registry.registry_faults import (
    FastClock,
    FaultyRegistry,
    Handler,
    after,
    lost,
    make_image,
    midway,
    redirect,
    reset,
    stall,
    status,
)

from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.oci import INDEX, MANIFEST, Descriptor, Manifest, Reference, canonical, digest_of
from kezuri.registry import Registry, RegistryConfig, Uploaded
from kezuri.registry.challenge import Credential

LAYER = gzip.compress(random.Random(7).randbytes(3_000_000), 1, mtime=0)
IMAGE = make_image(LAYER)
PARSED = Manifest.parse(IMAGE.manifest, "image")
POST, PUT, HEAD = "POST .*/uploads/", f"PUT .*/uploads/.*{digest_of(LAYER)[7:]}", "HEAD .*/blobs/"
TAG = "PUT .*/manifests/1"


@pytest.fixture(autouse=True)
def no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the system's authorities for every client costs more than the tests themselves."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")


class Blobs:
    """A source of blobs that notes how often each was opened, and that all were closed."""

    def __init__(self, blobs: dict[str, bytes]) -> None:
        self.blobs = blobs
        self.files: list[IO[bytes]] = []

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        self.files.append(io.BytesIO(self.blobs[descriptor.digest]))
        return self.files[-1]


class Client:
    """A registry client on a fast clock."""

    def __init__(self, credentials: Any = None, blobs: dict[str, bytes] | None = None, **config: Any) -> None:
        self.clock = FastClock()
        self.warnings: list[Diagnostic] = []
        self.source = Blobs(IMAGE.blobs if blobs is None else blobs)
        self.heard: list[tuple[str, int, int]] = []
        self.registry = Registry(
            RegistryConfig(**config), None or _sockets, credentials, self.warnings.append, self.clock
        )

    def push(self, host: str) -> dict[str, Uploaded]:
        reference = Reference.parse(f"{host}/app:1")
        with self.registry as registry:
            how = registry.upload_all(
                reference,
                [*PARSED.layers, PARSED.config],
                self.source,
                lambda d, n, t: self.heard.append((d.digest, n, t)),
            )
            registry.put(reference, IMAGE.manifest, MANIFEST)
        assert all(file.closed for file in self.source.files)
        return how


def _sockets(config: RegistryConfig) -> Any:
    from kezuri.registry.transport import SocketTransport

    return SocketTransport(config)


def text(error: KezuriError) -> str:
    return "\n".join(f"{d.message}\n{d.hint}" for d in error.diagnostics)


def whole(server: FaultyRegistry) -> bool:
    return (
        server.documents.get("manifests/1") == (MANIFEST, IMAGE.manifest)
        and server.documents[f"blobs/{digest_of(LAYER)}"][1] == LAYER
    )


def sent(server: FaultyRegistry) -> int:
    return len([s for s in server.log if s.method == "PUT" and digest_of(LAYER)[7:] in s.path])


def test_a_blob_is_asked_for_and_sent_in_one_piece(server: FaultyRegistry) -> None:
    client = Client()
    assert set(client.push(server.host).values()) == {"sent"}
    assert whole(server)
    first, second, third = server.asked("uploads")[0], *[s for s in server.log if digest_of(LAYER)[7:] in s.path]
    assert (first.method, first.headers["content-length"]) == ("POST", "0")
    assert (second.method, third.method) == ("HEAD", "PUT")
    assert third.headers["content-length"] == str(len(LAYER))
    assert third.headers["content-type"] == "application/octet-stream"
    assert f"_state=a%2Fb&digest=sha256%3A{digest_of(LAYER)[7:]}" in third.path
    assert server.log[-1].headers["content-type"] == MANIFEST
    assert (digest_of(LAYER), len(LAYER), len(LAYER)) in client.heard
    assert server.uploads == set()


def test_what_is_there_is_not_sent(server: FaultyRegistry) -> None:
    Client().push(server.host)
    server.log.clear()
    client = Client()
    assert set(client.push(server.host).values()) == {"there"}
    assert [s.method for s in server.log] == ["HEAD", "HEAD", "PUT"]
    assert client.source.files == []


@pytest.mark.parametrize(
    ("where", "fault", "times_sent"),
    [
        (HEAD, status(503), 1),
        (POST, status(500), 1),
        (POST, reset, 1),
        (PUT, after(status(503)), 2),
        (PUT, after(status(429, Retry_After="7")), 2),
        (PUT, after(status(404)), 2),
        (PUT, midway(reset), 2),
        (PUT, after(reset), 2),
        (PUT, lost, 1),
        (TAG, after(status(429, Retry_After="7")), 1),
        (TAG, after(status(503)), 1),
        (TAG, after(reset), 1),
        (TAG, lost, 1),
    ],
    ids=lambda value: getattr(value, "__name__", None) or str(value)[:24],
)
def test_a_passing_failure_is_survived(server: FaultyRegistry, where: str, fault: Any, times_sent: int) -> None:
    server.on(where, fault)
    client = Client()
    client.push(server.host)
    assert whole(server)
    assert sent(server) == times_sent
    assert len(client.clock.waits) == 1
    assert client.clock.waits[0] >= 1
    assert len(server.asked("PUT /v2/app/manifests/1")) == (1 if where != TAG or fault is lost else 2)


def test_retry_after_is_honoured(server: FaultyRegistry) -> None:
    server.on(PUT, after(status(429, Retry_After="7")))
    server.on(TAG, after(status(503, Retry_After="Tue, 14 Nov 2023 22:13:41 GMT")))
    client = Client()
    client.push(server.host)
    assert client.clock.waits == [7, 21]


@pytest.mark.parametrize("fault", [after(status(503)), midway(reset)], ids=["503", "reset"])
def test_a_lasting_failure_ends_after_five_tries(server: FaultyRegistry, fault: Any) -> None:
    server.on(PUT, fault, times=99)
    client = Client()
    with pytest.raises(KezuriError) as caught:
        client.push(server.host)
    assert sent(server) == 5
    assert client.clock.waits == [1, 2, 4, 8]
    assert caught.value.exit_code == 125
    assert f"{server.host}/app: blob {digest_of(LAYER)}: " in text(caught.value)
    assert "manifests/1" not in server.documents


def test_a_registry_in_trouble_is_not_stormed(server: FaultyRegistry) -> None:
    """Of several blobs each is tried five times at most, and the first that is given up ends the others."""
    image = make_image(*(gzip.compress(bytes([n]) * 1000, mtime=0) for n in range(8)))
    server.on(POST, status(503), times=999)
    client = Client(blobs=image.blobs)
    with pytest.raises(KezuriError) as caught, client.registry as registry:
        registry.upload_all(Reference.parse(f"{server.host}/app"), image.layers, client.source)
    assert "503 UNAVAILABLE" in text(caught.value)
    assert len(server.asked("POST")) <= 4 * 5
    assert not server.asked("PUT")


def test_a_blob_that_two_images_share_is_sent_once(server: FaultyRegistry) -> None:
    client = Client()
    reference = Reference.parse(f"{server.host}/app")
    found: list[Uploaded] = []

    def bring() -> None:
        found.append(client.registry.upload(reference, PARSED.layers[0], client.source))

    with client.registry:
        threads = [threading.Thread(target=bring) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == ["sent", "there", "there", "there"]
    assert sent(server) == 1


def test_several_registries_are_sent_to_at_the_same_time(server: FaultyRegistry, second: FaultyRegistry) -> None:
    both = threading.Barrier(2)

    def meet(handler: Handler, kind: str, data: bytes) -> None:
        both.wait(10)
        handler.take(handler.path, f"blobs/{digest_of(LAYER)}")

    for one in (server, second):
        one.on(PUT, meet)
    client = Client()
    wanted = [(Reference.parse(f"{one.host}/app"), PARSED.layers[0]) for one in (server, second)]
    heard = set()
    with client.registry as registry:
        how = registry.upload_each(wanted, client.source, lambda r, d, now, whole: heard.add((r, now == whole)))
    assert how == {(reference, blob.digest): "sent" for reference, blob in wanted}
    assert heard >= {(reference, True) for reference, _ in wanted}
    assert all(one.documents[f"blobs/{digest_of(LAYER)}"][1] == LAYER for one in (server, second))


def test_four_blobs_are_sent_at_a_time_whoever_calls(server: FaultyRegistry, second: FaultyRegistry) -> None:
    image = make_image(*(gzip.compress(bytes([n]) * 1000, mtime=0) for n in range(8)))
    guard, now, most = threading.Lock(), [0], [0]

    def counted(handler: Handler, kind: str, data: bytes) -> None:
        with guard:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        handler.take(handler.path, "")
        with guard:
            now[0] -= 1

    for one in (server, second):
        one.on("PUT .*/uploads/", counted, times=999)
    client = Client(blobs=image.blobs)

    def bring(name: str) -> None:
        references = [Reference.parse(f"{one.host}/{name}") for one in (server, second)]
        client.registry.upload_each([(r, layer) for layer in image.layers for r in references], client.source)

    with client.registry:
        threads = [threading.Thread(target=bring, args=(name,)) for name in ("app", "other")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert most == [4]


def test_the_first_registry_that_fails_ends_the_others(server: FaultyRegistry, second: FaultyRegistry) -> None:
    server.on(POST, status(403), times=999)
    second.on(PUT, midway(stall))
    client = Client()
    wanted = [(Reference.parse(f"{one.host}/app"), PARSED.layers[0]) for one in (second, server)]
    with pytest.raises(KezuriError) as caught, client.registry as registry:
        registry.upload_each(wanted, client.source)
    assert server.host in text(caught.value) and second.host not in text(caught.value)


def test_a_registry_that_reads_nothing_is_given_up(server: FaultyRegistry) -> None:
    server.on(PUT, stall, times=99)
    client = Client(blobs={**IMAGE.blobs}, idle_timeout=0.05, tries=2, connect_timeout=0.1)
    with pytest.raises(KezuriError) as caught:
        client.push(server.host)
    assert "no answer for too long" in text(caught.value) or "no whole answer within" in text(caught.value)
    assert sent(server) == 2


@pytest.mark.parametrize("code", [307, 308, 302])
def test_a_redirected_upload_takes_no_credentials_along(
    server: FaultyRegistry, second: FaultyRegistry, code: int
) -> None:
    second.uploads.add("elsewhere")
    server.on(
        PUT,
        after(redirect(f"http://{second.host}/x/blobs/uploads/elsewhere?_state=a%2Fb&digest={digest_of(LAYER)}", code)),
    )
    server.authorize = basic
    client = Client(Somebody())
    client.push(server.host)
    assert second.documents[f"blobs/{digest_of(LAYER)}"][1] == LAYER
    assert [s.method for s in second.log] == ["PUT"]
    assert "authorization" not in second.log[0].headers
    assert any("authorization" in s.headers for s in server.log)


def test_redirects_without_an_end_are_an_error(server: FaultyRegistry) -> None:
    server.on("POST .*", after(redirect(f"http://{server.host}/PATH", 307)), times=99)
    with pytest.raises(KezuriError) as caught:
        Client().push(server.host)
    assert "more than 10 redirects" in text(caught.value)
    assert len(server.asked("POST")) <= 22  # eleven for each of two blobs


def test_a_redirect_to_something_else_is_an_error(server: FaultyRegistry) -> None:
    server.on(PUT, after(redirect("/v2/app/other", 303)), times=9)
    with pytest.raises(KezuriError) as caught:
        Client().push(server.host)
    assert "answers a PUT with a redirect to something else" in text(caught.value)
    assert sent(server) == 1


def test_an_upload_at_another_host_takes_no_credentials_along(server: FaultyRegistry, second: FaultyRegistry) -> None:
    server.authorize = basic
    server.upload_host = f"http://{second.host}"
    server.uploads = second.uploads
    client = Client(Somebody())
    with client.registry as registry:
        assert registry.upload(Reference.parse(f"{server.host}/app"), PARSED.layers[0], client.source) == "sent"
    assert second.documents[f"blobs/{digest_of(LAYER)}"][1] == LAYER
    assert [s.method for s in second.log] == ["PUT"]
    assert "authorization" not in second.log[0].headers


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("", "does not say where a blob is to go"),
        ("http://169.254.169.254/latest", "it is a private address"),
        ("file:///etc/passwd", "something that is no http URL"),
        ("http://me:secret@r.example/x", "something that is no http URL"),
    ],
)
def test_an_upload_goes_to_no_odd_place(server: FaultyRegistry, location: str, why: str) -> None:
    headers = {"Location": location} if location else {}
    server.on(POST, after(lambda handler, kind, data: handler.answer(202, b"", "", headers)), times=99)
    with pytest.raises(KezuriError) as caught:
        Client().push(server.host)
    assert why in text(caught.value)
    assert "secret" not in text(caught.value)
    assert sent(server) == 0
    assert len(server.asked("POST")) <= 2  # one for each of two blobs


class Somebody:
    """Credentials for everything that is asked."""

    def find(self, host: str, path: str) -> Credential | None:
        return Credential("me", "secret")


def basic(handler: Handler) -> bool:
    if handler.headers.get("Authorization") == Credential("me", "secret").basic():
        return True
    handler.refuse(401, "UNAUTHORIZED", "who are you", {"WWW-Authenticate": 'Basic realm="here"'})
    return False


def tokens(server: FaultyRegistry, lives: list[int]) -> Any:
    """A token server at the registry itself; each token is good for so many requests."""
    given: list[str] = []
    left: dict[str, int] = {}

    def authorize(handler: Handler) -> bool:
        token = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        if left.get(token, 0) > 0:
            left[token] -= 1
            return True
        realm = f'Bearer realm="http://{server.host}/token",service="s",scope="repository:app:pull,push"'
        handler.refuse(401, "UNAUTHORIZED", "expired", {"WWW-Authenticate": realm})
        return False

    def token(handler: Handler, kind: str, data: bytes) -> None:
        given.append(f"t{len(given)}")
        left[given[-1]] = lives.pop(0) if lives else 99
        handler.answer(200, canonical({"token": given[-1], "expires_in": 300}), "application/json")

    server.on("GET /token", token, times=99)
    server.authorize = authorize
    return given


def test_a_token_that_expires_in_mid_push_is_renewed(server: FaultyRegistry) -> None:
    # HEAD and POST of the layer, and then its PUT is refused.
    given = tokens(server, [2])
    client = Client(Somebody())
    with client.registry as registry:
        how = registry.upload(Reference.parse(f"{server.host}/app:1"), PARSED.layers[0], client.source)
    assert how == "sent"
    assert given == ["t0", "t1"]
    assert [s.method for s in server.log if "/v2/" in s.path] == ["HEAD", "HEAD", "POST", "PUT", "PUT"]
    assert server.documents[f"blobs/{digest_of(LAYER)}"][1] == LAYER
    assert "scope=repository%3Aapp%3Apull%2Cpush" in server.asked("GET /token")[0].path


def test_who_is_refused_is_not_asked_again_and_again(server: FaultyRegistry) -> None:
    tokens(server, [0] * 50)
    with pytest.raises(KezuriError) as caught:
        Client(Somebody()).push(server.host)
    assert len(server.asked("GET /token")) <= 4
    assert ": HEAD http://" in text(caught.value)
    assert ": 401" in text(caught.value)
    assert sent(server) == 0


def test_a_damaged_blob_is_ours_to_blame(server: FaultyRegistry) -> None:
    wrong = bytes([LAYER[0] ^ 1]) + LAYER[1:]
    with pytest.raises(KezuriError) as caught:
        Client(blobs={**IMAGE.blobs, digest_of(LAYER): wrong}).push(server.host)
    assert f"blob {digest_of(LAYER)} is damaged: its bytes have the digest {digest_of(wrong)}" in text(caught.value)
    assert sent(server) == 1


@pytest.mark.parametrize("blob", [LAYER[:-1], b""], ids=["short", "empty"])
def test_a_blob_that_is_too_short_is_an_error_at_once(server: FaultyRegistry, blob: bytes) -> None:
    with pytest.raises(KezuriError) as caught:
        Client(blobs={**IMAGE.blobs, digest_of(LAYER): blob}).push(server.host)
    assert f"has {len(blob)} bytes instead of {len(LAYER)}" in text(caught.value)
    assert sent(server) <= 1


def test_bytes_changed_on_the_way_are_sent_once_more(server: FaultyRegistry) -> None:
    refusal = after(lambda handler, kind, data: handler.refuse(400, "DIGEST_INVALID", "other bytes"))
    server.on(PUT, refusal, times=2)
    with pytest.raises(KezuriError) as caught:
        Client().push(server.host)
    assert "something on the way to the registry changes what is sent" in text(caught.value)
    assert sent(server) == 2
    server.on(PUT, refusal)
    Client().push(server.host)
    assert whole(server)


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        (400, "TAG_INVALID", "the tag is taken"),
        (400, "UNKNOWN", "The repository has enabled tag immutability"),
        (400, "TAG_INVALID", "tag cannot be overwritten because the repository is immutable"),
        (412, "PRECONDITION", "configured as immutable"),
    ],
)
def test_immutable_tags(server: FaultyRegistry, code: int, name: str, message: str) -> None:
    refusal = after(lambda handler, kind, data: handler.refuse(code, name, message))
    server.on(TAG, refusal, times=2)
    with pytest.raises(KezuriError) as caught:
        Client().push(server.host)
    assert "the tag names another image already and must not change" in text(caught.value)
    server.put_document(IMAGE.manifest, MANIFEST, "1")
    Client().push(server.host)  # It is what the tag names already.
    assert len(server.asked("PUT /v2/app/manifests/1")) == 2


def test_a_manifest_that_is_too_large_is_not_sent(server: FaultyRegistry) -> None:
    raw = canonical({**PARSED.to_json(), "annotations": {"x": "y" * (4 << 20)}})
    with pytest.raises(KezuriError) as caught, Client().registry as registry:
        registry.put(Reference.parse(f"{server.host}/app:1"), raw, MANIFEST)
    assert "registries take no more than 4 MiB" in text(caught.value)
    assert server.log == []


def test_a_push_that_is_too_large_is_not_repeated(server: FaultyRegistry) -> None:
    server.on(PUT, after(status(413)), times=9)
    with pytest.raises(KezuriError) as caught:
        Client().push(server.host)
    assert "larger than the registry, or a proxy before it, takes" in text(caught.value)
    assert sent(server) == 1


def test_calling_off_ends_a_push(server: FaultyRegistry) -> None:
    client = Client()
    reference = Reference.parse(f"{server.host}/app:1")
    with pytest.raises(KezuriError) as caught:
        client.registry.upload(reference, PARSED.layers[0], client.source, lambda n, t: client.registry.close())
    assert "the push was called off" in text(caught.value)
    assert all(file.closed for file in client.source.files)
    assert f"blobs/{digest_of(LAYER)}" not in server.documents


def artifact(**more: Any) -> bytes:
    subject = {"mediaType": MANIFEST, "digest": IMAGE.digest, "size": len(IMAGE.manifest)}
    return canonical({"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x", "config":
                      PARSED.config.to_json(), "layers": [], "subject": subject, **more})  # fmt: skip


def test_what_refers_is_noted_under_the_stand_in_tag(server: FaultyRegistry) -> None:
    reference = Reference.parse(f"{server.host}/app")._replace(tag="")
    first, second = artifact(annotations={"a": "1"}), artifact(artifactType="application/y")
    with Client().registry as registry:
        for raw in (first, second, first):
            registry.put(reference, raw, MANIFEST)
        found = registry.referrers(reference, IMAGE.digest)
        assert [(d.digest, d.artifact_type) for d in found] == [
            (digest_of(first), "application/x"), (digest_of(second), "application/y"),
        ]  # fmt: skip
        assert found[0].annotations == {"a": "1"}
        assert registry.referrers(reference, IMAGE.digest, "application/y") == found[1:]
    assert len(server.asked(f"PUT /v2/app/manifests/sha256-{IMAGE.digest[7:]}")) == 2


def test_an_entry_that_another_writer_dropped_is_written_again(server: FaultyRegistry) -> None:
    tag = f"sha256-{IMAGE.digest[7:]}"
    other = canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})

    def overwritten(handler: Handler, kind: str, data: bytes) -> None:
        handler.take(handler.path, f"manifests/{tag}")
        handler.registry.put_document(other, INDEX, tag)

    server.on(f"PUT .*{tag}", overwritten)
    raw = artifact()
    with Client().registry as registry:
        reference = Reference.parse(f"{server.host}/app")._replace(tag="")
        registry.put(reference, raw, MANIFEST)
        assert [d.digest for d in registry.referrers(reference, IMAGE.digest)] == [digest_of(raw)]


def test_a_registry_that_notes_subjects_itself_is_left_to_it(server: FaultyRegistry) -> None:
    def noted(handler: Handler, kind: str, data: bytes) -> None:
        handler.body()
        handler.answer(201, b"", "", {"OCI-Subject": IMAGE.digest})

    server.on("PUT .*/manifests/", noted)
    with Client().registry as registry:
        registry.put(Reference.parse(f"{server.host}/app")._replace(tag=""), artifact(), MANIFEST)
    assert len(server.log) == 1


def test_tags_come_in_pages(server: FaultyRegistry) -> None:
    def page(tags: list[str], onward: str) -> Any:
        headers = {"Link": f'<{onward}>; rel="next"'} if onward else {}
        return lambda handler, kind, data: handler.answer(200, canonical({"tags": tags}), "application/json", headers)

    server.on("GET .*/tags/list\\?n=", page(["a", "b"], "/v2/app/tags/list?last=b"))
    server.on("GET .*last=b", page(["c", "d\x1b[2J", "e\nf", ""], ""))
    with Client().registry as registry:
        assert list(registry.tags(Reference.parse(f"{server.host}/app"))) == ["a", "b", "c"]
    server.on("GET .*/tags/list", page(["a"], "/v2/app/tags/list?last=a"), times=99)
    with pytest.raises(KezuriError) as caught, Client().registry as registry:
        list(registry.tags(Reference.parse(f"{server.host}/app")))
    assert "go in a circle" in text(caught.value)


def test_access_is_found_out_without_leaving_an_upload(server: FaultyRegistry) -> None:
    with Client().registry as registry:
        registry.writable(Reference.parse(f"{server.host}/app"))
    assert [s.method for s in server.log] == ["POST", "DELETE"]
    assert server.uploads == set()
    server.on(POST, status(403))
    with pytest.raises(KezuriError) as caught, Client().registry as registry:
        registry.writable(Reference.parse(f"{server.host}/app"))
    assert caught.value.exit_code == 1
