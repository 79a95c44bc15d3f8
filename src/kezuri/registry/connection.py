"""Connections: names are looked up, sockets connected, and what a request waits for ends in time or when it is cut.

Imported when there is something to ask: it brings sockets.
"""

import socket
import threading
from collections.abc import Generator, Iterable
from time import monotonic
from typing import Any

from kezuri.registry.wire import TransportError

_PER_ADDRESS = 3.0
_LOOK = 0.1
"""Seconds between two looks at whether a line was cut, while a name server is waited for."""


class Line:
    """What one request waits for, seen from outside: it is over after so many `seconds`, and another thread can cut it.

    A socket's own timeout is for one call, which a peer that sends a byte now and then never lets run out. So every
    read of a connection asks the line how much time is left. `cut` shuts the connection down by a descriptor of
    the line's own, because the socket's may be closed, and its number taken by another file, at any moment.
    """

    def __init__(self, origin: str, seconds: float, idle: float) -> None:
        self.origin = origin
        self.idle = idle
        self._seconds = seconds
        self._began = monotonic()
        self._end = self._began + seconds
        self._lock = threading.Lock()
        self._own: socket.socket | None = None
        self._cut = False

    def take(self, descriptor: int) -> None:
        """The request goes over the connection of this socket from now on."""
        own = socket.socket(fileno=socket.dup(descriptor))
        with self._lock:
            before, self._own = self._own, own
            if self._cut:
                _shut(own)
        if before is not None:
            before.close()

    def cut(self) -> None:
        """End what the request waits for, now."""
        with self._lock:
            self._cut = True
            if self._own is not None:
                _shut(self._own)

    def extend(self, seconds: float) -> None:
        """The request may take so long in all; infinity for as long as it likes."""
        self._seconds = seconds
        self._end = self._began + seconds

    def carry(self, body: Iterable[bytes]) -> Generator[bytes]:
        """The pieces of a body on their way out. The time of the line begins anew with each of them, because a body
        takes as long as it takes; that none of them stands still is seen to by `idle`. To be closed, so that what the
        body is read from is closed when the request is over, however it ended."""
        pieces = iter(body)
        try:
            for piece in pieces:
                self.check()
                yield piece
                self._began = monotonic()
                self._end = self._began + self._seconds
        finally:
            if isinstance(pieces, Generator):
                pieces.close()

    def rest(self, idle: float | None) -> float | None:
        """How long the next read may wait, in seconds, where `idle` is what it may by itself. TimeoutError when the
        time is over."""
        if self._end == float("inf"):
            return idle
        rest = self._end - monotonic()
        if rest <= 0:
            raise TimeoutError
        return rest if idle is None else min(idle, rest)

    def check(self) -> None:
        """TransportError when the line was cut or its time is over."""
        if self._cut:
            raise TransportError("cut", self.origin, "called off")
        if monotonic() >= self._end:
            raise TransportError("late", self.origin, f"no whole answer within {self._seconds:.3g} s")

    def close(self) -> None:
        """The request is done."""
        with self._lock:
            if self._own is not None:
                self._own.close()
                self._own = None


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # not connected any more


def resolve(host: str, port: int, seconds: float, line: Line | None = None) -> list[tuple[Any, ...]]:
    """The addresses of a host as getaddrinfo gives them, waiting no longer than so many seconds: a name server that
    does not answer would otherwise cost half a minute. TransportError when there are none."""
    found: list[tuple[Any, ...]] = []
    failed: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            # As bytes it is taken as it is: for a text Python loads the tables of international names.
            name = host.encode() if host.isascii() else host
            found.extend(socket.getaddrinfo(name, port, 0, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failed.append(error)

    origin = f"{host}:{port}"
    thread = threading.Thread(target=ask, daemon=True, name="resolve")
    thread.start()
    end = monotonic() + seconds
    while thread.is_alive() and (rest := end - monotonic()) > 0:
        thread.join(min(rest, _LOOK))
        if line is not None:
            line.check()
    if found:
        return found
    if not failed:
        raise TransportError("resolve", origin, "the name server does not answer")
    again = isinstance(failed[0], socket.gaierror) and failed[0].errno == socket.EAI_AGAIN
    why = failed[0].strerror if isinstance(failed[0], OSError) else ""
    raise TransportError(
        "resolve-later" if again else "resolve", origin, f"the name does not resolve ({why or 'not a host name'})"
    )


def connect(host: str, port: int, seconds: float, line: Line | None = None) -> socket.socket:
    """A connected socket within so many seconds over all addresses of the host, so that one dead address family
    does not use them up alone. TransportError when nobody answers, or the line is cut."""
    end = monotonic() + seconds
    addresses = resolve(host.strip("[]"), port, seconds, line)
    trouble: OSError = TimeoutError()
    for i, (family, kind, protocol, _, address) in enumerate(addresses):
        rest = end - monotonic()
        if rest <= 0:
            break
        try:
            sock = socket.socket(family, kind, protocol)
        except OSError as error:
            trouble = error
            continue
        try:
            if line is not None:
                line.take(sock.fileno())
            sock.settimeout(rest if i == len(addresses) - 1 else min(rest, _PER_ADDRESS))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.connect(address)
            sock.settimeout(seconds)
            return sock
        except OSError as error:
            sock.close()
            trouble = error
        except BaseException:
            sock.close()
            raise
        if line is not None:
            line.check()
    origin = f"{host}:{port}"
    if isinstance(trouble, TimeoutError):
        raise TransportError("connect-timeout", origin, f"no answer within {seconds:g} s")
    raise TransportError("refused", origin, (trouble.strerror or "cannot connect").lower())
