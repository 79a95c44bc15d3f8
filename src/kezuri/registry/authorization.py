"""What we show to registries: grants, asked for when a registry demands them, kept while they hold, and renewed."""

import threading
from typing import NamedTuple

from kezuri.registry.challenge import (
    CLIENT,
    Challenge,
    Credential,
    Credentials,
    Grant,
    parse_challenges,
    preferred,
    read_grant,
    realm_refusal,
    refresh_form,
    token_url,
)
from kezuri.registry.failure import Failure, Refused, weigh
from kezuri.registry.origin import Origin
from kezuri.registry.redirects import Terms, follow
from kezuri.registry.retry import Patience
from kezuri.registry.scope import covers, in_order
from kezuri.registry.wire import Answer, Headers, Pace, Request, Transport, TransportError, pieces

_MOST = 64 << 10
"""Bytes of a token server's answer that are read."""
_NO_POST = (404, 405)
_FORM = "application/x-www-form-urlencoded"


class Demand(NamedTuple):
    """What a request needs a right for: the repository at `path` of a host, with `scopes`. `insecure` says that the
    host may do without TLS, `private` that it may send us to private addresses; `pace` is for asking a token server."""

    host: str
    path: str
    scopes: tuple[str, ...]
    insecure: bool
    private: bool
    pace: Pace


class Authorization:
    """The grants that were given to us. Threads may share it: those that were refused at the same time ask for one
    grant together."""

    def __init__(self, transport: Transport, credentials: Credentials, sign_in: bool = False) -> None:
        """With `sign_in` a token server is asked for an identity token along with the first token."""
        self._extra = (("offline_token", "true"), ("client_id", CLIENT)) if sign_in else ()
        self._transport = transport
        self._credentials = credentials
        self._grants: dict[tuple[str, str], list[Grant]] = {}
        self._renewed: dict[str, str] = {}
        self._lock = threading.Lock()
        self._asking: dict[str, threading.Lock] = {}

    def known(self, demand: Demand, now: float) -> Grant | None:
        """A grant that was given before, still holds, and suffices."""
        with self._lock:
            for grant in self._grants.get((demand.host, demand.path), ()):
                if now < grant.until and (grant.scopes is None or covers(grant.scopes, demand.scopes)):
                    return grant
        return None

    def obtain(
        self, demand: Demand, origin: Origin, refusal: Failure, used: Grant | None, patience: Patience
    ) -> Grant | None:
        """What a 401 from `origin` to a request with the grant `used` demands; None when there is nothing to get.
        Refused when a token server refuses us, TransportError when it is not to be reached or not to be asked."""
        with self._asking.setdefault(demand.host, threading.Lock()):
            now = self.known(demand, patience.backoff.clock.now())
            if now is not None and now != used:
                return now
            challenge = preferred(parse_challenges(refusal.headers.all("www-authenticate")))
            if challenge is None:
                return None
            # A mirror is somebody else: it never gets the credentials of the registry that it stands in for.
            credential = self._credentials.find(demand.host, demand.path)
            if challenge.scheme == "basic":
                grant = _basic(credential)
            elif credential is not None and credential.bearer:
                grant = Grant(f"Bearer {credential.bearer}", float("inf"), None, "", credential.source)
            else:
                grant = self._token(challenge, demand, origin, used, credential, patience)
            if grant is None or (used is not None and grant.header == used.header):
                return None
            self._keep(demand, grant, used, patience.backoff.clock.now())
            return grant

    def _keep(self, demand: Demand, grant: Grant, used: Grant | None, now: float) -> None:
        with self._lock:
            key = (demand.host, demand.path)
            others = (g for g in self._grants.get(key, ()) if g != used and now < g.until)
            self._grants[key] = [grant, *others]

    def _token(
        self,
        challenge: Challenge,
        demand: Demand,
        origin: Origin,
        used: Grant | None,
        credential: Credential | None,
        patience: Patience,
    ) -> Grant:
        insecure = demand.insecure or origin.scheme == "http"
        realm = challenge.get("realm")
        refusal = realm_refusal(realm, origin, insecure, demand.private)
        if refusal:
            raise TransportError(
                "url", origin.netloc, f"sends us to {realm[:200]!r} for a token, which is refused: {refusal}"
            )
        before = used.scopes if used is not None and used.scopes is not None else ()
        scopes = in_order(challenge.get("scope").split(), demand.scopes, before)
        terms = Terms("" if insecure else "it is not https", demand.private)
        source = ""
        secrets: tuple[str, ...] = ()
        if credential is not None:
            source = credential.source or "the given credentials"
            secrets = (credential.password, credential.identity, credential.basic().partition(" ")[2])
        try:
            grant = self._exchange(challenge, scopes, terms, credential, demand.pace, patience)
        except Refused as error:
            push = any("push" in scope for scope in scopes)
            raise Refused(error.failure.without(*secrets)._replace(account=source, push=push)) from None
        return grant._replace(scopes=scopes, source=source)

    def _exchange(
        self,
        challenge: Challenge,
        scopes: tuple[str, ...],
        terms: Terms,
        credential: Credential | None,
        pace: Pace,
        patience: Patience,
    ) -> Grant:
        """A token for what we have: an identity token, a name and a password, or nothing."""
        if credential is not None and credential.identity:
            identity = self._renewed.get(credential.identity, credential.identity)
            form = refresh_form(challenge, scopes, identity)
            headers = {"Content-Type": _FORM, "Content-Length": str(len(form))}
            realm = challenge.get("realm").partition("#")[0]
            try:
                grant = self._ask(Request("POST", realm, headers, form, pace), terms, patience)
            except Refused as error:
                if error.failure.status not in _NO_POST:
                    raise
            else:
                if grant.refresh:
                    self._renewed[credential.identity] = grant.refresh
                return grant
        headers = {"Authorization": credential.basic()} if credential is not None else {}
        return self._ask(
            Request("GET", token_url(challenge, scopes, self._extra), headers, None, pace), terms, patience
        )

    def _ask(self, request: Request, terms: Terms, patience: Patience) -> Grant:
        netloc = Origin.of(request.url).netloc
        while True:
            patience.backoff.ready(netloc, patience.stop)
            try:
                answer, final = self._send(request, terms)
                with answer:
                    if answer.status >= 300:
                        failure = Failure.read(request.method, final, answer)
                    else:
                        grant = read_grant(b"".join(pieces(answer, _MOST)), patience.backoff.clock.now())
                        if grant is not None:
                            return grant
                        failure = Failure(
                            request.method, final.partition("?")[0], answer.status, Headers(), (), "no token in it"
                        )
            except TransportError as error:
                if patience.again(netloc, error.kind):
                    continue
                raise
            weigh(failure, netloc, patience)

    def _send(self, request: Request, terms: Terms) -> tuple[Answer, str]:
        """Send the request. A form has a secret in it, which is for this server alone: redirects are not followed with
        it."""
        if request.body is not None:
            return self._transport.send(request), request.url
        return follow(self._transport, request, terms)


def _basic(credential: Credential | None) -> Grant | None:
    if credential is None or not credential.password:
        return None
    return Grant(credential.basic(), float("inf"), None, "", credential.source or "the given credentials")
