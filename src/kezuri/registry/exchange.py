"""Requests that reach their answer: back-off, authorization, redirects; no socket of its own."""

import threading
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kezuri.registry.challenge import (
    Credentials,
    Grant,
    parse_challenges,
    preferred,
    read_grant,
    realm_refusal,
    token_url,
)
from kezuri.registry.config import Endpoint, RegistryConfig
from kezuri.registry.failure import Failure, Refused
from kezuri.registry.origin import Origin
from kezuri.registry.redirects import Hop, Terms, follow, trace
from kezuri.registry.retry import Patience, passing, retry_after
from kezuri.registry.wire import Answer, Headers, Pace, Request, Transport, TransportError

_TOKEN = 64 << 10
_GRANTS = 3
# The failures by which a server shows that it may speak http where https was tried, or the other way round.
_OTHER_SCHEME = ("handshake", "refused", "resolve", "connect-timeout", "proxy", "cut", "timeout", "late")


class Ask(NamedTuple):
    """A request to an endpoint: `path` is below `/v2/<repository>/`, `actions` are what is to be done there
    (`pull` or `pull,push`). The answer to one for a `document` is small: it has to be there whole within a time.

    `body` is read anew for every attempt. `at` is where an earlier answer led to, in the place of `path`. `also` are
    scopes of other repositories that are needed beside its own. One to be sent `once` is repeated for authorization
    only: the caller has to look first what became of it."""

    endpoint: Endpoint
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = {}  # read only
    actions: str = "pull"
    document: bool = True
    body: bytes | Iterable[bytes] | None = None
    at: Hop | None = None
    also: tuple[str, ...] = ()
    once: bool = False

    @property
    def scopes(self) -> tuple[str, ...]:
        """All scopes that a token needs for it, the repository's own first."""
        return (self.scope, *self.also)

    @property
    def scope(self) -> str:
        """The scope that a token needs for it."""
        return f"repository:{self.endpoint.path}:{self.actions}"


class Exchanges:
    """Carries requests out over a transport. What is learnt about a host (scheme, tokens) is kept for its life."""

    def __init__(self, transport: Transport, config: RegistryConfig, credentials: Credentials) -> None:
        self._transport = transport
        self._config = config
        self._credentials = credentials
        self._schemes: dict[str, str] = {}
        self._grants: dict[tuple[str, tuple[str, ...]], Grant] = {}
        self._lock = threading.Lock()
        self._authorizing: dict[str, threading.Lock] = {}

    def open(self, ask: Ask, patience: Patience) -> Answer:
        """The answer to a request, of a status below 300. Refused for the others, TransportError when there is none,
        in both cases after the repetitions that `patience` allows."""
        return self.reach(ask, patience)[0]

    def reach(self, ask: Ask, patience: Patience) -> tuple[Answer, Hop]:
        """As `open`, with the hop that answered."""
        host, granted = ask.endpoint.host, 0
        fresh: Grant | None = None
        while True:
            patience.backoff.ready(host, patience.stop)
            grant = self._grant(ask, patience)
            headers = dict(ask.headers) | ({"Authorization": grant.header} if grant else {})
            try:
                answer, hop = self._first(ask, headers)
            except TransportError as error:
                if not ask.once and patience.again(host, error.kind):
                    continue
                raise
            if answer.status < 300:
                return answer, hop
            origin = hop.first
            with answer:
                failure = Failure.read(ask.method, hop.url, answer)
            # A stranger that we were redirected to has no say in what we tell the registry.
            # A grant that is refused when it was given just now will be refused again.
            refused = grant is not None and grant == fresh
            if failure.status == 401 and not refused and granted < _GRANTS and Origin.of(hop.url) == origin:
                granted += 1
                fresh = self._authorize(ask, origin, failure, grant, patience)
                if fresh is not None:
                    continue
            if ask.once:
                raise Refused(failure)
            self._weigh(failure, host, patience)

    def _weigh(self, failure: Failure, host: str, patience: Patience) -> None:
        """Return when the request is to be sent again; Refused otherwise."""
        clock = patience.backoff.clock
        after = retry_after(failure.headers.get("retry-after"), clock.date())
        if not passing(failure.status, failure.codes) or not patience.again(host, "", after):
            raise Refused(failure)

    def _first(self, ask: Ask, headers: Mapping[str, str]) -> tuple[Answer, Hop]:
        """Send by the scheme that the host speaks, finding it out where two are allowed."""
        endpoint = ask.endpoint
        if ask.at is not None:
            return self._trace(ask, headers, ask.at)
        known = self._schemes.get(endpoint.host)
        schemes = (known,) if known in endpoint.schemes else endpoint.schemes
        trouble: TransportError | None = None
        for scheme in schemes:
            url = f"{scheme}://{endpoint.host}/v2/{endpoint.path}/{ask.path}"
            if endpoint.mirror_of:
                url += f"?ns={endpoint.mirror_of}"
            try:
                hop = Hop.begin(url)
            except ValueError:
                raise TransportError("url", endpoint.host, "not a host to speak to") from None
            try:
                answer, final = self._trace(ask, headers, hop)
            except TransportError as error:
                if error.origin != hop.first.netloc or error.kind not in _OTHER_SCHEME or scheme == schemes[-1]:
                    raise trouble if trouble is not None and error.kind == "refused" else error from None
                trouble = error
                continue
            if trouble is not None and answer.status == 400:
                # TLS servers answer plain HTTP with 400. So https was the right scheme, and why it failed is what the
                # user is told.
                with answer:
                    raise trouble
            self._schemes[endpoint.host] = scheme
            return answer, final
        raise AssertionError("an endpoint without schemes")

    def _pace(self, endpoint: Endpoint, document: bool) -> Pace:
        config = self._config
        whole = config.document_timeout if document else 0.0
        if endpoint.patient:
            return Pace(config.connect_timeout + config.idle_timeout, config.idle_timeout, whole)
        brisk = config.brisk_timeout
        return Pace(brisk, min(config.idle_timeout, 2 * brisk), min(whole, 2 * brisk))

    def terms(self, endpoint: Endpoint) -> Terms:
        """Where those who answer for an endpoint may send us."""
        plain = "" if endpoint.schemes[-1] == "http" else "it is not https"
        return Terms(plain, self._config.allow_private)

    def _trace(self, ask: Ask, headers: Mapping[str, str], hop: Hop) -> tuple[Answer, Hop]:
        pace = self._pace(ask.endpoint, ask.document)
        if ask.body is not None and not isinstance(ask.body, bytes):
            pace = pace.to_commit()
        request = Request(ask.method, hop.url, headers, ask.body, pace)
        return trace(self._transport, request, self.terms(ask.endpoint), hop)

    def _follow(
        self, method: str, url: str, headers: Mapping[str, str], insecure: bool, pace: Pace
    ) -> tuple[Answer, str]:
        terms = Terms("" if insecure else "it is not https", self._config.allow_private)
        return follow(self._transport, Request(method, url, headers, pace=pace), terms)

    def _grant(self, ask: Ask, patience: Patience) -> Grant | None:
        grant = self._grants.get((ask.endpoint.host, ask.scopes))
        return grant if grant is not None and patience.backoff.clock.now() < grant.until else None

    def _authorize(
        self, ask: Ask, origin: Origin, failure: Failure, used: Grant | None, patience: Patience
    ) -> Grant | None:
        """Get what a 401 demands; None when there is nothing to get. Threads that were refused together ask once."""
        key = (ask.endpoint.host, ask.scopes)
        with self._lock:
            lock = self._authorizing.setdefault(ask.endpoint.host, threading.Lock())
        with lock:
            now = self._grants.get(key)
            if now is not None and now != used and patience.backoff.clock.now() < now.until:
                return now
            challenge = preferred(parse_challenges(failure.headers.all("www-authenticate")))
            if challenge is None:
                return None
            # A mirror is somebody else: it never gets the credentials of the registry that it stands in for.
            credential = self._credentials.find(ask.endpoint.host, ask.endpoint.path)
            if challenge.scheme == "basic":
                if credential is None or (used is not None and used.header == credential.basic()):
                    return None
                self._grants[key] = Grant(credential.basic(), float("inf"))
                return self._grants[key]
            insecure = origin.scheme == "http" or ask.endpoint.schemes[-1] == "http"
            realm = challenge.get("realm")
            refusal = realm_refusal(realm, origin, insecure, self._config.allow_private)
            if refusal:
                raise TransportError(
                    "url", origin.netloc, f"sends us to {realm[:200]!r} for a token, which is refused: {refusal}"
                )
            headers = {"Authorization": credential.basic()} if credential else {}
            pace = self._pace(ask.endpoint, True)
            self._grants[key] = self._token(token_url(challenge, ask.scopes), headers, insecure, pace, patience)
            return self._grants[key]

    def _token(self, url: str, headers: Mapping[str, str], insecure: bool, pace: Pace, patience: Patience) -> Grant:
        netloc = Origin.of(url).netloc
        while True:
            patience.backoff.ready(netloc, patience.stop)
            try:
                answer, final = self._follow("GET", url, headers, insecure, pace)
                with answer:
                    if answer.status >= 400:
                        failure = Failure.read("GET", final, answer)
                    else:
                        body = b""
                        while len(body) < _TOKEN and (piece := answer.read(_TOKEN - len(body))):
                            body += piece
                        grant = read_grant(body, patience.backoff.clock.now())
                        if grant is not None:
                            return grant
                        failure = Failure(
                            "GET", final.partition("?")[0], answer.status, Headers(), (), "no token in it"
                        )
            except TransportError as error:
                if patience.again(netloc, error.kind):
                    continue
                raise
            self._weigh(failure, netloc, patience)
