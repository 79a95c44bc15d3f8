"""Proxies from the environment, by the rules that curl and Go share."""

from collections.abc import Mapping

from kezuri.diagnostics import KezuriError
from kezuri.registry.origin import Origin, is_local, literal, split_host


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
            from ipaddress import ip_network

            try:
                if address is not None and address in ip_network(rule, strict=False):
                    return True
            except ValueError:
                pass
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
