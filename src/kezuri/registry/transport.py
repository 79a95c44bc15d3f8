"""The one socket adapter: urllib3 under the transport door."""

import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from kezuri.diagnostics import KezuriError
from kezuri.registry.config import RegistryConfig
from kezuri.registry.origin import Origin
from kezuri.registry.proxy import proxy_for
from kezuri.registry.wire import Headers, Request, TransportError, Trouble

if TYPE_CHECKING:
    import ssl

    from urllib3 import BaseHTTPResponse, PoolManager

    from kezuri.registry.connection import Line

_AGENT = "kezuri"


class SocketAnswer:
    """An answer that urllib3 reads from its connection."""

    def __init__(self, response: "BaseHTTPResponse", line: "Line", release: Callable[["Line"], None]) -> None:
        self._response = response
        self._line = line
        self._release = release
        self.status = response.status
        self.headers = Headers(response.headers.iteritems())

    def read(self, most: int) -> bytes:
        """At most `most` bytes, empty at the end; TransportError when the connection breaks or idles."""
        import urllib3

        try:
            piece = self._response.read1(most, decode_content=False) or b""
        except urllib3.exceptions.ReadTimeoutError:
            self._line.check()
            raise TransportError("timeout", self._line.origin, "nothing arrived for too long") from None
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            self._line.check()
            raise TransportError("cut", self._line.origin, f"the connection broke ({_reason(error)})") from None
        self._line.check()
        return piece

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A connection whose body was read to its end has gone back to the pool by itself; any other is not reused.
        self._response.close()
        self._response.release_conn()
        self._release(self._line)


class SocketTransport:
    """Speaks HTTP/1.1 over TCP and TLS 1.2 or later, through the proxies of the environment."""

    def __init__(self, config: RegistryConfig) -> None:
        self._config = config
        self._managers: dict[tuple[Origin, str], PoolManager] = {}
        self._contexts: dict[tuple[bool, str], ssl.SSLContext] = {}
        self._lines: set[Line] = set()
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
        import urllib3

        from kezuri.registry.connection import Line

        origin = Origin.of(request.url)
        proxy = proxy_for(origin, self._config.environment)
        manager = self._manager(origin, proxy)
        pace = request.pace
        head = min(pace.head, pace.whole or pace.head)
        line = Line(origin.netloc, head, pace.idle)
        body = request.body
        streams = line.carry(body) if body is not None and not isinstance(body, bytes) else None
        with self._lock:
            if self._closed:
                raise TransportError("cut", origin.netloc, "called off")
            self._lines.add(line)
        try:
            with line:
                response = manager.request(
                    request.method,
                    request.url,
                    body=streams if streams is not None else body,
                    headers={"User-Agent": _AGENT, **request.headers},
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    decode_content=False,
                    timeout=urllib3.Timeout(
                        connect=min(self._config.connect_timeout, head), read=head if streams is not None else pace.idle
                    ),
                )
        except BaseException as error:
            self._release(line)
            if not isinstance(error, TransportError | urllib3.exceptions.HTTPError | OSError | ValueError):
                raise
            line.check()
            raise _translate(error, origin, proxy) from None
        finally:
            if streams is not None:
                streams.close()
        if streams is None and (pace.whole or response.status < 300):
            line.extend(pace.whole or float("inf"))
        return SocketAnswer(response, line, self._release)

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
            for manager in self._managers.values():
                manager.clear()
            self._managers.clear()

    def _manager(self, origin: Origin, proxy: str) -> "PoolManager":
        with self._lock:
            manager = self._managers.get((origin, proxy))
            if manager is None:
                manager = self._managers[origin, proxy] = self._new_manager(origin, proxy)
            return manager

    def _new_manager(self, origin: Origin, proxy: str) -> "PoolManager":
        import urllib3

        from kezuri.registry.connection import PlainPool, SecurePool

        settings: dict[str, Any] = {"num_pools": 2, "maxsize": 8, "block": False}
        if origin.scheme == "https":
            settings["ssl_context"] = self._context(origin)
        manager: urllib3.PoolManager
        if proxy:
            secret = proxy.partition("://")[2].rpartition("@")[0]
            headers = {}
            if secret:
                from urllib.parse import unquote

                headers = urllib3.make_headers(proxy_basic_auth=unquote(secret))
            if proxy.lower().startswith("https:"):
                settings["proxy_ssl_context"] = self._context(None)
            try:
                manager = urllib3.ProxyManager(proxy, proxy_headers=headers, **settings)
            except ValueError:
                raise KezuriError.of(
                    f"the proxy for {origin} is not a URL: {_shown(proxy)!r}",
                    hint=f"see {origin.scheme.upper()}_PROXY",
                    exit_code=2,
                ) from None
        else:
            manager = urllib3.PoolManager(**settings)
        manager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
        return manager

    def _context(self, origin: Origin | None) -> "ssl.SSLContext":
        """The TLS settings for an origin (None: a proxy): the system's authorities, our own, and those in certs.d."""
        import ssl

        from kezuri.registry.connection import SecureSocket

        verify = origin is None or self._config.verifies(origin)
        directory = self._certificates(origin) if origin else ""
        context = self._contexts.get((verify, directory))
        if context is not None:
            return context
        try:
            # SSL_CERT_FILE and SSL_CERT_DIR replace the system's store here, as everywhere in Python.
            context = ssl.create_default_context()
            context.sslsocket_class = SecureSocket
        except OSError as error:
            raise KezuriError.of(f"cannot read the system's certificates: {error}", exit_code=125) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if verify and self._config.ca_certificates:
            _trust(context, self._config.ca_certificates, "ca-certificates")
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if directory:
            for name in sorted(os.listdir(directory)):
                path = os.path.join(directory, name)
                if name.endswith(".crt"):
                    _trust(context, path, "certificate")
                elif name.endswith(".cert"):
                    _identify(context, path, path[:-5] + ".key")
        self._contexts[verify, directory] = context
        return context

    def _certificates(self, origin: Origin) -> str:
        if self._config.certificates:
            return self._config.certificates
        for base in self._config.certificate_directories:
            for name in dict.fromkeys((origin.netloc, f"{origin.host}:{origin.port}")):
                if os.path.isdir(path := os.path.join(base, name)):
                    return path
        return ""


def _trust(context: "ssl.SSLContext", path: str, what: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except OSError as error:
        # OpenSSL's own errors are OSErrors of a subclass, with a text for its developers.
        why = error.strerror if type(error).__module__ == "builtins" else "not a file of certificates in PEM form"
        raise KezuriError.of(
            f"{what}: {path}: {why}",
            hint="it must hold certificates between BEGIN CERTIFICATE and END CERTIFICATE lines",
            exit_code=2,
        ) from None


def _identify(context: "ssl.SSLContext", path: str, key: str) -> None:
    try:
        context.load_cert_chain(path, key)
    except OSError as error:
        why = error.strerror if type(error).__module__ == "builtins" else "not a certificate in PEM form with its key"
        raise KezuriError.of(
            f"client certificate {path}: {why} (its key is {key})",
            exit_code=2,
        ) from None


def _translate(error: Exception, origin: Origin, proxy: str) -> TransportError:
    """urllib3's failures in the door's words."""
    import ssl

    import urllib3

    if isinstance(error, TransportError):
        if proxy:
            why = f"the proxy {_shown(proxy)} cannot be reached: {error.message}"
            return TransportError("proxy", origin.netloc, why)
        return TransportError(error.kind, origin.netloc, error.message)
    if isinstance(error, urllib3.exceptions.LocationValueError):
        return TransportError("url", origin.netloc, "not a host to speak to")
    through = f" (through the proxy {_shown(proxy)})" if proxy else ""
    cause: BaseException | None = error
    chain: list[BaseException] = []
    while cause is not None and len(chain) < 8:
        chain.append(cause)
        inner = cause.args[0] if cause.args and isinstance(cause.args[0], BaseException) else None
        cause = getattr(cause, "original_error", None) or inner or cause.__cause__ or cause.__context__
    kind: Trouble
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return TransportError("certificate", origin.netloc, f"{link.verify_message or link.reason}{through}")
    if any(isinstance(link, urllib3.exceptions.ProxyError) for link in chain):
        return TransportError("proxy", origin.netloc, f"{_reason(chain[-1])}{through}")
    if any(isinstance(link, ssl.SSLError | urllib3.exceptions.SSLError) for link in chain):
        tls = next((link for link in chain if isinstance(link, ssl.SSLError)), chain[-1])
        return TransportError("handshake", origin.netloc, f"{_reason(tls)}{through}")
    kind, words = "cut", "the connection broke"
    if any(isinstance(link, urllib3.exceptions.ReadTimeoutError | TimeoutError) for link in chain):
        kind, words = "timeout", "no answer for too long"
    return TransportError(kind, origin.netloc, f"{words} ({_reason(chain[-1])}){through}")


def _reason(error: BaseException) -> str:
    """A short text for an error, without addresses of objects."""
    import ssl
    from http.client import BadStatusLine

    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    if type(error) is BadStatusLine:
        return "what answers does not speak HTTP"
    text = str(error.args[0]) if error.args else type(error).__name__
    return text[:120] if "0x" not in text else type(error).__name__


def _shown(proxy: str) -> str:
    """A proxy's URL without name and password."""
    scheme, _, rest = proxy.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
