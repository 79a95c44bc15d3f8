"""Redirects: what goes along, where they may lead, and that they end; the same for all who follow them."""

from itertools import pairwise
from types import TracebackType
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kezuri.registry.origin import Origin
from kezuri.registry.redirects import Hop, Terms, follow, may_know
from kezuri.registry.wire import Headers, Pace, Request, TransportError

ANY = Terms(plain="", private=True)
places = st.sampled_from(
    [
        "https://a.example/x",
        "https://b.example/x?y=1",
        "https://a.example:8443/",
        "http://a.example/x",
        "http://b.example",
        "https://127.0.0.1:1/",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/",
    ]
)
"""Where a server may send us: other hosts, other ports, weaker schemes, addresses of our own network."""


class Sent:
    """An answer that sends us on, or the last one."""

    def __init__(self, location: str) -> None:
        self.status = 302 if location else 200
        self.headers = Headers([("Location", location)] if location else [])
        self.closed = False

    def read(self, most: int) -> bytes:
        return b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True


class Trail:
    """A transport that notes what it was asked and sends on along a list of places."""

    def __init__(self, *places: str) -> None:
        self.answers = [*map(Sent, places), Sent("")]
        self.asked: list[Request] = []

    def send(self, request: Request) -> Sent:
        self.asked.append(request)
        return self.answers[len(self.asked) - 1]

    def close(self) -> None:
        pass


def request(url: str) -> Request:
    return Request("GET", url, {"Authorization": "secret", "Accept": "*/*", "cookie": "c"}, pace=Pace(5.0, 5.0, 9.0))


@given(first=places, rest=st.lists(places, max_size=6))
def test_secrets_go_to_their_own_host_only_and_do_not_come_back(first: str, rest: list[str]) -> None:
    trail = Trail(*rest)
    _, last = follow(trail, request(first), ANY)
    assert last == [first, *rest][-1] and [asked.url for asked in trail.asked] == [first, *rest]
    left = False
    for asked in trail.asked:
        left = left or not may_know(Origin.of(asked.url), Origin.of(first))
        told = {name.lower() for name in asked.headers}
        assert told == ({"accept"} if left else {"accept", "authorization", "cookie"})
        assert asked.pace.head <= 5.0 and asked.pace.whole <= 9.0
    assert all(answer.closed for answer in trail.answers[:-1]) and not trail.answers[-1].closed


@given(first=places, rest=st.lists(places, max_size=6))
def test_nobody_leads_from_https_to_http_or_into_our_network(first: str, rest: list[str]) -> None:
    trail = Trail(*rest)
    try:
        follow(trail, request(first), Terms())
    except TransportError as error:
        assert error.origin == Origin.of(first).netloc and "which is refused" in error.message
    urls = [asked.url for asked in trail.asked]
    for before, after in pairwise(urls):
        assert not (before.startswith("https:") and after.startswith("http:"))
        if Origin.of(first).host.endswith(".example"):
            assert Origin.of(after).host.endswith(".example")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://a@b.example/", "//[::1", "http://[x]/", "ftp://a/"])
def test_what_is_no_http_url_is_no_place(target: str) -> None:
    trail = Trail(target)
    with pytest.raises(TransportError, match="no http URL"):
        follow(trail, request("https://a.example/"), ANY)
    assert len(trail.asked) == 1 and trail.answers[0].closed


def test_redirects_end() -> None:
    for count, ends in ((10, True), (11, False)):
        trail = Trail(*["/again"] * count)
        if ends:
            assert follow(trail, request("https://a.example/"), Terms())[1] == "https://a.example/again"
        else:
            with pytest.raises(TransportError, match="more than 10 redirects"):
                follow(trail, request("https://a.example/"), Terms())
            assert len(trail.asked) == 11


def test_a_secret_goes_along_to_the_same_host_behind_tls() -> None:
    plain = Hop.begin("http://a.example/x")
    assert plain.onward("https://a.example/x", Terms()).secret
    assert not plain.onward("https://a.example:8443/x", Terms()).secret
    assert not plain.onward("https://b.example/x", Terms()).onward("http://a.example/x", ANY).secret


def test_why_not_http_is_told_in_the_words_of_who_asks() -> None:
    with pytest.raises(TransportError, match="refused: not here"):
        Hop.begin("https://a.example/").onward("http://a.example/", Terms("not here"))
    assert Hop.begin("https://a.example/").onward("/b#part", Terms()).url == "https://a.example/b"
