"""EXPOSE: one word to the ports it names (go-connections' nat.ParsePortSpec, which BuildKit uses)."""

from kezuri.diagnostics import KezuriError

_PROTOCOLS = ("tcp", "udp", "sctp")


def expand_port(word: str) -> list[str]:
    """`8000-8002/udp` as `8000/udp`, `8001/udp`, `8002/udp`; KezuriError when the word names no ports.

    The form `ip:host:container` is still understood; only the container's ports count.
    """
    rest, _, protocol = word.partition("/")
    protocol = protocol.lower() or "tcp"
    if protocol not in _PROTOCOLS or ("/" in word and not word.partition("/")[2]):
        raise KezuriError.of(f"invalid proto: {protocol}", hint="tcp, udp or sctp")
    container = rest.rpartition(":")[2]
    first, dash, last = container.partition("-")
    start, end = _port(first, word), _port(last, word) if dash else _port(first, word)
    if end < start:
        raise KezuriError.of(f"invalid range specified for the container port: {word}")
    host = rest.rpartition(":")[0].rpartition(":")[2]
    if host:
        low, dash, high = host.partition("-")
        _port(low, word)
        if dash:
            _port(high, word)
    return [f"{port}/{protocol}" for port in range(start, end + 1)]


def _port(text: str, word: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise KezuriError.of(f"invalid containerPort: {word}", hint="a port is a number from 0 to 65535")
    return int(text)
