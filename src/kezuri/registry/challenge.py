"""What a registry demands before it answers, and the requests that satisfy it (RFC 9110 §11.6.1; distribution spec,
"token authentication")."""

import re
import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from kezuri.registry.origin import Origin, is_metadata, is_private

CLIENT = "kezuri"
"""What we are called where a token server asks for a client."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER = re.compile(rf"\s*({_TOKEN.pattern})\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"=][^\s,\"]*)?)\s*")
_PRINTABLE = re.compile(r"[!-~]+\Z")


class Challenge(NamedTuple):
    """One challenge: its scheme in lower case, and its parameters, names in lower case."""

    scheme: str
    parameters: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str:
        """A parameter's value, or an empty text."""
        return next((v for k, v in self.parameters if k == name), "")


class Credential(NamedTuple):
    """Who we are to a registry: a name and a password, or in its place an `identity` token, which a token server takes
    for tokens, or a `bearer` token, which the registry takes as it is. `source` says where it was found. Its repr hides
    what is secret."""

    username: str
    password: str
    identity: str = ""
    bearer: str = ""
    source: str = ""

    def basic(self) -> str:
        """As the value of an Authorization header. An identity token goes in the password's place."""
        from base64 import b64encode

        return "Basic " + b64encode(octets(f"{self.username}:{self.identity or self.password}")).decode()

    def __repr__(self) -> str:
        return f"Credential(source={self.source!r})"


def octets(text: str) -> bytes:
    """A name or a password as bytes. Files hold bytes, and JSON texts, that are no UTF-8: whatever it is goes on."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def is_token(text: str) -> bool:
    """Whether the text can stand in a header or a form as it is."""
    return _PRINTABLE.match(text) is not None


class Credentials(Protocol):
    """Where credentials are found."""

    def find(self, host: str, path: str) -> Credential | None:
        """The credential for a repository of a registry (an empty path: for the registry), or None for anonymous
        access. It is asked for when a registry demands one, and not before."""
        ...


class Anonymous:
    """No credentials for anybody."""

    def find(self, host: str, path: str) -> Credential | None:
        """None."""
        return None


class Deferred:
    """Credentials that are made when the first one is demanded: most pulls need none."""

    def __init__(self, make: Callable[[], Credentials]) -> None:
        self._make = make
        self._made: Credentials | None = None
        self._lock = threading.Lock()

    def find(self, host: str, path: str) -> Credential | None:
        """What those find that are made now."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
        return self._made.find(host, path)


class Grant(NamedTuple):
    """An Authorization header and the time (of the clock it was granted by, in seconds) until which it holds. `scopes`
    is what it was asked for (None: it is good for everything), `refresh` a token for further ones that came with it,
    `source` where the credential behind it was found (empty: it is anonymous). Its repr hides what is secret."""

    header: str
    until: float
    scopes: tuple[str, ...] | None = None
    refresh: str = ""
    source: str = ""

    def __repr__(self) -> str:
        return f"Grant(until={self.until}, scopes={self.scopes}, source={self.source!r})"


def parse_challenges(values: Iterable[str]) -> list[Challenge]:
    """The challenges of WWW-Authenticate headers. What cannot be read ends the header that holds it."""
    found: list[Challenge] = []
    for value in values:
        at = 0
        while at < len(value):
            at = _skip(value, at)
            scheme = _TOKEN.match(value, at)
            if not scheme:
                break
            at = scheme.end()
            parameters: list[tuple[str, str]] = []
            while at < len(value):
                start = _skip(value, at)
                parameter = _PARAMETER.match(value, start)
                if not parameter or (parameter[2] is None and not parameter[3]):
                    break
                quoted = parameter[2]
                text = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else parameter[3] or ""
                parameters.append((parameter[1].lower(), text))
                at = parameter.end()
            found.append(Challenge(scheme[0].lower(), tuple(parameters)))
            after = re.match(r"[^,]*", value[at:])
            at += after.end() if after and not value[at:].lstrip().startswith(",") else 0
    return found


def preferred(challenges: Iterable[Challenge]) -> Challenge | None:
    """The challenge to answer: Bearer with a realm, else Basic, else none."""
    found = list(challenges)
    for scheme in ("bearer", "basic"):
        for challenge in found:
            if challenge.scheme == scheme and (scheme == "basic" or challenge.get("realm")):
                return challenge
    return None


def realm_refusal(realm: str, registry: Origin, insecure: bool, allow_private: bool) -> str:
    """Why a realm must not be asked for a token, or an empty text: it has to be https unless the registry itself may
    go without, and a public registry may not send us to a private address."""
    try:
        origin = Origin.of(realm)
    except ValueError:
        return "it is not an http or https URL"
    if origin.scheme != "https" and not insecure and origin != registry:
        return "it is not https"
    return private_refusal(origin, registry, allow_private)


def private_refusal(target: Origin, registry: Origin, allow_private: bool) -> str:
    """Why a registry may not send us to `target`, or an empty text."""
    if allow_private or not is_private(target.host) or (target.host, target.port) == (registry.host, registry.port):
        return ""
    if is_private(registry.host) and not is_metadata(target.host):
        return ""
    return "it is a private address"


def token_url(challenge: Challenge, scopes: Iterable[str], extra: Iterable[tuple[str, str]] = ()) -> str:
    """The URL that grants a token for these scopes."""
    from urllib.parse import urlencode

    query = [("service", challenge.get("service"))] if challenge.get("service") else []
    query += [*(("scope", scope) for scope in scopes), *extra]
    realm = challenge.get("realm").partition("#")[0]
    return realm + (("&" if "?" in realm else "?") + urlencode(query) if query else "")


def refresh_form(challenge: Challenge, scopes: Iterable[str], identity: str) -> bytes:
    """The form that gets a token for an identity token (distribution spec, "OAuth2 token authentication")."""
    from urllib.parse import urlencode

    fields = {
        "grant_type": "refresh_token",
        "service": challenge.get("service"),
        "client_id": CLIENT,
        "scope": " ".join(scopes),
        "refresh_token": identity,
    }
    return urlencode({name: value for name, value in fields.items() if value}).encode()


def read_grant(body: bytes, now: float) -> Grant | None:
    """The grant that a token server's answer holds, or None. A token lives for 60 s unless it says otherwise; it is
    renewed a little before."""
    import json

    try:
        raw = json.loads(body)
        token = raw.get("token") or raw.get("access_token")
        life = raw.get("expires_in") or 60
    except (ValueError, AttributeError, RecursionError):
        return None
    if not isinstance(token, str) or not is_token(token):
        return None
    refresh = raw.get("refresh_token")
    if not isinstance(refresh, str) or not is_token(refresh):
        refresh = ""
    seconds = float(life) if isinstance(life, int | float) and 0 < life < 1e9 else 60.0
    return Grant(f"Bearer {token}", now + max(seconds, 60.0) * 0.9, (), refresh)


def _skip(value: str, at: int) -> int:
    while at < len(value) and value[at] in ", \t":
        at += 1
    return at
