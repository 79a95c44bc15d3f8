"""Requests that reach their answer: back-off, authorization, redirects; no socket of its own."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kezuri.registry.authorization import Authorization, Demand
from kezuri.registry.challenge import Credentials, Grant
from kezuri.registry.config import Endpoint, RegistryConfig
from kezuri.registry.failure import Failure, Refused, weigh
from kezuri.registry.origin import Origin, is_local, split_host
from kezuri.registry.redirects import Hop, Terms, trace
from kezuri.registry.retry import Patience
from kezuri.registry.wire import Answer, Pace, Request, Transport, TransportError

_GRANTS = 3
# The failures by which a server shows that it may speak http where https was tried, or the other way round.
_OTHER_SCHEME = ("handshake", "refused", "resolve", "connect-timeout", "proxy", "cut", "timeout", "late")


class Ask(NamedTuple):
    """A request to an endpoint: `path` is below `/v2/<repository>/`, `actions` are what is to be done there
    (`pull` or `pull,push`), and `others` the repositories of the same registry that are read from meanwhile, as for a
    blob that is mounted. The answer to one for a `document` is small: it has to be there whole within a time.

    `body` is read anew for every attempt. `at` is where an earlier answer led to, in the place of `path`. One to be
    sent `once` is repeated for authorization only: the caller has to look first what became of it."""

    endpoint: Endpoint
    path: str
    method: str = "GET"
    headers: Mapping[str, str] = {}  # read only
    actions: str = "pull"
    document: bool = True
    others: tuple[str, ...] = ()
    body: bytes | Iterable[bytes] | None = None
    at: Hop | None = None
    once: bool = False

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that a token needs for it; none for a request that is about no repository."""
        own = (f"repository:{self.endpoint.path}:{self.actions}",) if self.endpoint.path else ()
        return (*own, *(f"repository:{path}:pull" for path in self.others))


def _in_order(endpoint: Endpoint) -> tuple[str, ...]:
    """The schemes of an endpoint, the likely one first. Registries on this machine speak plain HTTP more often than
    not, and trying TLS means to load OpenSSL and every authority of the system."""
    if len(endpoint.schemes) > 1 and is_local(split_host(endpoint.host)[0]):
        return tuple(sorted(endpoint.schemes))
    return endpoint.schemes


def _telling(first: TransportError | None, last: TransportError, scheme: str) -> TransportError:
    """Of the errors of two schemes the one that tells what is wrong; `scheme` is the last one's."""
    if first is None:
        return last
    if scheme == "https":
        # Only who speaks TLS sends an alert, or a certificate that is not trusted.
        return last if last.kind == "certificate" or "alert" in last.message else first
    return first if last.kind == "refused" else last


class Exchanges:
    """Carries requests out over a transport. What is learnt about a host (scheme, tokens) is kept for its life."""

    def __init__(
        self, transport: Transport, config: RegistryConfig, credentials: Credentials, sign_in: bool = False
    ) -> None:
        """With `sign_in` token servers are asked for an identity token, too, to be kept in a password's place."""
        self._transport = transport
        self._config = config
        self._authorization = Authorization(transport, credentials, sign_in)
        self._schemes: dict[str, str] = {}

    def open(self, ask: Ask, patience: Patience) -> Answer:
        """The answer to a request, of a status below 300. Refused for the others, TransportError when there is none,
        in both cases after the repetitions that `patience` allows."""
        return self.reach(ask, patience)[0]

    def reach(self, ask: Ask, patience: Patience) -> tuple[Answer, Hop]:
        """As `open`, with the hop that answered."""
        host, granted = ask.endpoint.host, 0
        demand, now = self._demand(ask), patience.backoff.clock.now
        fresh: Grant | None = None
        while True:
            patience.backoff.ready(host, patience.stop)
            grant = self._authorization.known(demand, now())
            headers = dict(ask.headers) | ({"Authorization": grant.header} if grant else {})
            try:
                answer, hop = self._first(ask, headers)
            except TransportError as error:
                if not ask.once and patience.again(host, error.kind):
                    continue
                raise
            if answer.status < 300:
                return answer, hop
            with answer:
                failure = Failure.read(ask.method, hop.url, answer)._replace(push="push" in ask.actions)
            if grant is not None:
                failure = failure.without(*grant.header.split())._replace(account=grant.source)
            # A stranger that we were redirected to has no say in what we tell the registry.
            # A grant that is refused when it was given just now will be refused again.
            refused = grant is not None and grant == fresh and now() < grant.until
            if failure.status == 401 and not refused and granted < _GRANTS and Origin.of(hop.url) == hop.first:
                granted += 1
                fresh = self._authorization.obtain(demand, hop.first, failure, grant, patience)
                if fresh is not None:
                    continue
            if ask.once:
                raise Refused(failure)
            weigh(failure, host, patience)

    def granted(self, ask: Ask, patience: Patience) -> Grant | None:
        """What was granted for a request before; None for one that nothing was demanded for."""
        return self._authorization.known(self._demand(ask), patience.backoff.clock.now())

    def _demand(self, ask: Ask) -> Demand:
        endpoint = ask.endpoint
        insecure = endpoint.schemes[-1] == "http"
        private = self._config.may_be_private(endpoint.host)
        return Demand(endpoint.host, endpoint.path, ask.scopes, insecure, private, self._pace(endpoint, True))

    def _first(self, ask: Ask, headers: Mapping[str, str]) -> tuple[Answer, Hop]:
        """Send by the scheme that the host speaks, finding it out where two are allowed."""
        endpoint = ask.endpoint
        if ask.at is not None:
            return self._trace(ask, headers, ask.at)
        known = self._schemes.get(endpoint.host)
        schemes = (known,) if known in endpoint.schemes else _in_order(endpoint)
        trouble: TransportError | None = None
        for scheme in schemes:
            url = f"{scheme}://{endpoint.host}/v2/" + (f"{endpoint.path}/" if endpoint.path else "") + ask.path
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
                    raise _telling(trouble, error, scheme) from None
                trouble = error
                continue
            if answer.status == 400 and scheme == "http":
                # TLS servers answer plain HTTP with 400.
                if trouble is not None:
                    # So https was the right scheme, and why it failed is what the user is told.
                    with answer:
                        raise trouble
                if scheme != schemes[-1]:
                    with answer:
                        continue
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
        return Terms(plain, self._config.may_be_private(endpoint.host))

    def _trace(self, ask: Ask, headers: Mapping[str, str], hop: Hop) -> tuple[Answer, Hop]:
        pace = self._pace(ask.endpoint, ask.document)
        if ask.body is not None and not isinstance(ask.body, bytes):
            pace = pace.to_commit()
        request = Request(ask.method, hop.url, headers, ask.body, pace)
        return trace(self._transport, request, self.terms(ask.endpoint), hop)
