"""The one socket adapter: HTTP/1.1 under the transport door, over connections that are used again."""

import os
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from kezuri.diagnostics import KezuriError
from kezuri.registry.config import RegistryConfig
from kezuri.registry.origin import Origin
from kezuri.registry.proxy import headers_for, place_of, proxy_for, shown
from kezuri.registry.wire import Headers, Request, TransportError

if TYPE_CHECKING:
    from ssl import SSLContext

    from kezuri.registry.connection import Line
    from kezuri.registry.http import HttpConnection, Stream
    from kezuri.registry.tls import Tls

_AGENT = "kezuri"
_MOST_IDLE = 8
"""How many connections to one origin wait for another request."""
_Route = tuple[Origin, str]
"""An origin, and the URL of the proxy on the way there (empty: none)."""


class SocketAnswer:
    """An answer whose body is read from its connection."""

    def __init__(
        self, transport: "SocketTransport", route: _Route, connection: "HttpConnection", status: int, headers: Headers
    ) -> None:
        self._transport = transport
        self._route = route
        self._connection = connection
        self._line = connection.line
        self.status = status
        self.headers = headers

    def read(self, most: int) -> bytes:
        """At most `most` bytes, empty at the end; TransportError when the connection breaks or idles."""
        from kezuri.registry.http import Malformed

        try:
            piece = self._connection.read(most, self._line.idle)
        except TimeoutError:
            self._line.check()
            raise TransportError("timeout", self._line.origin, "nothing arrived for too long") from None
        except (Malformed, OSError, ValueError) as error:
            self._line.check()
            raise TransportError("cut", self._line.origin, f"the connection broke ({_reason(error)})") from None
        self._line.check()
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.give_back(self._route, self._connection)


class SocketTransport:
    """Speaks HTTP/1.1 over TCP and TLS 1.2 or later, through the proxies of the environment."""

    def __init__(self, config: RegistryConfig) -> None:
        self._config = config
        self._idle: dict[_Route, list[HttpConnection]] = {}
        self._lines: set[Line] = set()
        self._tls: Tls | None = None
        self._closed = False
        self._lock = threading.Lock()
        if config.ca_certificates and not os.path.isfile(config.ca_certificates):
            raise KezuriError.of(
                f"ca-certificates: {config.ca_certificates}: there is no such file",
                hint="name a file of certificates in PEM form",
                exit_code=2,
            )

    def send(self, request: Request) -> SocketAnswer:
        """The answer, its body unread; TransportError when there is none."""
        from kezuri.registry.connection import Line
        from kezuri.registry.http import Malformed, target_of

        origin = Origin.of(request.url)
        route = origin, proxy_for(origin, self._config.environment)
        pace = request.pace
        limit = min(pace.head, pace.whole or pace.head)
        line = Line(origin.netloc, limit, pace.idle)
        body = request.body
        pieces = line.carry(body) if body is not None and not isinstance(body, bytes) else None
        with self._lock:
            if self._closed:
                raise TransportError("cut", origin.netloc, "called off")
            self._lines.add(line)
        connection: HttpConnection | None = None
        try:
            connection = self._connection(route, line, min(self._config.connect_timeout, limit))
            connection.line = line
            headers = {"Host": origin.netloc, "User-Agent": _AGENT, "Accept-Encoding": "identity", **request.headers}
            target = target_of(request.url)
            if route[1] and origin.scheme == "http":
                target = f"{origin}{target}"
                headers |= headers_for(route[1])
            connection.request(request.method, target, headers, pieces if pieces is not None else body)
            head = connection.head(request.method, pace.idle if pieces is None else limit)
        except BaseException as error:
            if connection is not None:
                connection.close()
            self._release(line)
            if not isinstance(error, TransportError | Malformed | OSError | ValueError):
                raise
            line.check()
            raise _translate(error, *route) from None
        finally:
            if pieces is not None:
                pieces.close()
        if pieces is None and (pace.whole or head.status < 300):
            line.extend(pace.whole or float("inf"))
        return SocketAnswer(self, route, connection, head.status, head.headers)

    def give_back(self, route: _Route, connection: "HttpConnection") -> None:
        """An exchange is over: its connection is kept for the next one where that can be."""
        line = connection.line
        with self._lock:
            idle = self._idle.setdefault(route, [])
            keep = not self._closed and len(idle) < _MOST_IDLE and connection.reusable()
            if keep:
                idle.append(connection)
        if not keep:
            connection.close()
        self._release(line)

    def _release(self, line: "Line") -> None:
        with self._lock:
            self._lines.discard(line)
        line.close()

    def close(self) -> None:
        """Close every connection; what other threads wait for breaks off."""
        with self._lock:
            self._closed = True
            for line in self._lines:
                line.cut()
            for connections in self._idle.values():
                for connection in connections:
                    connection.close()
            self._idle.clear()

    def _connection(self, route: _Route, line: "Line", seconds: float) -> "HttpConnection":
        """A connection for the route that is there and free, or a new one, made within so many seconds."""
        while True:
            with self._lock:
                free = self._idle.get(route)
                found = free.pop() if free else None
            if found is None:
                whole = self._tls is not None and self._tls.whole
                try:
                    return self._connect(route, line, seconds)
                except OSError as error:
                    if whole or self._tls is None or not _is_distrust(error) or not self._tls.widen():
                        raise
                    return self._connect(route, line, seconds)
            if found.reusable():
                line.take(found.stream.fileno())
                return found
            found.close()

    def _connect(self, route: _Route, line: "Line", seconds: float) -> "HttpConnection":
        from kezuri.registry.connection import connect
        from kezuri.registry.http import HttpConnection

        origin, proxy = route
        # Settings that cannot be used are an error before anybody is asked.
        settings = self._settings(origin) if origin.scheme == "https" else None
        if not proxy:
            stream: Stream = connect(origin.host, origin.port, seconds, line)
            return HttpConnection(stream if settings is None else _secured(stream, settings, origin.host))
        place = place_of(proxy, origin)
        outer = self._settings(None) if place.scheme == "https" else None
        stream = connect(place.host, place.port, seconds, line)
        if outer is not None:
            try:
                stream = _secured(stream, outer, place.host)
            except OSError as error:
                if _is_distrust(error):
                    raise
                raise TransportError("proxy", origin.netloc, _reason(error)) from None
        connection = HttpConnection(stream)
        if settings is not None:
            connection.line = line
            _tunnel(connection, origin, proxy)
            connection = HttpConnection(_secured(stream, settings, origin.host))
        return connection

    def _settings(self, origin: Origin | None) -> "SSLContext":
        with self._lock:
            if self._tls is None:
                from kezuri.registry.tls import Tls

                self._tls = Tls(self._config)
        return self._tls.settings(origin)


def _secured(stream: "Stream", settings: "SSLContext", host: str) -> "Stream":
    from kezuri.registry.tls import secured

    return secured(stream, settings, host)


def _tunnel(connection: "HttpConnection", origin: Origin, proxy: str) -> None:
    """Have the proxy pass on what is said to the origin. TransportError when it does not."""
    place = origin.authority
    try:
        connection.request("CONNECT", place, {"Host": place, "User-Agent": _AGENT, **headers_for(proxy)}, None)
        head = connection.head("CONNECT", connection.line.idle)
    except BaseException:
        connection.close()
        raise
    if not 200 <= head.status < 300:
        connection.close()
        raise TransportError("proxy", origin.netloc, f"it answers {head.status} {head.reason}".rstrip())
    connection.tunnelled()


def _translate(error: Exception, origin: Origin, proxy: str) -> TransportError:
    """The TransportError for an error of sockets, TLS or HTTP."""
    through = f" (through the proxy {shown(proxy)})" if proxy else ""
    if isinstance(error, TransportError):
        if not proxy:
            return TransportError(error.kind, origin.netloc, error.message)
        if error.kind == "proxy":
            return TransportError("proxy", origin.netloc, f"{error.message}{through}")
        return TransportError("proxy", origin.netloc, f"the proxy {shown(proxy)} cannot be reached: {error.message}")
    if _is_distrust(error):
        return TransportError(
            "certificate", origin.netloc, f"{getattr(error, 'verify_message', '') or _reason(error)}{through}"
        )
    if type(error).__module__ == "ssl":
        return TransportError("handshake", origin.netloc, f"{_reason(error)}{through}")
    if isinstance(error, TimeoutError):
        return TransportError("timeout", origin.netloc, f"no answer for too long ({_reason(error)}){through}")
    return TransportError("cut", origin.netloc, f"the connection broke ({_reason(error)}){through}")


def _is_distrust(error: BaseException) -> bool:
    """Whether it is OpenSSL's word that a certificate is not to be trusted. It is asked by name, because who speaks
    plain HTTP has not loaded OpenSSL."""
    return type(error).__name__ == "SSLCertVerificationError"


def _reason(error: BaseException) -> str:
    """A short text for an error, without addresses of objects."""
    if type(error).__module__ == "ssl" and (reason := getattr(error, "reason", "")):
        return str(reason).lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    text = str(error.args[0]) if error.args else type(error).__name__
    return text[:120] if "0x" not in text else type(error).__name__
