"""TLS: which authorities are believed for which origin, who we say we are, and connections made of sockets.

Imported when https is spoken: it brings OpenSSL.
"""

import os
import socket
import ssl
import threading
from collections.abc import Callable
from typing import TypeVar

from kezuri.diagnostics import KezuriError
from kezuri.registry.config import RegistryConfig
from kezuri.registry.http import Stream
from kezuri.registry.origin import Origin

_PIECE = 64 << 10
_T = TypeVar("_T")


class Tls:
    """The settings of TLS as the configuration wants them, for each origin. Threads may share it."""

    def __init__(self, config: RegistryConfig) -> None:
        self._config = config
        self._contexts: dict[tuple[bool, str], ssl.SSLContext] = {}
        self.whole = False
        """Whether every authority of the system is trusted that can be: see `widen`."""
        self._lock = threading.Lock()

    def widen(self) -> bool:
        """After a certificate was not trusted: from now on trust all authorities of the system, also those in the file
        that was passed over so far (see `_trust_system`). False where nothing was passed over."""
        with self._lock:
            if not self.whole and _directory_of_hashes():
                self.whole = True
                self._contexts.clear()
            return self.whole

    def settings(self, origin: Origin | None) -> ssl.SSLContext:
        """Those for an origin (None: a proxy): the system's authorities, our own, and those in certs.d. KezuriError
        when certificates of this machine cannot be used."""
        with self._lock:
            return self._context(origin)

    def _context(self, origin: Origin | None) -> ssl.SSLContext:
        verify = origin is None or self._config.verifies(origin)
        directory = self._certificates(origin) if origin else ""
        context = self._contexts.get((verify, directory))
        if context is not None:
            return context
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        if verify:
            self._trust_system(context)
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

    def _trust_system(self, context: ssl.SSLContext) -> None:
        """Trust the authorities of the system. SSL_CERT_FILE and SSL_CERT_DIR replace them, as everywhere in Python.

        Reading the file with all of them takes 20 ms. In a directory where they have their hashes as names, OpenSSL
        looks for the one that it needs.
        """
        directory = "" if self.whole else _directory_of_hashes()
        try:
            if directory:
                context.load_verify_locations(capath=directory)
            else:
                context.load_default_certs()
        except OSError as error:
            raise KezuriError.of(f"cannot read the system's certificates: {error}", exit_code=125) from None

    def _certificates(self, origin: Origin) -> str:
        if self._config.certificates:
            return self._config.certificates
        for base in self._config.certificate_directories:
            for name in dict.fromkeys((origin.netloc, f"{origin.host}:{origin.port}")):
                if os.path.isdir(path := os.path.join(base, name)):
                    return path
        return ""


def _directory_of_hashes() -> str:
    """The directory in which OpenSSL finds the system's authorities by their hashes; empty where there is none."""
    directory = ssl.get_default_verify_paths().capath or ""
    try:
        with os.scandir(directory or "/nonexistent") as entries:
            hashed = any(len(entry.name) == 10 and entry.name.endswith(".0") for entry in entries)
    except OSError:
        return ""
    return directory if hashed else ""


def secured(stream: Stream, settings: ssl.SSLContext, host: str) -> Stream:
    """TLS over a connection, with the handshake done. OSError, and the connection closed, when it does not come
    about."""
    try:
        if isinstance(stream, ssl.SSLSocket):
            return TlsWithinTls(stream, settings, host)
        assert isinstance(stream, socket.socket)
        return settings.wrap_socket(stream, server_hostname=host)
    except BaseException:
        stream.close()
        raise


class TlsWithinTls:
    """TLS to an origin through a proxy that is spoken to by TLS itself: OpenSSL works on memory here, because it would
    write past the outer connection if it had the socket."""

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext, host: str) -> None:
        self._outer = outer
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=host)
        self._through(self._tls.do_handshake)

    def _through(self, act: Callable[[], _T]) -> _T:
        """What `act` gives when OpenSSL has got all the bytes that it wants, and sent those that it has."""
        while True:
            try:
                given = act()
            except ssl.SSLWantReadError:
                self._flush()
                piece = self._outer.recv(_PIECE)
                if piece:
                    self._in.write(piece)
                else:
                    self._in.write_eof()
                continue
            self._flush()
            return given

    def _flush(self) -> None:
        if data := self._out.read():
            self._outer.sendall(data)

    def settimeout(self, value: float | None, /) -> None:
        """As a socket's."""
        self._outer.settimeout(value)

    def recv(self, most: int, /) -> bytes:
        """As a socket's."""
        try:
            return self._through(lambda: self._tls.read(most))
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""

    def send(self, data: bytes | memoryview, /) -> int:
        """As a socket's."""
        piece = data[:_PIECE]
        return self._through(lambda: self._tls.write(piece))

    def fileno(self) -> int:
        """As a socket's."""
        return self._outer.fileno()

    def close(self) -> None:
        """As a socket's."""
        self._outer.close()


def _trust(context: ssl.SSLContext, path: str, what: str) -> None:
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


def _identify(context: ssl.SSLContext, path: str, key: str) -> None:
    def passphrase() -> str:
        # OpenSSL would ask for it on the terminal, in the middle of a build.
        raise KezuriError.of(
            f"client certificate {path}: its key {key} has a passphrase",
            hint="keep the key without one, readable by you alone: openssl pkey -in KEY -out NEW",
            exit_code=2,
        )

    try:
        context.load_cert_chain(path, key, passphrase)
    except OSError as error:
        why = error.strerror if type(error).__module__ == "builtins" else "not a certificate in PEM form with its key"
        raise KezuriError.of(
            f"client certificate {path}: {why} (its key is {key})",
            exit_code=2,
        ) from None
