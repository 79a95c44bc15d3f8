"""Tokens and passwords against docker-registry itself, with a token server of our own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.images.test_images_layout import NAME, write_layout
from tests.registry.registry_faults import FastClock, make_image
from tests.registry.registry_servers import (
    PASSWORD,
    USER,
    RegistryServer,
    TokenServer,
    needs_openssl,
    needs_registry,
    needs_skopeo,
)

from kezuri.diagnostics import KezuriError
from kezuri.oci import Platform, Reference
from kezuri.registry import MemorySink, Registry
from kezuri.registry.challenge import Credential
from kezuri.registry.config import Endpoint
from kezuri.registry.exchange import Ask
from kezuri.registry.retry import Backoff, Patience

pytestmark = [pytest.mark.slow, needs_openssl, needs_registry, needs_skopeo]

AMD64 = Platform("linux", "amd64")
IMAGE = make_image(b"one layer", b"another")


class Known:
    """One credential, for everybody; counts how often it is asked for."""

    def __init__(self, credential: Credential) -> None:
        self.credential = credential
        self.asked = 0

    def find(self, host: str, path: str) -> Credential | None:
        self.asked += 1
        return self.credential


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    with TokenServer(tmp_path) as server:
        yield server


@pytest.fixture
def guarded(tmp_path: Path, tokens: TokenServer) -> Iterator[RegistryServer]:
    with RegistryServer(tmp_path, tokens=tokens) as server:
        layout = write_layout(str(tmp_path / "layout"), (IMAGE, {NAME: "1"}))
        for name in ("team/app:1", "public/app:1"):
            server.fill(layout, name, f"--dest-creds={USER}:{PASSWORD}")
        tokens.log.clear()
        tokens.issued.clear()
        yield server


def pull(host: str, name: str, credentials: Any = None) -> Registry:
    with Registry(credentials=credentials, clock=FastClock()) as registry:
        reference = Reference.parse(f"{host}/{name}")
        resolved = registry.resolve(reference, AMD64)
        assert resolved.manifest_raw == IMAGE.manifest
        registry.fetch_all(reference, resolved.manifest.layers, MemorySink())
    return registry


def test_anonymous_tokens(guarded: RegistryServer, tokens: TokenServer) -> None:
    pull(guarded.host, "public/app:1")
    assert [(a.method, a.scopes, a.authorization) for a in tokens.log] == [("GET", ("repository:public/app:pull",), "")]
    with pytest.raises(KezuriError, match="401 UNAUTHORIZED"):
        pull(guarded.host, "team/app:1")


def test_tokens_for_a_password(guarded: RegistryServer, tokens: TokenServer) -> None:
    known = Known(Credential(USER, PASSWORD))
    pull(guarded.host, "team/app:1", known)
    assert [(a.method, a.scopes) for a in tokens.log] == [("GET", ("repository:team/app:pull",))]
    assert known.asked == 1
    with pytest.raises(KezuriError, match=r"401 UNAUTHORIZED incorrect username or password") as caught:
        pull(guarded.host, "team/app:1", Known(Credential(USER, "hush-hush")))
    assert "hush" not in str(caught.value)


def test_tokens_for_an_identity_token(guarded: RegistryServer, tokens: TokenServer) -> None:
    tokens.refresh = {"identity"}
    pull(guarded.host, "team/app:1", Known(Credential("<token>", "", identity="identity")))
    assert [(a.method, a.scopes, a.authorization) for a in tokens.log] == [("POST", ("repository:team/app:pull",), "")]
    assert tokens.log[0].form == {
        "grant_type": "refresh_token", "service": "tests", "client_id": "kezuri", "refresh_token": "identity",
    }  # fmt: skip


def test_an_identity_token_where_nothing_can_be_posted(guarded: RegistryServer, tokens: TokenServer) -> None:
    tokens.refresh, tokens.posts = {"identity"}, False
    pull(guarded.host, "team/app:1", Known(Credential("<token>", "", identity="identity")))
    assert [a.method for a in tokens.log] == ["POST", "GET"]


def test_a_new_identity_token_is_kept(guarded: RegistryServer, tokens: TokenServer) -> None:
    tokens.refresh, tokens.rotates = {"identity"}, True
    known = Known(Credential("<token>", "", identity="identity"))
    with Registry(credentials=known) as registry:
        for name in ("team/app:1", "public/app:1"):
            registry.resolve(Reference.parse(f"{guarded.host}/{name}"), AMD64)
    assert [a.form["refresh_token"] for a in tokens.log] == ["identity", "identity+"]


def test_a_registry_token_is_sent_as_it_is(guarded: RegistryServer, tokens: TokenServer) -> None:
    bearer = tokens.token(USER, ("repository:team/app:pull",))
    pull(guarded.host, "team/app:1", Known(Credential("", "", bearer=bearer)))
    assert tokens.log == []
    with pytest.raises(KezuriError, match="401"):
        pull(guarded.host, "public/app:1", Known(Credential("", "", bearer=bearer)))


def test_a_token_that_is_over_is_renewed_once(guarded: RegistryServer, tokens: TokenServer) -> None:
    """The token server says that its tokens hold longer than the registry finds."""
    tokens.age = 600
    clock = FastClock()
    with Registry(credentials=Known(Credential(USER, PASSWORD)), clock=clock) as registry:
        reference = Reference.parse(f"{guarded.host}/team/app:1")
        with pytest.raises(KezuriError, match="401"):
            registry.resolve(reference, AMD64)
        assert len(tokens.log) == 1
        clock.time += 1000
        tokens.age = 0
        registry.resolve(reference, AMD64)
        assert len(tokens.log) == 2
        clock.time += 1000
        registry.resolve(reference, AMD64)
        assert len(tokens.log) == 3


def test_scopes_of_a_push_and_of_a_mount(guarded: RegistryServer, tokens: TokenServer) -> None:
    digest = IMAGE.layers[0].digest
    with Registry(credentials=Known(Credential(USER, PASSWORD))) as registry:
        endpoint = Endpoint(guarded.host, "team/other", ("https", "http"))
        patience = Patience(Backoff(FastClock()), 1, registry._places.stop)
        place = registry._places.at(endpoint)
        start = Ask(endpoint, "blobs/uploads/", "POST", {"Content-Length": "0"}, "pull,push")
        with place.open(start, patience) as answer:
            assert answer.status == 202
        mount = start._replace(path=f"blobs/uploads/?mount={digest}&from=team/app", others=("team/app",))
        with place.open(mount, patience) as answer:
            assert answer.status == 201
        with place.open(Ask(endpoint, f"blobs/{digest}", "HEAD"), patience) as answer:
            assert answer.status == 200
    assert [a.scopes for a in tokens.log] == [
        ("repository:team/other:pull,push",),
        ("repository:team/other:pull,push", "repository:team/app:pull"),
    ]


def test_nothing_is_asked_for_where_nothing_is_demanded(tmp_path: Path) -> None:
    known = Known(Credential(USER, PASSWORD))
    with RegistryServer(tmp_path) as server:
        server.fill(write_layout(str(tmp_path / "layout"), (IMAGE, {NAME: "1"})))
        pull(server.host, "team/app:1", known)
    assert known.asked == 0
