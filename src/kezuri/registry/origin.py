"""Origins: scheme, host and port of a URL, and which of them may be asked for what."""

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

_NETLOC = re.compile(r"(?:([A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?)|\[([0-9A-Fa-f:.]+)\])(?::([0-9]{1,5}))?\Z")
_PORTS = {"http": 80, "https": 443}
_METADATA = ("fd00:ec2::254", "100.100.100.200")
"""Addresses of credentials that are not link-local: AWS over IPv6, Alibaba Cloud."""
_TRANSLATED = 0x64_FF9B << 64
"""How 64:ff9b::/96 begins: behind it stands an IPv4 address that a gateway speaks to for us (RFC 6052)."""


class Origin(NamedTuple):
    """Whom a URL speaks to. `host` is lower-case, an IPv6 address without its brackets."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "Origin":
        """The origin of an http or https URL; ValueError for anything else, and for names and passwords in it:
        two parsers could read such a URL in two ways."""
        scheme, mark, rest = url.partition("://")
        scheme = scheme.lower()
        found = _NETLOC.match(re.split(r"[/?#]", rest, maxsplit=1)[0])
        if not mark or scheme not in _PORTS or not found or any(c <= " " or c in '\\\x7f"<>' for c in url):
            raise ValueError(url)
        port = int(found[3]) if found[3] else _PORTS[scheme]
        if not 0 < port < 65536:
            raise ValueError(url)
        return cls(scheme, (found[1] or found[2]).lower(), port)

    @property
    def authority(self) -> str:
        """`host:port`, with the port that its scheme has by itself, too."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def netloc(self) -> str:
        """`host[:port]` as it stands in a URL."""
        return self.authority if self.port != _PORTS[self.scheme] else self.authority.rpartition(":")[0]

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def split_host(text: str) -> tuple[str, str]:
    """Host and port (either may be empty) of `host[:port]` or `[v6][:port]`."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host.lower(), rest.removeprefix(":")
    host, _, port = text.partition(":")
    if ":" in port:
        return text.lower(), ""
    return host.lower(), port


def is_local(host: str) -> bool:
    """Whether the host is this machine by its very name: localhost, *.localhost, 127/8 or ::1."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = literal(name)
    return address is not None and address.is_loopback


def is_private(host: str) -> bool:
    """Whether the host is, by its very name, one that the public net does not reach."""
    address = literal(host)
    if address is None:
        return is_local(host)
    # An address that carriers share among their customers (100.64/10) is neither private nor global.
    return not address.is_global or address.is_loopback or address.is_link_local


def is_metadata(host: str) -> bool:
    """Whether the host is an address where clouds keep the machine's own credentials: a link-local one, or one of the
    few others."""
    address = literal(host)
    return address is not None and (address.is_link_local or str(address) in _METADATA)


def in_range(host: str, text: str) -> bool:
    """Whether the host is an address of a range such as `10.0.0.0/8`. What is no range has none."""
    from ipaddress import ip_network

    address = literal(host)
    try:
        return address is not None and address in ip_network(text, strict=False)
    except ValueError:
        return False


def literal(host: str) -> "IPv4Address | IPv6Address | None":
    """The address that a host is when it is no name, in every form that a resolver takes (`127.1` is one); or None."""
    if not host[:1].isdigit() and ":" not in host:
        return None
    from ipaddress import IPv4Address, IPv6Address, ip_address

    try:
        # A name server may be asked for a name that ends in a dot, and take it for the address.
        address = ip_address(host.partition("%")[0].removesuffix("."))
    except ValueError:
        if not re.fullmatch(r"[0-9a-fA-FxX.]+", host):
            return None
        import socket

        try:
            return IPv4Address(socket.inet_aton(host.removesuffix(".")))
        except OSError:
            return None
    if isinstance(address, IPv6Address):
        if int(address) >> 32 == _TRANSLATED:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address
