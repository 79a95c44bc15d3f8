"""What a registry's refusals and a network's failures are told as, kind by kind."""

import pytest

from kezuri.registry.explanation import explain
from kezuri.registry.failure import Failure, Refused, Unanswered
from kezuri.registry.wire import Headers, TransportError

PRIVATE = "either the name has a typo or the repository is private"
TROUBLE = "the registry is in trouble"
URL = "https://r.example/v2/app/manifests/1"


def hint(status: int, *codes: str, url: str = URL, after: str = "") -> str:
    headers = Headers([("Retry-After", after)] if after else [])
    error = explain("r.example/app:1", "r.example", Refused(Failure("GET", url, status, headers, codes)))
    (said,) = error.diagnostics
    assert error.exit_code == (1 if status in (401, 403, 404) else 125)
    assert said.message.startswith(f"r.example/app:1: GET {url}: {status}")
    return said.hint


@pytest.mark.parametrize(
    ("status", "codes", "url", "told"),
    [
        (401, (), URL, PRIVATE),
        (403, (), URL, PRIVATE),
        (403, ("DENIED",), URL, PRIVATE),
        (400, ("UNAUTHORIZED",), URL, PRIVATE),
        (400, ("DENIED",), URL, PRIVATE),
        (404, ("NAME_UNKNOWN",), URL, "there is no such repository"),
        (404, ("MANIFEST_UNKNOWN",), "https://r.example/v2/app/x", "there is no such tag or digest"),
        (404, (), URL, "there is no such tag or digest"),
        (404, (), "https://r.example/v2/app/blobs/sha256:0", "the manifest is there but its content is not"),
        (407, (), URL, "the proxy wants a name and a password"),
        (429, (), URL, "r.example limits how often it is asked: wait"),
        (503, ("TOOMANYREQUESTS",), URL, "r.example limits how often it is asked: wait"),
        (500, (), URL, TROUBLE),
        (503, (), URL, TROUBLE),
        (418, (), URL, ""),
        (404, (), "https://r.example/v2/app/x", ""),
        (499, (), URL, ""),
    ],
)
def test_what_a_refusal_is_told_as(status: int, codes: tuple[str, ...], url: str, told: str) -> None:
    said = hint(status, *codes, url=url)
    assert said.startswith(told) and bool(said) is bool(told)


def test_how_long_to_wait_is_told_when_it_is_a_number() -> None:
    assert "; it asks to wait 30 s:" in hint(429, after="30")
    for strange in ("Fri, 27 Nov 2026 19:00:00 GMT", "-1", "٣", ""):
        assert "it asks to wait" not in hint(429, after=strange)


@pytest.mark.parametrize(
    ("kind", "told", "unanswered"),
    [
        ("resolve", "is the network there?", True),
        ("refused", "is the network there?", True),
        ("proxy", "is the network there?", True),
        ("certificate", "name its PEM file", True),
        ("handshake", "if it speaks plain HTTP", True),
        ("cut", "try again later", True),
        ("timeout", "try again later", True),
        ("url", "", False),
    ],
)
def test_what_a_failure_of_the_network_is_told_as(kind: str, told: str, unanswered: bool) -> None:
    error = explain("app:1", "r.example", TransportError(kind, "r.example:5000", "why"))  # type: ignore[arg-type]
    (said,) = error.diagnostics
    assert told in said.hint and bool(said.hint) is bool(told)
    assert isinstance(error, Unanswered) is unanswered
    assert "--build-context" not in said.hint  # who pulls, copies or asks for a digest has no such option
    assert "why" in said.message and "sent there by" not in said.message
    (elsewhere,) = explain("app:1", "r.example", TransportError(kind, "cdn.example", "why")).diagnostics  # type: ignore[arg-type]
    assert "(sent there by r.example)" in elsewhere.message


def test_a_push_without_a_registry_in_the_name_is_told_where_it_went() -> None:
    unknown = TransportError("resolve", "registry-1.docker.io", "why")
    (said,) = explain("docker.io/library/app", "docker.io", unknown, writing=True).diagnostics
    assert "`kezuri tag` it HOST/NAME first" in said.hint
    (said,) = explain(
        "r.example/app", "r.example", TransportError("resolve", "r.example", "why"), writing=True
    ).diagnostics
    assert said.hint == "is the network there, and is this the registry's name?"
