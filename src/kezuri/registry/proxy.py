"""Proxies from the environment, by the rules that curl and Go share: which is used, and what its URL says."""

from collections.abc import Mapping

from kezuri.diagnostics import KezuriError
from kezuri.registry.origin import Origin, in_range, is_local, literal, split_host


def proxy_for(origin: Origin, environment: Mapping[str, str]) -> str:
    """The URL of the proxy for an origin, or an empty text. Lower-case variables win. KezuriError for a kind of proxy
    that is not supported. This machine itself is never asked for through a proxy."""
    if is_local(origin.host):
        return ""
    names = (f"{origin.scheme}_proxy", "all_proxy")
    proxy = next((v for n in names if (v := _variable(n, environment))), "")
    if not proxy or _bypassed(origin, _variable("no_proxy", environment)):
        return ""
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.lower().startswith(("http://", "https://")):
        raise KezuriError.of(
            f"a proxy of kind {proxy.partition('://')[0]!r} is not supported",
            hint=f"an http:// or https:// proxy in {names[0].upper()} is, and NO_PROXY={origin.host} does without one",
            exit_code=125,
        )
    return proxy


def place_of(proxy: str, origin: Origin) -> Origin:
    """Where a proxy is; KezuriError for a URL that does not say it."""
    scheme, _, rest = proxy.partition("://")
    try:
        return Origin.of(f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}")
    except ValueError:
        raise KezuriError.of(
            f"the proxy for {origin} is not a URL: {shown(proxy)!r}",
            hint=f"see {origin.scheme.upper()}_PROXY",
            exit_code=2,
        ) from None


def headers_for(proxy: str) -> dict[str, str]:
    """The name and password that stand in the proxy's URL, as the proxy wants them."""
    secret = proxy.partition("://")[2].partition("/")[0].rpartition("@")[0]
    if not secret:
        return {}
    from base64 import b64encode
    from urllib.parse import unquote

    return {"Proxy-Authorization": f"Basic {b64encode(unquote(secret).encode()).decode()}"}


def shown(proxy: str) -> str:
    """A proxy's URL without name and password."""
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _variable(name: str, environment: Mapping[str, str]) -> str:
    low = environment.get(name, "")
    # A CGI server passes a request's `Proxy:` header as HTTP_PROXY.
    if low or (name == "http_proxy" and "REQUEST_METHOD" in environment):
        return low
    return environment.get(name.upper(), "")


def _bypassed(origin: Origin, rules: str) -> bool:
    address = literal(origin.host)
    for rule in rules.replace(",", " ").lower().split():
        if rule == "*":
            return True
        if "/" in rule:
            if in_range(origin.host, rule):
                return True
            continue
        name, port = split_host(rule)
        if port and port != str(origin.port):
            continue
        if address is not None:
            if literal(name) == address:
                return True
            continue
        suffix = name.removeprefix("*")
        if origin.host == suffix or origin.host.endswith(suffix if suffix.startswith(".") else f".{suffix}"):
            return True
    return False
