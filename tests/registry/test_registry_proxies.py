"""Registries behind proxies: plain, through a tunnel, and through a tunnel of a proxy that speaks TLS itself."""

import socket
import ssl
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kezuri.diagnostics import KezuriError
from kezuri.registry import RegistryConfig
from kezuri.registry.transport import SocketTransport
from kezuri.registry.wire import Request, TransportError

pytestmark = pytest.mark.slow

BODY = b"0123456789abcdef" * 40_000


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A certificate with its key, of registry.test and of this machine, which signs itself."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=registry.test", "-addext", "subjectAltName=DNS:registry.test,IP:127.0.0.1",
         "-keyout", f"{path}.key", "-out", f"{path}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(Path(f"{path}.key").read_bytes() + Path(f"{path}.crt").read_bytes())
    return str(path)


class House:
    """A server that is a proxy and, at the end of a tunnel, a registry; `heads` are the requests that it got."""

    def __init__(self, certificate: str, secure: bool, answer: bytes = b"HTTP/1.1 200 Go on\r\n\r\n") -> None:
        self.heads: list[bytes] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._secure = secure
        self._answer = answer

    @contextmanager
    def open(self) -> Iterator[str]:
        """Where it is, host and port."""

        def accept() -> None:
            while True:
                try:
                    peer, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=accept, daemon=True).start()
            yield f"127.0.0.1:{listener.getsockname()[1]}"
            listener.shutdown(socket.SHUT_RDWR)

    def _serve(self, peer: socket.socket) -> None:
        try:
            with self._context.wrap_socket(peer, server_side=True) if self._secure else peer as outer:
                if not self._head(outer).startswith(b"CONNECT"):
                    self._give(outer)
                    return
                outer.sendall(self._answer)
                if not self._answer.startswith(b"HTTP/1.1 200"):
                    return
                near, far = socket.socketpair()
                threading.Thread(target=self._carry, args=(outer, near), daemon=True).start()
                threading.Thread(target=self._carry, args=(near, outer), daemon=True).start()
                with self._context.wrap_socket(far, server_side=True) as inner:
                    while self._head(inner):
                        self._give(inner)
        except OSError:
            pass

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _head(self, peer: socket.socket) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = peer.recv(1)
            if not piece:
                return b""
            head += piece
        self.heads.append(head)
        return head

    def _give(self, peer: socket.socket) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)


def fetch(transport: SocketTransport, url: str) -> bytes:
    got = bytearray()
    with transport.send(Request("GET", url, {})) as answer:
        assert answer.status == 200
        while piece := answer.read(100_000):
            got += piece
    return bytes(got)


def transport_of(certificate: str, **environment: str) -> SocketTransport:
    return SocketTransport(RegistryConfig(environment=environment, ca_certificates=certificate))


SECRET = b"Proxy-Authorization: Basic " + b64encode(b"us er:p@ss") + b"\r\n"


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_plain_http_is_asked_of_the_proxy(certificate: str, secure: bool) -> None:
    house = House(certificate, secure)
    with house.open() as place:
        transport = transport_of(certificate, http_proxy=f"http{'s' * secure}://us%20er:p%40ss@{place}")
        assert fetch(transport, "http://registry.test:5000/v2/?x") == BODY
        transport.close()
    (head,) = house.heads
    assert head.startswith(b"GET http://registry.test:5000/v2/?x HTTP/1.1\r\nHost: registry.test:5000\r\n")
    assert SECRET in head


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_https_goes_through_a_tunnel_that_is_used_again(certificate: str, secure: bool) -> None:
    house = House(certificate, secure)
    with house.open() as place:
        transport = transport_of(certificate, https_proxy=f"http{'s' * secure}://us%20er:p%40ss@{place}")
        assert fetch(transport, "https://registry.test/v2/a") == BODY
        assert fetch(transport, "https://registry.test/v2/b") == BODY
        transport.close()
    connect, first, second = house.heads
    assert connect.startswith(b"CONNECT registry.test:443 HTTP/1.1\r\nHost: registry.test:443\r\n")
    assert SECRET in connect and SECRET not in first + second, "what is for the proxy does not reach the registry"
    assert (first.split()[1], second.split()[1]) == (b"/v2/a", b"/v2/b")


def test_a_proxy_that_refuses_is_said_without_its_password(certificate: str) -> None:
    house = House(certificate, False, b"HTTP/1.1 407 Who are you\r\n\r\n")
    with house.open() as place:
        transport = transport_of(certificate, https_proxy=f"http://me:hidden@{place}")
        with pytest.raises(TransportError) as caught:
            fetch(transport, "https://registry.test/v2/")
    assert caught.value.kind == "proxy"
    assert caught.value.message == f"it answers 407 Who are you (through the proxy http://{place})"


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_who_answers_at_the_end_of_the_tunnel_has_to_be_the_one_that_was_meant(certificate: str, secure: bool) -> None:
    with House(certificate, secure).open() as place:
        transport = transport_of(certificate, https_proxy=f"http{'s' * secure}://{place}")
        with pytest.raises(TransportError) as caught:
            fetch(transport, "https://another.test/v2/")
    assert caught.value.kind == "certificate" and "another.test" in caught.value.message


def test_a_proxy_that_speaks_no_tls_or_is_not_there(certificate: str) -> None:
    with House(certificate, False).open() as place:
        with pytest.raises(TransportError) as caught:
            fetch(transport_of(certificate, https_proxy=f"https://{place}"), "https://registry.test/")
        assert caught.value.kind == "proxy"
    with pytest.raises(TransportError) as caught:
        fetch(transport_of(certificate, https_proxy="http://127.0.0.1:1"), "https://registry.test/")
    assert caught.value.kind == "proxy" and "connection refused" in caught.value.message


@pytest.mark.parametrize("proxy", ["http://", "http://:80", "http://host:port", "http://host:99999", "http://[::1"])
def test_a_proxy_whose_url_is_none(certificate: str, proxy: str) -> None:
    with pytest.raises(KezuriError, match=r"the proxy for https://registry\.test is not a URL") as caught:
        fetch(transport_of(certificate, https_proxy=proxy), "https://registry.test/")
    assert caught.value.exit_code == 2
