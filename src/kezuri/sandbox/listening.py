"""Published ports: sockets of this machine that listen for a step."""

import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from kezuri.diagnostics import KezuriError
from kezuri.sandbox.step import Port

if TYPE_CHECKING:
    from socket import socket

_TRIES = 20
"""How often a free number is asked for until both families have it."""


@contextmanager
def listening(ports: tuple[Port, ...]) -> Iterator[tuple[tuple[Port, ...], list[int]]]:
    """The ports as they are bound now, and the descriptor of each one's socket. KezuriError names one that is taken.

    A port without an address is bound for IPv4 and, where this machine has it, for IPv6; the host port 0 becomes a free
    one, the same for both.
    """
    if not ports:
        yield (), []
        return
    with ExitStack() as held:
        bound: list[Port] = []
        sockets: list[socket] = []
        for port in ports:
            for s in _open(port):
                held.enter_context(s)
                address, number = s.getsockname()[:2]
                bound.append(port._replace(address=address, host=number))
                sockets.append(s)
        yield tuple(bound), [s.fileno() for s in sockets]


def _open(port: Port) -> "list[socket]":
    if port.address:
        return [_bind(port)]
    for left in reversed(range(_TRIES)):
        first = _bind(port._replace(address="0.0.0.0"))
        number: int = first.getsockname()[1]
        try:
            return [first, _bind(port._replace(address="::", host=number))]
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT):
                return [first]  # a machine without IPv6
            first.close()
            if port.host or not left:
                raise _refusal(port._replace(address="::", host=number), error) from None
        except KezuriError:
            first.close()
            if port.host or not left:
                raise
    raise AssertionError("the last try returns or raises")


def _bind(port: Port) -> "socket":
    """A socket that listens there. KezuriError when it cannot, OSError where there is no such family."""
    import socket

    family = socket.AF_INET6 if ":" in port.address else socket.AF_INET
    kind = socket.SOCK_DGRAM if port.protocol == "udp" else socket.SOCK_STREAM
    s = socket.socket(family, kind | socket.SOCK_CLOEXEC)
    try:
        if family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if port.protocol == "tcp":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((port.address, port.host))
        if port.protocol == "tcp":
            s.listen(128)
        return s
    except OSError as error:
        s.close()
        if error.errno == errno.EADDRNOTAVAIL and port.address == "::":
            raise
        raise _refusal(port, error) from None


def _refusal(port: Port, error: OSError) -> KezuriError:
    hint = "choose another port, or stop the program that has it: ss -ltnp"
    if error.errno == errno.EACCES:
        hint = "ordinary users get ports from 1024 on (sysctl net.ipv4.ip_unprivileged_port_start)"
    address = f"[{port.address}]" if ":" in port.address else port.address
    return KezuriError.of(
        f"cannot publish port {address}:{port.host}/{port.protocol}: {error.strerror}", hint=hint, exit_code=125
    )
