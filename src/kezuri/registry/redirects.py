"""Requests that are sent on: where a server may send us, what may go along, and when it is enough."""

from collections.abc import Mapping
from typing import NamedTuple

from kezuri.registry.challenge import private_refusal
from kezuri.registry.origin import Origin
from kezuri.registry.wire import Answer, Request, Transport, TransportError

_MOST = 10
_MOVED = (301, 302, 303, 307, 308)
_SECRETS = ("authorization", "cookie")
"""Headers that are for the origin alone that they were given for."""


class Terms(NamedTuple):
    """Where a server may redirect a request to. `plain` is the reason why it may not go from https to http; empty where
    it may. With `private` a public host may send us to addresses of this machine's own network."""

    plain: str = "it is not https"
    private: bool = False


class Hop(NamedTuple):
    """A request after so many redirects. `secret` is false once an origin was left that secrets are for."""

    url: str
    first: Origin
    secret: bool = True

    @classmethod
    def begin(cls, url: str) -> "Hop":
        """The first request; ValueError for what is no http URL."""
        return cls(url, Origin.of(url))

    def onward(self, location: str, terms: Terms) -> "Hop":
        """Where a Location header leads. A secret does not come back to an origin that was left (RFC 9110 §15.4).
        TransportError, which is the first host's, when we must not go there."""
        from urllib.parse import urljoin

        try:
            url = urljoin(self.url, location).partition("#")[0]
            target = Origin.of(url)
        except ValueError:
            raise TransportError("url", self.first.netloc, "sends us to something that is no http URL") from None
        refusal = private_refusal(target, self.first, terms.private)
        if target.scheme == "http" and Origin.of(self.url).scheme == "https":
            refusal = refusal or terms.plain
        if refusal:
            raise TransportError("url", self.first.netloc, f"sends us to {target}, which is refused: {refusal}")
        return Hop(url, self.first, self.secret and may_know(target, self.first))


def may_know(target: Origin, first: Origin) -> bool:
    """Whether a secret that is for one origin may be told to another: to itself, and to the same host behind TLS."""
    if target == first:
        return True
    return target.host == first.host and (first.scheme, first.port, target.scheme, target.port) == (
        "http", 80, "https", 443,
    )  # fmt: skip


def follow(transport: Transport, request: Request, terms: Terms) -> tuple[Answer, str]:
    """The answer at the end of all redirects, and its URL. All of them together take no longer than the request's pace
    gives for one. TransportError when there is no answer, or we are sent where we must not go."""
    answer, hop = trace(transport, request, terms, Hop.begin(request.url))
    return answer, hop.url


def trace(transport: Transport, request: Request, terms: Terms, hop: Hop) -> tuple[Answer, Hop]:
    """As `follow`, from a hop on that others led to, and with the hop that answered: what it says of other places is
    meant from there. A redirect that asks to forget what is being sent (303) is refused; the others repeat it."""
    from time import monotonic

    began = monotonic()
    headers = request.headers if hop.secret else _public(request.headers)
    for _ in range(_MOST + 1):
        pace = request.pace
        if request.body is None or isinstance(request.body, bytes):
            pace = pace.after(monotonic() - began)
        sent = request._replace(url=hop.url, headers=headers, pace=pace)
        answer = transport.send(sent)
        location = answer.headers.get("location")
        if answer.status not in _MOVED or not location:
            return answer, hop
        with answer:
            pass
        if answer.status == 303 and request.body is not None:
            raise TransportError(
                "url", hop.first.netloc, f"answers a {request.method} with a redirect to something else"
            )
        hop = hop.onward(location, terms)
        if not hop.secret:
            headers = _public(headers)
    raise TransportError("url", hop.first.netloc, f"more than {_MOST} redirects")


def _public(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers without secrets."""
    return {name: value for name, value in headers.items() if name.lower() not in _SECRETS}
