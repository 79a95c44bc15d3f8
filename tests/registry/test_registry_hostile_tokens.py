"""Registries and token servers that are after credentials, or that answer with anything at all."""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
from tests.registry.registry_faults import FastClock, FaultyRegistry, Handler, Image, make_image, redirect, status

from kezuri.diagnostics import KezuriError
from kezuri.oci import Platform, Reference
from kezuri.registry import Registry, RegistryConfig
from kezuri.registry.authorization import Authorization, Demand
from kezuri.registry.challenge import Credential, realm_refusal
from kezuri.registry.exchange import Exchanges
from kezuri.registry.failure import Failure
from kezuri.registry.login import verify
from kezuri.registry.origin import Origin
from kezuri.registry.redirects import Hop
from kezuri.registry.retry import Backoff, Patience
from kezuri.registry.transport import SocketTransport
from kezuri.registry.wire import Headers, Pace, Request, TransportError

AMD64 = Platform("linux", "amd64")
SECRET = "hush-hush"
BASIC = b64encode(f"me:{SECRET}".encode()).decode()


class For:
    """Credentials for one host; notes who was asked about."""

    def __init__(self, host: str, credential: Credential | None = None) -> None:
        self.host = host
        self.credential = credential or Credential("me", SECRET, source="file")
        self.asked: list[str] = []

    def find(self, host: str, path: str) -> Credential | None:
        self.asked.append(host)
        return self.credential if host == self.host else None


@pytest.fixture
def image() -> Image:
    return make_image(b"layer")


@pytest.fixture
def server(image: Image) -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as server:
        server.put(image, "1")
        yield server


def demand(server: FaultyRegistry, realm: str = "") -> None:
    """Have the server demand a token of a realm, and give it out itself at /token."""

    def authorize(handler: Handler) -> bool:
        if handler.path.startswith("/token"):
            handler.answer(200, b'{"token": "granted"}')
            return False
        if handler.headers.get("Authorization") == "Bearer granted":
            return True
        where = realm or f"http://{server.host}/token"
        handler.refuse(401, "UNAUTHORIZED", "no", {"WWW-Authenticate": f'Bearer realm="{where}",service="s"'})
        return False

    server.authorize = authorize


def resolve(server: FaultyRegistry, credentials: Any, config: RegistryConfig | None = None) -> None:
    with Registry(config, credentials=credentials, clock=FastClock()) as registry:
        registry.resolve(Reference.parse(f"{server.host}/app:1"), AMD64)


def told(error: KezuriError) -> str:
    return "\n".join(f"{d.message}\n{d.hint}" for d in error.diagnostics)


def test_a_token_server_that_sends_us_on_gives_nothing_away(server: FaultyRegistry, second: FaultyRegistry) -> None:
    demand(server)
    demand(second)
    server.on("GET /token", redirect(f"http://{second.host}/PATH"))
    resolve(server, For(server.host))
    assert server.asked("/token")[0].headers["authorization"] == f"Basic {BASIC}"
    assert ["authorization" in seen.headers for seen in second.log] == [False]


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_an_identity_token_is_sent_nowhere_else(server: FaultyRegistry, second: FaultyRegistry, code: int) -> None:
    demand(server)
    Handler.do_POST = Handler.do_GET
    server.on("POST /token", redirect(f"http://{second.host}/PATH", code))
    with pytest.raises(KezuriError, match=f"POST http://{server.host}/token: {code}"):
        resolve(server, For(server.host, Credential("<token>", "", SECRET)))
    assert second.log == []


def test_a_token_server_that_demands_credentials_itself(server: FaultyRegistry) -> None:
    demand(server)
    server.on("/token", status(401, WWW_Authenticate=f'Bearer realm="http://{server.host}/token"'), times=99)
    with pytest.raises(KezuriError, match="401"):
        resolve(server, For(server.host))
    assert len(server.log) == 2


def test_a_registry_that_wants_another_token_each_time(server: FaultyRegistry) -> None:
    count = iter(range(999))

    def authorize(handler: Handler) -> bool:
        if handler.path.startswith("/token"):
            handler.answer(200, b'{"token": "t%d", "expires_in": 1}' % next(count))
        else:
            realm = f'Bearer realm="http://{server.host}/token",scope="repository:x{next(count)}:pull"'
            handler.refuse(401, "UNAUTHORIZED", "no", {"WWW-Authenticate": realm})
        return False

    server.authorize = authorize
    with pytest.raises(KezuriError, match="401"):
        resolve(server, For(server.host))
    assert len(server.log) == 3, "a grant that is refused when it is new is refused again"


@pytest.mark.parametrize(
    "body",
    [
        b" " * (1 << 20) + b'{"token": "granted"}',
        b"[" * 60_000,
        b'{"token": {"token": "granted"}}',
        b'{"token": "a\\nb"}',
        b"\xff\xfe",
        b"",
        b"null",
        b'{"token": "' + b"x" * (1 << 20) + b'"}',
    ],
    ids=lambda body: body[:12],
)
def test_answers_of_any_kind(server: FaultyRegistry, body: bytes) -> None:
    demand(server)
    server.on("/token", lambda handler, kind, data: handler.answer(200, body), times=99)
    with pytest.raises(KezuriError, match="no token in it") as caught:
        resolve(server, For(server.host))
    assert len(str(caught.value)) < 300
    assert len(server.asked("/token")) == 1


def test_what_a_server_says_of_our_secret_is_not_repeated(server: FaultyRegistry) -> None:
    demand(server)

    def echo(handler: Handler, kind: str, data: bytes) -> None:
        sent = handler.headers.get("Authorization", "")
        handler.refuse(403, f"DENIED_{SECRET}", f"{sent} is wrong: {SECRET}")

    server.on("/token", echo, times=99)
    with pytest.raises(KezuriError, match=r"403 Basic \*\*\* is wrong: \*\*\*") as caught:
        resolve(server, For(server.host))
    assert "hush" not in told(caught.value)
    assert BASIC not in told(caught.value)
    server.rules.clear()
    server.on("/manifests/", echo, times=1, skip=1)
    with pytest.raises(KezuriError) as caught:
        resolve(server, For(server.host))
    assert "granted" not in told(caught.value)
    long = Failure("GET", "u", 403, Headers(), ("A",), "it was " + "t" * 290)
    assert long.without("t" * 900).message == "it was ***"


def test_a_short_secret_is_not_looked_for_in_words() -> None:
    failure = Failure("GET", "u", 403, Headers(), ("DENIED",), "the password is wrong")
    assert failure.without("pass", "the", "") == failure


def test_a_mirror_has_no_part_in_the_credentials_of_its_registry(server: FaultyRegistry, image: Image) -> None:
    demand(server)
    credentials = For("registry.example")
    config = RegistryConfig(mirrors=(("registry.example", f"http://{server.host}"),), mirror_only=True)
    with Registry(config, credentials=credentials, clock=FastClock()) as registry:
        registry.resolve(Reference.parse("registry.example/app:1"), AMD64)
    assert credentials.asked == [server.host]
    assert all(BASIC not in str(seen.headers) for seen in server.log)


def test_a_realm_that_is_not_to_be_asked_hears_nothing(second: FaultyRegistry) -> None:
    """A registry behind TLS that names a realm without it."""
    credentials = For("registry.example")
    with Registry() as registry:
        patience = Patience(Backoff(FastClock()), 5, threading.Event())
        transport = SocketTransport(RegistryConfig())
        authorization = Authorization(transport, credentials)
        asked = Demand("registry.example", "app", ("repository:app:pull",), False, False, Pace())
        for realm in (f"http://{second.host}/token", "https://169.254.169.254/token", "https://me@x.example/", "x:y"):
            headers = Headers([("WWW-Authenticate", f'Bearer realm="{realm}"')])
            refusal = Failure("GET", "u", 401, headers)
            with pytest.raises(TransportError, match="which is refused"):
                authorization.obtain(asked, Origin.of("https://registry.example"), refusal, None, patience)
        transport.close()
        del registry
    assert second.log == []


def test_a_private_realm_can_be_allowed_for_one_registry() -> None:
    config = RegistryConfig(allow_private=("registry.example", "b.example:444"))
    assert config.may_be_private("registry.example:5000")
    assert config.may_be_private("b.example:444")
    assert not any(config.may_be_private(host) for host in ("b.example", "evil.example", "registry.example.evil"))
    terms = Exchanges(SocketTransport(config), config, For("")).terms(config.registry("registry.example"))
    assert Hop.begin("https://registry.example/").onward("https://10.0.0.1/x", terms).url == "https://10.0.0.1/x"
    assert realm_refusal("https://10.0.0.1/t", Origin.of("https://registry.example"), False, terms.private) == ""


def test_basic_is_not_tried_twice(server: FaultyRegistry) -> None:
    server.on("manifests", status(401, WWW_Authenticate='Basic realm="x"'), times=99)
    with pytest.raises(KezuriError, match="401") as caught:
        resolve(server, For(server.host))
    assert [s.headers.get("authorization", "") for s in server.log] == ["", f"Basic {BASIC}"]
    assert "the credentials are those in file" in told(caught.value)


def test_a_login_keeps_to_its_host(server: FaultyRegistry, second: FaultyRegistry) -> None:
    config = RegistryConfig()
    server.on("GET /v2/", redirect(f"http://{second.host}/PATH"), times=99)
    second.on("GET /v2/", status(401, WWW_Authenticate='Basic realm="x"'), times=99)
    transport = SocketTransport(config)
    with pytest.raises(KezuriError, match="does not let you in"):
        verify(config, server.host, Credential("me", SECRET), transport, FastClock())
    transport.close()
    assert all("authorization" not in seen.headers for seen in (*server.log, *second.log))


def test_what_a_request_shows_of_itself_has_no_secret() -> None:
    request = Request("GET", "https://r.example/x?sig=hush", {"Authorization": "Bearer hush"})
    assert "hush" not in repr(request)


def test_any_text_as_a_name_or_a_password() -> None:
    for text in ("ü", "\udcff", "\ud800", "\udcff\ud800", "a:b\r\nX: y"):
        assert Credential("u", text).basic().startswith("Basic ")
    assert json.loads('"\\ud800"') == "\ud800"
