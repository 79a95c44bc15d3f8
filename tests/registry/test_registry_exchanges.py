"""The pure half: challenges, retries, endpoints, proxies, origins, registries.conf, platform choice."""

import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry.registry_faults import FastClock

from kezuri.diagnostics import KezuriError
from kezuri.oci import DOCKER_MANIFEST, INDEX, MANIFEST, Descriptor, Index, Platform, Reference
from kezuri.registry import RegistryConfig, registries
from kezuri.registry.challenge import (
    Challenge,
    Credential,
    Grant,
    parse_challenges,
    preferred,
    private_refusal,
    read_grant,
    realm_refusal,
    token_url,
)
from kezuri.registry.config import Endpoint
from kezuri.registry.explanation import explain
from kezuri.registry.failure import Failure, Refused, read_errors, redact
from kezuri.registry.forbidden import advice
from kezuri.registry.image import Document, choose, flatten
from kezuri.registry.origin import Origin, is_local, is_private
from kezuri.registry.proxy import proxy_for
from kezuri.registry.registries import Rule, parse_registries, read_registries
from kezuri.registry.retry import Backoff, Patience, Stall, delay, passing, retry_after, tries_for
from kezuri.registry.scope import covers, in_order
from kezuri.registry.wire import Headers


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Bearer realm="https://a/t",service="s"', [("bearer", {"realm": "https://a/t", "service": "s"})]),
        ('BEARER Realm=https://a/t', [("bearer", {"realm": "https://a/t"})]),
        ('Bearer scope="repository:a/b:pull,push", realm="r"',
         [("bearer", {"scope": "repository:a/b:pull,push", "realm": "r"})]),
        ('Negotiate, Basic realm="x y"', [("negotiate", {}), ("basic", {"realm": "x y"})]),
        ('Negotiate YWJj==, Basic realm="x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
        ('Basic realm="a \\"b\\" c"', [("basic", {"realm": 'a "b" c'})]),
        ('Basic, Bearer realm = "r" , error="e"', [("basic", {}), ("bearer", {"realm": "r", "error": "e"})]),
        ("", []),
        (",,,", []),
        ('"', []),
    ],
)  # fmt: skip
def test_challenges(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert [(c.scheme, dict(c.parameters)) for c in parse_challenges([header])] == expected


@given(st.lists(st.text(max_size=60), max_size=3))
def test_any_text_is_read_without_harm(values: list[str]) -> None:
    parse_challenges(values)


def test_bearer_is_preferred() -> None:
    basic, bearer = Challenge("basic"), Challenge("bearer", (("realm", "r"),))
    assert preferred([Challenge("negotiate"), basic, bearer]) == bearer
    assert preferred([Challenge("bearer"), basic]) == basic
    assert preferred([Challenge("negotiate")]) is None


def test_the_url_of_a_token() -> None:
    challenge = Challenge("bearer", (("realm", "https://a/t?x=1"), ("service", "s"), ("scope", "repository:b:pull")))
    assert token_url(challenge, ("repository:b:pull", "repository:a:pull")) == (
        "https://a/t?x=1&service=s&scope=repository%3Ab%3Apull&scope=repository%3Aa%3Apull"
    )
    assert token_url(Challenge("bearer", (("realm", "https://a/t"),)), ()) == "https://a/t"


@pytest.mark.parametrize(
    ("demanded", "own", "before", "asked"),
    [
        ("repository:b:pull", "repository:a:pull", "", "repository:b:pull repository:a:pull"),
        ("repository:b:pull", "repository:b:pull,push", "", "repository:b:pull,push"),
        ("", "repository:a:pull,push repository:b:pull", "", "repository:a:pull,push repository:b:pull"),
        # A server that looks at the first scope only gives what a push needs.
        ("repository:b:pull repository:a:push,pull", "", "", "repository:a:pull,push repository:b:pull"),
        # What was not asked for before is why the token was refused.
        (
            "repository:b:pull repository:a:pull,push",
            "repository:a:pull,push",
            "repository:a:pull,push",
            "repository:b:pull repository:a:pull,push",
        ),
        ("registry:catalog:*", "", "", "registry:catalog:*"),
        ("odd", "odd", "", "odd"),
    ],
)
def test_the_order_of_scopes(demanded: str, own: str, before: str, asked: str) -> None:
    assert " ".join(in_order(demanded.split(), own.split(), before.split())) == asked


def test_a_registry_that_demands_very_much() -> None:
    demanded = [f"repository:r{n}:pull" for n in range(10_000)]
    once = in_order(demanded, ("repository:own:pull",))
    assert len(once) == 65
    assert in_order(demanded, ("repository:own:pull",), once) == once


@pytest.mark.parametrize(
    ("granted", "wanted", "enough"),
    [
        ("repository:a:pull,push", "repository:a:pull", True),
        ("repository:a:pull", "repository:a:pull,push", False),
        ("repository:a:pull", "repository:b:pull", False),
        ("repository:a:pull repository:a:push repository:b:pull", "repository:a:push,pull repository:b:pull", True),
        ("repository:host:5000/a:pull", "repository:host:5000/a:pull", True),
        ("registry:catalog:*", "registry:catalog:delete", True),
        ("", "", True),
        ("", "repository:a:pull", False),
    ],
)
def test_what_a_grant_is_enough_for(granted: str, wanted: str, enough: bool) -> None:
    assert covers(granted.split(), wanted.split()) is enough


def test_secrets_are_not_shown() -> None:
    values = (Credential("user", "hush", "hush", "hush", "file"), Grant("Bearer hush", 1.0, None, "hush", "file"))
    assert "hush" not in repr(values)
    assert "user" not in repr(values)


@pytest.mark.parametrize(
    ("realm", "registry", "insecure", "refused"),
    [
        ("https://auth.example/token", "https://hub.example", False, ""),
        ("http://auth.example/token", "https://hub.example", False, "it is not https"),
        ("http://auth.example/token", "http://hub.example", True, ""),
        ("https://10.0.0.1/token", "https://hub.example", False, "it is a private address"),
        ("https://localhost/token", "https://hub.example", False, "it is a private address"),
        ("https://2130706433/token", "https://hub.example", False, "it is a private address"),
        ("https://[::ffff:127.0.0.1]/token", "https://hub.example", False, "it is a private address"),
        ("https://169.254.169.254/token", "https://10.0.0.1", False, "it is a private address"),
        ("https://169.254.169.254./token", "https://hub.example", False, "it is a private address"),
        ("https://[64:ff9b::a9fe:a9fe]/token", "https://hub.example", False, "it is a private address"),
        ("https://[2002:7f00:1::]/token", "https://hub.example", False, "it is a private address"),
        ("https://100.64.0.1/token", "https://hub.example", False, "it is a private address"),
        ("https://[fd00:ec2::254]/token", "https://10.0.0.1", False, "it is a private address"),
        ("https://100.100.100.200/token", "https://10.0.0.1", False, "it is a private address"),
        ("https://[64:ff9b::808:808]/token", "https://hub.example", False, ""),
        ("https://10.0.0.2/token", "https://10.0.0.1", False, ""),
        ("https://10.0.0.1:444/token", "https://10.0.0.1:443", False, ""),
        ("ftp://auth.example/token", "https://hub.example", True, "it is not an http or https URL"),
        ("https://user@auth.example/", "https://hub.example", False, "it is not an http or https URL"),
        ("https://good.example\\@evil.example/", "https://hub.example", False, "it is not an http or https URL"),
    ],
)
def test_realms(realm: str, registry: str, insecure: bool, refused: str) -> None:
    assert realm_refusal(realm, Origin.of(registry), insecure, False) == refused


def test_private_addresses_can_be_allowed() -> None:
    assert private_refusal(Origin.of("http://10.0.0.1"), Origin.of("https://hub.example"), True) == ""


@pytest.mark.parametrize(
    ("body", "header", "seconds"),
    [
        (b'{"token": "a", "expires_in": 300}', "Bearer a", 270),
        (b'{"access_token": "b"}', "Bearer b", 54),
        (b'{"token": "", "access_token": "c", "expires_in": 5}', "Bearer c", 54),
        (b'{"token": "d", "expires_in": "x"}', "Bearer d", 54),
        (b'{"token": "a b"}', None, 0),
        (b'{"token": 1}', None, 0),
        (b"[]", None, 0),
        (b"<html>", None, 0),
    ],
)
def test_grants(body: bytes, header: str | None, seconds: float) -> None:
    grant = read_grant(body, 100.0)
    assert (grant and (grant.header, grant.until)) == (header and (header, 100.0 + seconds))


def test_which_answers_pass() -> None:
    assert all(passing(s) for s in (408, 425, 429, 499, 500, 502, 503, 504, 522))
    assert not any(passing(s, ("UNKNOWN",)) for s in (400, 401, 403, 404, 405, 409, 412, 413))
    assert passing(418, ("TOOMANYREQUESTS",))
    assert not passing(418, ("DENIED",))


def test_waits_double_up_to_thirty_seconds() -> None:
    assert [delay(n, 0) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert delay(1, 1) == 1.5


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5", 5), ("", None), ("soon", None), ("-1", None), ("Tue, 14 Nov 2023 22:13:30 GMT", 10),
     ("Tue, 14 Nov 2000 22:13:30 GMT", 0), ("9" * 400, 999999999)],
)  # fmt: skip
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after(value, 1_700_000_000.0) == seconds


@pytest.mark.parametrize(("after", "times"), [(0.0, 4), (50.0, 2), (120.0, 1), (121.0, 0), (None, 4)])
def test_what_a_host_has_us_wait_is_bounded_all_in_all(after: float | None, times: int) -> None:
    patience = Patience(Backoff(FastClock()), 5, threading.Event())
    assert [patience.again("host", "", after) for _ in range(5)] == [n < times for n in range(5)]


def test_something_worth_while_begins_the_waiting_anew() -> None:
    patience = Patience(Backoff(FastClock()), 5, threading.Event())
    assert patience.again("host", "", 100.0)
    patience.progressed()
    assert patience.again("host", "", 100.0)


def test_what_does_not_mend_is_not_tried_again() -> None:
    assert [tries_for(k, 5) for k in ("resolve", "refused", "certificate", "connect-timeout", "timeout", "cut")] == [
        1,
        1,
        1,
        2,
        3,
        5,
    ]


def test_a_trickle_is_noticed() -> None:
    now = [0.0]
    stall = Stall(lambda: now[0])
    for now[0] in range(1, 60):
        assert not stall.stalled(10)
    now[0] = 60.0
    assert stall.stalled(10)
    now[0] = 119.0
    assert not stall.stalled(1 << 20)
    now[0] = 121.0
    assert not stall.stalled(10)


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b'{"errors":[{"code":"DENIED","message":"no"},{"code":"X"}]}', "", (("DENIED", "X"), "no")),
        (b'{"errors":[{"code":"A","message":"m","detail":"d"}]}', "", (("A",), "m; d")),
        (b'{"details":"incorrect username"}', "", ((), "incorrect username")),
        (b"<html>x", "text/html", ((), "(a web page)")),
        (b"404 page not found\n", "text/plain", ((), "404 page not found")),
        (b'{"errors":[]}', "", ((), "")),
        (b'{"errors":7}', "", ((), '{"errors":7}')),
        (b"\xff\xfe", "", ((), "\ufffd\ufffd")),
        (b"", "", ((), "")),
    ],
)
def test_error_bodies(body: bytes, kind: str, expected: Any) -> None:
    assert read_errors(body, kind) == expected


def test_urls_are_redacted() -> None:
    assert redact("https://a/b?X-Sig=secret&y=2#z") == "https://a/b?X-Sig&y"
    assert redact("https://a/tags/list?n=1000&last=x&n=secret") == "https://a/tags/list?n=1000&last&n"


REFERENCE = Reference.parse("node:20")


def test_endpoints_of_docker_hub() -> None:
    assert RegistryConfig().endpoints(REFERENCE) == (Endpoint("registry-1.docker.io", "library/node", ("https",)),)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://m.example", Endpoint("m.example", "library/node", ("https",), "docker.io")),
        ("https://m.example/a/b/", Endpoint("m.example", "a/b/library/node", ("https",), "docker.io")),
        ("m.example", Endpoint("m.example", "library/node", ("https",), "docker.io")),
        ("localhost:5000", Endpoint("localhost:5000", "library/node", ("https", "http"), "docker.io")),
        ("http://localhost:5000", Endpoint("localhost:5000", "library/node", ("http",), "docker.io")),
        ("http://in.example", Endpoint("in.example", "library/node", ("http",), "docker.io")),
    ],
)
def test_mirrors(url: str, expected: Endpoint) -> None:
    config = RegistryConfig(
        mirrors=(("docker.io", url), ("ghcr.io", "https://other.example")), insecure=("in.example",)
    )
    endpoints = config.endpoints(REFERENCE)
    assert (endpoints[0], len(endpoints)) == (expected, 2)


@pytest.mark.parametrize("url", ["http://m.example", "ftp://m.example", "https://", "https://a b", "https://u:p@m"])
def test_mirrors_that_are_refused(url: str) -> None:
    with pytest.raises(KezuriError, match="mirror"):
        RegistryConfig(mirrors=(("docker.io", url),)).endpoints(REFERENCE)


@pytest.mark.parametrize(
    ("host", "plain"),
    [("localhost", 1), ("localhost:5000", 1), ("a.localhost:1", 1), ("127.0.0.1:5", 1),
     ("127.9.9.9", 1), ("[::1]:5000", 1),
     ("localhost.evil.example", 0), ("10.0.0.1:5000", 0), ("192.168.1.1", 0), ("hub.example", 0),
     ("127.0.0.1.evil.example", 0),
     ("reg.example", 1), ("reg.example:5000", 1), ("port.example:5000", 1), ("port.example", 0), ("172.16.3.4:80", 1)],
)  # fmt: skip
def test_who_may_speak_plain_http(host: str, plain: int) -> None:
    config = RegistryConfig(insecure=("reg.example", "port.example:5000", "172.16.0.0/12"))
    assert config.plain_allowed(host) == bool(plain)


def test_whose_certificate_is_checked() -> None:
    config = RegistryConfig(insecure=("in.example",))
    assert config.verifies(Origin.of("https://localhost:5000"))
    assert not config.verifies(Origin.of("https://in.example"))


CONF = b"""
unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "docker.io"
location = "hub.example/cache"
insecure = true
[[registry.mirror]]
location = "m1.example:5000"
[[registry.mirror]]
location = "m2.example/x"
insecure = true
[[registry]]
location = "ghcr.io/bad"
blocked = true
[[registry]]
prefix = "*.corp.example"
[[registry.mirror]]
location = "m3.example/all"
"""


def test_registries_conf() -> None:
    config = RegistryConfig(rules=parse_registries(CONF, "registries.conf"))
    assert config.endpoints(REFERENCE) == (
        Endpoint("m1.example:5000", "library/node", ("https",), "docker.io"),
        Endpoint("m2.example", "x/library/node", ("https", "http"), "docker.io"),
        Endpoint("hub.example", "cache/library/node", ("https", "http")),
    )
    assert not config.verifies(Origin.of("https://m2.example"))
    assert config.verifies(Origin.of("https://m1.example:5000"))
    with pytest.raises(KezuriError, match=r"blocks ghcr\.io/bad"):
        config.endpoints(Reference.parse("ghcr.io/bad/x"))
    assert [e.host for e in config.endpoints(Reference.parse("ghcr.io/badly/x"))] == ["ghcr.io"]
    assert config.endpoints(Reference.parse("a.corp.example/team/x")) == (
        Endpoint("m3.example", "all/team/x", ("https",), "a.corp.example"),
        Endpoint("a.corp.example", "team/x", ("https",)),
    )


def test_mirrors_of_digests_and_of_tags() -> None:
    text = b"""
[[registry]]
location = "a.example"
mirror-by-digest-only = true
[[registry.mirror]]
location = "digests.example"
[[registry]]
location = "b.example"
[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "tags.example"
pull-from-mirror = "tag-only"
[[registry.mirror]]
location = "both.example"
pull-from-mirror = "all"
"""
    config = RegistryConfig(rules=parse_registries(text, "registries.conf"))

    def asked(name: str) -> list[str]:
        return [endpoint.host.partition(".")[0] for endpoint in config.endpoints(Reference.parse(name))]

    digest = "sha256:" + "0" * 64
    assert asked("a.example/app:1") == ["a"]
    assert asked(f"a.example/app@{digest}") == asked(f"a.example/app:1@{digest}") == ["digests", "a"]
    assert asked("b.example/app:1") == ["tags", "both", "b"]
    assert asked(f"b.example/app@{digest}") == ["digests", "both", "b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[[registry", "not TOML"),
        (b"[registries.search]\nregistries = []", "version 1"),
        (b"[registry]\n", "not a list of tables"),
        (b"[[registry]]\n", "neither prefix nor location"),
        (b"[[registry]]\nlocation = 'https://x'", "not a place"),
        (b"[[registry]]\nlocation = 'x'\nblocked = 'yes'", "neither true nor false"),
        (b"[[registry]]\nlocation = 'x'\n[[registry.mirror]]\ninsecure = true", "no location"),
        (b"[[registry]]\nlocation='x'\n[[registry.mirror]]\nlocation='m'\npull-from-mirror='some'", "cannot be 'some'"),
        (
            b"[[registry]]\nlocation='x'\nmirror-by-digest-only=true\n"
            b"[[registry.mirror]]\nlocation='m'\npull-from-mirror='all'",
            "cannot be 'all'",
        ),
    ],
)
def test_registries_conf_that_is_wrong(text: bytes, words: str) -> None:
    with pytest.raises(KezuriError, match=f"r.conf: .*{words}"):
        parse_registries(text, "r.conf")


def test_a_registries_conf_that_is_too_large_is_not_cut(tmp_path: Any) -> None:
    (tmp_path / "r.conf").write_bytes(b"# x\n" * (1 << 20) + CONF)
    with pytest.raises(KezuriError, match=r"r\.conf: larger than 4 MiB"):
        read_registries({"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "r.conf")})


def test_registries_conf_is_found(tmp_path: Any) -> None:
    own = tmp_path / "containers"
    (own / "registries.conf.d").mkdir(parents=True)
    (own / "registries.conf").write_bytes(b'[[registry]]\nlocation = "a"\n')
    (own / "registries.conf.d" / "1.conf").write_bytes(b'[[registry]]\nlocation = "a"\nblocked = true\n')
    environment = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": "/nonexistent"}
    assert [(r.prefix, r.blocked) for r in read_registries(environment) if r.prefix == "a"] == [("a", True)]
    environment["CONTAINERS_REGISTRIES_CONF"] = str(own / "registries.conf")
    assert [(r.prefix, r.blocked) for r in read_registries(environment)] == [("a", False)]
    environment["CONTAINERS_REGISTRIES_CONF"] = "/nonexistent"
    with pytest.raises(KezuriError, match="/nonexistent"):
        read_registries(environment)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (b"", False),
        (b'# [[registry]]\n  # unqualified-search-registries = ["a"]\n', False),
        (b'[aliases]\n"a" = "b.example/a"\n', False),
        (b'# what follows counts\n[[registry]]\nlocation = "a"\n', True),
        (b'[[ registry ]]\nlocation = "a"\n', True),
    ],
)
def test_a_registries_conf_of_comments_is_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes, read: bool
) -> None:
    """Every Debian machine has one, and reading TOML costs more than looking."""
    (tmp_path / "r.conf").write_bytes(text)
    parsed: list[bytes] = []

    def parse(said: bytes, where: str) -> tuple[Rule, ...]:
        parsed.append(said)
        return parse_registries(said, where)

    monkeypatch.setattr(registries, "parse_registries", parse)
    rules = read_registries({"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "r.conf")})
    assert (bool(parsed), [rule.prefix for rule in rules]) == (read, ["a"] * read)


@pytest.mark.parametrize(
    ("no_proxy", "url", "proxied"),
    [
        ("", "https://hub.example", True),
        ("*", "https://hub.example", False),
        ("example", "https://hub.example", False),
        (".example", "https://hub.example", False),
        ("*.example", "https://hub.example", False),
        ("hub.example", "https://hub.example", False),
        ("ub.example", "https://hub.example", True),
        ("hub.example:443", "https://hub.example", False),
        ("hub.example:444", "https://hub.example", True),
        ("other, HUB.example", "https://hub.example", False),
        ("10.0.0.0/8", "https://10.1.2.3", False),
        ("10.0.0.0/8", "https://11.1.2.3", True),
        ("10.1.2.3", "https://10.1.2.3:5000", False),
        ("fd00::/8", "https://[fd00::1]", False),
        ("bad/range", "https://10.1.2.3", True),
        ("", "https://localhost:5000", False),
        ("", "https://127.0.0.1", False),
    ],
)
def test_no_proxy(no_proxy: str, url: str, proxied: bool) -> None:
    environment = {"HTTPS_PROXY": "proxy.example:3128", "NO_PROXY": no_proxy}
    assert proxy_for(Origin.of(url), environment) == ("http://proxy.example:3128" if proxied else "")


def test_which_proxy() -> None:
    https, http = Origin.of("https://a.example"), Origin.of("http://a.example")
    environment = {"https_proxy": "http://low", "HTTPS_PROXY": "http://up", "HTTP_PROXY": "http://plain"}
    assert (proxy_for(https, environment), proxy_for(http, environment)) == ("http://low", "http://plain")
    assert proxy_for(http, {"REQUEST_METHOD": "GET", "HTTP_PROXY": "http://evil"}) == ""
    assert proxy_for(http, {"ALL_PROXY": "http://all"}) == "http://all"
    with pytest.raises(KezuriError, match="socks5"):
        proxy_for(http, {"ALL_PROXY": "socks5://x"})


def test_origins() -> None:
    assert Origin.of("HTTPS://Hub.Example/x") == ("https", "hub.example", 443)
    assert Origin.of("http://[::1]:5000?x").netloc == "[::1]:5000"
    assert str(Origin.of("http://a:80/")) == "http://a"
    for bad in ("a", "ftp://a", "http://", "http://a:0", "http://a:99999", "http://a b/", "http://a\n/", "http:///x"):
        with pytest.raises(ValueError, match=r".*"):
            Origin.of(bad)


@given(st.text(max_size=40))
def test_hosts_of_any_form_are_judged_without_harm(host: str) -> None:
    assert not is_local(host) or is_private(host.rstrip(".").lower())


def entry(name: str, platform: str = "", media_type: str = MANIFEST) -> Descriptor:
    return Descriptor(media_type, f"sha256:{name:0>64}", 1, {}, Platform.parse(platform) if platform else None)


@pytest.mark.parametrize(
    ("there", "wanted", "chosen"),
    [
        (["linux/arm64", "linux/amd64"], "linux/amd64", 1),
        (["linux/amd64", "linux/amd64"], "linux/amd64", 0),
        (["linux/amd64", "linux/amd64/v2"], "linux/amd64/v3", 1),
        (["linux/amd64/v3", "linux/amd64"], "linux/amd64", 1),
        (["linux/arm/v6", "linux/arm/v7"], "linux/arm", 1),
        (["linux/arm/v6", "linux/arm/v5"], "linux/arm/v7", 0),
        (["linux/arm/v7"], "linux/arm64", 0),
        (["windows/amd64", "linux/amd64"], "linux/amd64", 1),
        ([""], "linux/amd64", 0),
    ],
)
def test_the_best_platform(there: list[str], wanted: str, chosen: int) -> None:
    entries = [entry(str(i), p) for i, p in enumerate(there)]
    assert choose(entries, Platform.parse(wanted), "x") is entries[chosen]


@pytest.mark.parametrize("there", [["linux/amd64/v3"], ["", ""], [], ["linux/arm64"]])
def test_no_platform(there: list[str]) -> None:
    with pytest.raises(KezuriError, match="x: there is no image for linux/amd64"):
        choose([entry(str(i), p) for i, p in enumerate(there)], Platform.parse("linux/amd64"), "x")


def test_of_very_many_platforms_the_first_are_named() -> None:
    with pytest.raises(KezuriError) as caught:
        choose([entry(str(n), f"linux/a{n}") for n in range(20_000)], Platform.parse("linux/amd64"), "x")
    assert "linux/a29, …" in str(caught.value.diagnostics[0].hint)
    assert len(str(caught.value.diagnostics[0].hint)) < 500


def test_nested_indexes_are_read_to_a_depth() -> None:
    def chain(depth: int) -> dict[str, Index]:
        levels = {entry(str(n)).digest: Index((entry(str(n + 1), "", INDEX),)) for n in range(1, depth)}
        levels[entry(str(depth)).digest] = Index((entry("99", "linux/amd64", DOCKER_MANIFEST),))
        return levels

    def found(depth: int) -> list[Descriptor]:
        levels = chain(depth)
        return flatten(levels[entry("1").digest], lambda d: Document(d, b"", levels[d.digest]), "x")

    assert [d.digest for d in found(4)] == [entry("99").digest]
    with pytest.raises(KezuriError, match="nested more than 4 deep"):
        found(5)
    loop = Index((entry("1", "", INDEX), entry("1", "", INDEX)))
    with pytest.raises(KezuriError, match="nested"):
        flatten(loop, lambda d: Document(d, b"", loop), "x")


@pytest.mark.parametrize(
    ("push", "host", "account", "words"),
    [
        (False, "r.example", "", "private: `kezuri login r.example`"),
        (False, "registry-1.docker.io", "", "private: `kezuri login`"),
        (True, "r.example", "", "nobody is logged in there: `kezuri login r.example`"),
        (True, "ghcr.io", "file", "the credentials are those in file: the token needs write:packages"),
        (False, "ghcr.io", "file", "needs read:packages"),
        (True, "1.dkr.ecr.eu-west-1.amazonaws.com", "file", "| kezuri login 1.dkr.ecr.eu-west-1.amazonaws.com -u AWS"),
        (True, "europe-docker.pkg.dev", "file", "`gcloud auth configure-docker europe-docker.pkg.dev`"),
        (True, "team.azurecr.io", "file", "`az acr login -n team`"),
        (True, "registry-1.docker.io", "file", "docker.io/YOUR-NAME"),
        (True, "r.example:5000", "file", "may they push there? another account: `kezuri login r.example:5000 -u NAME`"),
        (False, "r.example", "file", "either the name has a typo or they may not pull it"),
    ],
)
def test_what_to_do_about_a_refusal(push: bool, host: str, account: str, words: str) -> None:
    assert words in advice(push, host, account)


MANIFEST_URL, BLOB_URL = "https://r.example/v2/app/manifests/1", "https://r.example/v2/app/blobs/sha256:0"


@pytest.mark.parametrize(
    ("status", "code", "url", "hint"),
    [
        (401, "UNAUTHORIZED", MANIFEST_URL, "the name has a typo or the repository is private"),
        (401, "", MANIFEST_URL, "the name has a typo or the repository is private"),
        (403, "DENIED", MANIFEST_URL, "the name has a typo or the repository is private"),
        (403, "", BLOB_URL, "the name has a typo or the repository is private"),
        (404, "DENIED", BLOB_URL, "the name has a typo or the repository is private"),
        (404, "NAME_UNKNOWN", MANIFEST_URL, "there is no such repository: is the name"),
        (404, "MANIFEST_UNKNOWN", MANIFEST_URL, "there is no such tag or digest"),
        (404, "", MANIFEST_URL, "there is no such tag or digest"),
        (404, "BLOB_UNKNOWN", BLOB_URL, "the registry is incomplete"),
        (405, "UNSUPPORTED", MANIFEST_URL, ""),
        (407, "", MANIFEST_URL, "the proxy wants a name and a password"),
        (429, "", MANIFEST_URL, "r.example limits how often it is asked; it asks to wait 9 s: wait"),
        (503, "TOOMANYREQUESTS", MANIFEST_URL, "r.example limits how often it is asked; it asks to wait 9 s: wait"),
        (500, "", BLOB_URL, "the registry is in trouble"),
        (503, "UNAVAILABLE", MANIFEST_URL, "the registry is in trouble"),
    ],
)
def test_what_a_refusal_means(status: int, code: str, url: str, hint: str) -> None:
    failure = Failure("GET", url, status, Headers([("Retry-After", "9")]), (code,) if code else (), "not so")
    error = explain("r.example/app:1", "r.example", Refused(failure))
    (told,) = error.diagnostics
    # What is not there, or not for us, is no failure of the engine.
    assert error.exit_code == (1 if status in (401, 403, 404) else 125)
    words = f"{code} not so".strip()
    assert told.message == f"r.example/app:1: GET {url}: {status} {words}"
    assert hint in told.hint if hint else told.hint == ""
