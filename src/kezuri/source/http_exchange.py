"""GET requests for files at URLs: redirects, credentials, patience; and what is told when a file does not come."""

import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from kezuri.diagnostics import Diagnostic, KezuriError
from kezuri.progress.calling_off import CalledOff
from kezuri.registry.failure import redact
from kezuri.registry.origin import Origin
from kezuri.registry.redirects import Terms, follow, may_know
from kezuri.registry.retry import Backoff, Clock, Patience, Stopped, passing, retry_after
from kezuri.registry.wire import Answer, Request, Transport, TransportError

_T = TypeVar("_T")
_REASONS = {400: "bad request", 401: "unauthorized", 403: "forbidden", 404: "not found", 410: "gone"}


class Wanted(NamedTuple):
    """A file that is asked for: its URL, headers, and the Authorization that its own host gets (empty: none).

    `pinned` says that its content is known, so that the way on which it comes does not matter.
    """

    url: str
    headers: Mapping[str, str]
    authorization: str = ""
    pinned: bool = False

    @property
    def shown(self) -> str:
        """The URL without the values of its query, which may be signatures."""
        return redact(self.url)

    @property
    def host(self) -> str:
        """The host as secrets are named after it."""
        return Origin.of(self.url).host


class Refusal(KezuriError):
    """An answer that is no file: `status` is what it says."""

    status = 0


class HttpExchange:
    """Asks over a transport, `tries` times at most; `cancel` ends the waiting."""

    def __init__(
        self, transport: Transport, cancel: threading.Event, clock: Clock | None = None, tries: int = 5
    ) -> None:
        self._transport = transport
        self._backoff = Backoff(clock or Clock())
        self._cancel = cancel
        self._tries = tries

    def get(self, wanted: Wanted, take: Callable[[Answer], _T]) -> _T:
        """What `take` makes of the answer, whose status is 200 to 299 or 304. When the connection breaks while it
        reads, it is called again with another answer. KezuriError when no answer comes."""
        try:
            host = wanted.host
        except ValueError:
            raise KezuriError.of(f"not a URL of a host: {wanted.shown}") from None
        patience = Patience(self._backoff, self._tries, self._cancel)
        try:
            while True:
                try:
                    self._backoff.ready(host, self._cancel)
                    answer, last = self._follow(wanted)
                    with answer:
                        if 200 <= answer.status < 300 or answer.status == 304:
                            return take(answer)
                        after = retry_after(answer.headers.get("retry-after"), self._backoff.clock.date())
                    if not passing(answer.status) or not patience.again(host, "", after):
                        raise refused(wanted, answer.status, Origin.of(last))
                except TransportError as error:
                    if not patience.again(host, error.kind):
                        raise unreachable(wanted, error) from None
        except Stopped:
            raise CalledOff from None

    def locate(self, url: str) -> str:
        """The URL at the end of all redirects. KezuriError when one of them leads where we must not go."""
        wanted = Wanted(url, {"Accept": "*/*"})
        try:
            answer, last = self._follow(wanted)
        except TransportError as error:
            raise unreachable(wanted, error) from None
        with answer:
            return last

    def _follow(self, wanted: Wanted) -> tuple[Answer, str]:
        headers = {**wanted.headers, **({"Authorization": wanted.authorization} if wanted.authorization else {})}
        terms = Terms("" if wanted.pinned else "it is not https; with --checksum that would not matter")
        return follow(self._transport, Request("GET", wanted.url, headers), terms)


def refused(wanted: Wanted, status: int, last: Origin) -> Refusal:
    """The error for an answer that is no file; `last` gave it, after redirects."""
    reason = f"{status} {_REASONS.get(status, '')}".strip()
    first = Origin.of(wanted.url)
    host = last.host
    if status in (401, 403) and not may_know(last, first):
        hint = f"{first} sends us there, and a secret for {first.host} does not go along: name the address itself"
    elif status in (401, 403):
        hint = f"a token is given with --secret id=HTTP_AUTH_TOKEN_{host},…; a whole Authorization header with "
        hint += f"--secret id=HTTP_AUTH_HEADER_{host},…"
        if wanted.authorization:
            hint = f"the secret that was given for {host} does not open it"
    elif status in (404, 410):
        hint = "is the address spelled right, and the file still there?"
    elif status == 407:
        hint = "the proxy wants a name and a password: put them into the proxy's URL"
    elif status == 429:
        hint = f"{host} limits how often it is asked: wait a while"
    elif status >= 500:
        hint = f"{host} is in trouble: try again later"
    else:
        hint = ""
    who = host if last == first else f"it is at {last} now, which"
    message = f"{wanted.shown} cannot be downloaded: {who} answers {reason}"
    refusal = Refusal(Diagnostic("error", message, hint=hint))
    refusal.status = status
    return refusal


def unreachable(wanted: Wanted, error: TransportError) -> KezuriError:
    """The error for a host that gives no whole answer."""
    hints = {
        "resolve": "is the host's name spelled right, and the network there?",
        "resolve-later": "is the network there?",
        "refused": "is the address right, and the server running?",
        "connect-timeout": "is the network there, or a proxy needed (HTTPS_PROXY)?",
        "certificate": "if your network or the server has its own certificate authority, name its PEM file in the "
        "`ca-certificates` setting",
        "handshake": "if it speaks plain HTTP, write http://",
        "proxy": "see HTTP_PROXY, HTTPS_PROXY and NO_PROXY",
        "url": "",
    }
    what = {
        "certificate": f"the certificate of {error.origin} is not trusted: {error.message}",
        "handshake": f"no TLS with {error.origin}: {error.message}",
    }.get(error.kind, f"{error.origin}: {error.message}")
    return KezuriError.of(
        f"{wanted.shown} cannot be downloaded: {what}",
        hint=hints.get(error.kind, "the network or the server is in trouble: try again later"),
    )
