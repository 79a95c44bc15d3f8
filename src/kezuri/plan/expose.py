"""EXPOSE: one word to the ports it names (the port specifications of docker, as BuildKit reads them)."""

from kezuri.diagnostics import KezuriError

_PROTOCOLS = ("tcp", "udp", "sctp")


def expand_port(word: str) -> list[str]:
    """`8000-8002/udp` as `8000/udp`, `8001/udp`, `8002/udp`; KezuriError when the word names no ports.

    The form `ip:host:container` is still understood; only the container's ports count.
    """
    rest, _, container = word.rpartition(":")
    address, _, host = rest.rpartition(":")
    ports, _, protocol = container.partition("/")
    protocol = protocol.lower() or "tcp"
    if not ports:
        raise KezuriError.of(f'invalid port: "{word}": no port specified', hint="write PORT or PORT/udp")
    if protocol not in _PROTOCOLS:
        raise KezuriError.of(f'invalid port: "{word}": invalid proto: {protocol}', hint="tcp, udp or sctp")
    if address:
        _check_address(address)
    start, end = _range(ports, f"invalid containerPort: {ports}")
    if host:
        low, high = _range(host, f"invalid hostPort: {host}")
        if end != start and high - low != end - start:
            raise KezuriError.of(f"invalid ranges specified for container and host Ports: {ports} and {host}")
    return [f"{port}/{protocol}" for port in range(start, end + 1)]


def _check_address(text: str) -> None:
    import ipaddress

    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        if "%" in bare:
            raise ValueError
        ipaddress.ip_address(bare)
    except ValueError:
        raise KezuriError.of(f"invalid IP address: {text}", hint="EXPOSE takes ports, not addresses") from None


def _range(text: str, message: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    start = _port(first, message)
    end = _port(last, message) if dash else start
    if end < start:
        raise KezuriError.of(message, hint=f"a range begins with its lowest port: {end}-{start}")
    return start, end


def _port(text: str, message: str) -> int:
    digits = text[1:] if text[:1] in ("+", "-") else text
    # Python refuses to read a number of more than 4300 digits.
    if not digits.isascii() or not digits.isdigit() or len(digits) > 4000 or not 0 <= int(text) <= 65535:
        raise KezuriError.of(message, hint="a port is a number from 0 to 65535")
    return int(text)
