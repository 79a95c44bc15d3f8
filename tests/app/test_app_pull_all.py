"""Pulling every tag of a repository, and what is said of images that are odd."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.build.build_workshop import tar_of
from tests.registry.registry_faults import FaultyRegistry, Handler, make_image, make_index

from kezuri.app.images import images
from kezuri.app.pull import pull, pull_all
from kezuri.app.request import Settings
from kezuri.diagnostics import KezuriError
from kezuri.oci import CONFIG, INDEX, MANIFEST, Platform, digest_of
from kezuri.progress.events import Event, Warned

HOST = Platform.host()


class Client:
    """A store, and what a pull said."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(str(root))
        self.warned: list[str] = []
        self.layers: dict[str, bool] = {}

    def listen(self, event: Event) -> None:
        if isinstance(event, Warned):
            self.warned.append(event.diagnostic.message)

    def all(self, name: str) -> list[tuple[str, str]]:
        return [(one.name.tag, one.digest) for one in pull_all(self.settings, name, "", self.listen, self._layer)]

    def _layer(self, digest: str, there: bool) -> None:
        self.layers.setdefault(digest, there)


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path / "store")


@pytest.fixture
def server() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as server:
        server.on("GET .*/tags/list", list_tags, times=9)
        yield server


def list_tags(handler: Handler, kind: str, data: bytes) -> None:
    names = (key.removeprefix("manifests/") for key in handler.registry.documents if key.startswith("manifests/"))
    body = json.dumps({"name": "app", "tags": [name for name in names if ":" not in name]}).encode()
    handler.answer(200, body, "application/json")


def layer(content: bytes) -> bytes:
    return gzip.compress(tar_of(("f", content)), mtime=0)


def test_every_tag_is_pulled_and_what_is_no_image_is_left_out(client: Client, server: FaultyRegistry) -> None:
    shared, architecture = layer(b"shared"), {"architecture": HOST.architecture, "variant": HOST.variant}
    one = make_image(shared, layer(b"one"), **architecture)
    two = make_image(shared, layer(b"two"), **architecture)
    cache = make_image(shared, **architecture)
    raw = cache.manifest.replace(CONFIG.encode(), b"application/vnd.example.cache+json")
    server.put(one, "1", "again")
    server.put(cache)
    server.put_document(raw, MANIFEST, "cache", "sha256-" + "0" * 64)
    server.put_document(make_index((one, {"os": "plan9", "architecture": "mips"})), INDEX, "plan9")
    server.put(two, "2")
    name = f"{server.host}/app"
    assert client.all(name) == [("1", one.digest), ("again", one.digest), ("2", two.digest)]
    assert {image.name for image in images(client.settings)} == {f"{name}:{tag}" for tag in ("1", "2", "again")}
    assert client.warned == [
        f"left out: {name}:cache: not a container image: its config is 'application/vnd.example.cache+json'",
        f"left out: {name}:plan9: there is no image for {HOST}",
    ]
    assert client.layers == dict.fromkeys([*(one.layers[at].digest for at in (0, 1)), two.layers[1].digest], False)
    fetched = [seen.path for seen in server.log if "/blobs/" in seen.path and digest_of(shared) in seen.path]
    assert len(fetched) == 1


def test_there_has_to_be_an_image(client: Client, server: FaultyRegistry) -> None:
    server.put_document(make_index(), INDEX, "1")
    with pytest.raises(KezuriError, match="has no image for"):
        client.all(f"{server.host}/app")
    for named in ("app:1", f"app@{digest_of(b'')}"):
        with pytest.raises(KezuriError, match="names one image") as raised:
            client.all(f"{server.host}/{named}")
        assert raised.value.exit_code == 2


def test_a_tag_that_cannot_be_had_ends_it(client: Client, server: FaultyRegistry) -> None:
    server.put(make_image(layer(b"one"), architecture=HOST.architecture, variant=HOST.variant), "1")
    server.put_document(b"{}", MANIFEST, "2")
    with pytest.raises(KezuriError):
        client.all(f"{server.host}/app")
    assert [image.name for image in images(client.settings)] == [f"{server.host}/app:1"]


def test_an_image_for_another_machine_is_said_to_be_one(client: Client, server: FaultyRegistry) -> None:
    server.put(make_image(layer(b"one"), architecture="s390x"), "1")
    name = f"{server.host}/app:1"
    pull(client.settings, name, "", client.listen)
    assert client.warned == [f"{name} is for linux/s390x, not for {HOST}"]
    client.warned.clear()
    pull(client.settings, name, "linux/s390x", client.listen)
    assert client.warned == []


def test_a_registry_that_tells_a_wrong_digest_is_told_of(client: Client, server: FaultyRegistry) -> None:
    image = make_image(layer(b"one"), architecture=HOST.architecture, variant=HOST.variant)
    server.put(image, "1")

    def lie(handler: Handler, kind: str, data: bytes) -> None:
        handler.answer(200, data, kind, {"Docker-Content-Digest": digest_of(b"other")})

    server.on("GET .*manifests/1", lie)
    assert pull(client.settings, f"{server.host}/app:1", "", client.listen) == image.digest
    assert len(client.warned) == 1 and "but the bytes it sent have" in client.warned[0]
