"""Servers that never come to an end: each exchange is over after its time, or at once when it is called off."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest
from tests.registry.registry_faults import FastClock, FaultyRegistry, Handler, make_image

from kezuri.diagnostics import KezuriError
from kezuri.oci import LAYER, Descriptor, Platform, Reference, digest_of
from kezuri.registry import MemorySink, Registry, RegistryConfig
from kezuri.registry.transport import SocketTransport
from kezuri.registry.wire import Pace, Request, TransportError

pytestmark = pytest.mark.slow

AMD64 = Platform("linux", "amd64")
Send = Callable[[bytes], object]


@pytest.fixture(autouse=True)
def no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")


@contextmanager
def answering(answer: Callable[[Send], None]) -> Iterator[str]:
    """The host of a server that answers every request so."""

    def serve(peer: socket.socket) -> None:
        with peer:
            try:
                peer.recv(65536)
                answer(peer.sendall)
                peer.recv(1)  # until the client has gone
            except OSError:
                pass

    def accept() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def forever(piece: bytes, head: bytes = b"", pause: float = 0.02) -> Callable[[Send], None]:
    def answer(send: Send) -> None:
        send(head)
        while True:
            send(piece)
            threading.Event().wait(pause)

    return answer


BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nContent-Type: application/json\r\n\r\n{"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        forever(b"HTTP/1.1 100 Continue\r\n\r\n"),
        forever(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, pause=0),
        forever(b"X-Slow: 1\r\n", b"HTTP/1.1 200 OK\r\n"),
        forever(b"x", b"HTTP/1.1 200 OK\r\nX-Long: "),
        forever(b" ", BODY),
        forever(b"1\r\n \r\n", CHUNKS),
        forever(b"", b"", 0.5),
    ],
    ids=["continue", "much-continue", "headers", "header", "body", "chunks", "silence"],
)
def test_a_manifest_that_does_not_end_is_not_waited_for(answer: Callable[[Send], None]) -> None:
    with answering(answer) as host, Registry(RegistryConfig(document_timeout=0.3), clock=FastClock()) as registry:
        began = monotonic()
        with pytest.raises(KezuriError) as caught:
            registry.resolve(Reference.parse(f"{host}/app:1"), AMD64)
        assert monotonic() - began < 20
    assert "within 0.3 s" in str(caught.value) or "the connection broke" in str(caught.value)


def test_a_config_and_a_token_have_to_come_in_time() -> None:
    def drip(handler: Handler, kind: str, data: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(data) or 100))
        handler.end_headers()
        for byte in data or b" " * 100:
            handler.wfile.write(bytes([byte]))
            threading.Event().wait(0.05)

    for where in ("GET .*/blobs/", "GET /token"):
        with FaultyRegistry() as server:
            server.put(make_image(b"layer"), "1")
            server.on(where, drip, times=10)
            if "token" in where:
                realm = {"WWW-Authenticate": f'Bearer realm="http://{server.host}/token"'}
                server.authorize = lambda handler, realm=realm: handler.refuse(401, "UNAUTHORIZED", "", realm)
            with (
                Registry(RegistryConfig(document_timeout=0.3), clock=FastClock()) as registry,
                pytest.raises(KezuriError, match=r"no whole answer within 0\.3 s"),
            ):
                registry.resolve(Reference.parse(f"{server.host}/app:1"), AMD64)


def test_redirects_take_no_longer_together_than_one_answer() -> None:
    def onwards(handler: Handler, kind: str, data: bytes) -> None:
        threading.Event().wait(0.15)
        handler.answer(307, b"", "", {"Location": handler.path + "x"})

    with FaultyRegistry() as server:
        server.on("manifests", onwards, times=100)
        with (
            Registry(RegistryConfig(document_timeout=0.4), clock=FastClock()) as registry,
            pytest.raises(KezuriError, match="no whole answer"),
        ):
            registry.resolve(Reference.parse(f"{server.host}/app:1"), AMD64)
        assert len(server.log) < 11


@pytest.mark.parametrize(
    "answer", [forever(b"", b"", 1), forever(b"", BODY, 1)], ids=["before the header", "in the body"]
)
@pytest.mark.parametrize("many", [1, 3])
def test_closing_ends_what_waits_for_a_server(answer: Callable[[Send], None], many: int) -> None:
    layers = [Descriptor(LAYER, digest_of(b"%d" % i), 100_000) for i in range(many)]
    raised: list[BaseException] = []
    with answering(answer) as host:
        registry = Registry(RegistryConfig(), clock=FastClock())

        def pull() -> None:
            try:
                registry.fetch_all(Reference.parse(f"{host}/app:1"), layers, MemorySink())
            except KezuriError as error:
                raised.append(error)

        puller = threading.Thread(target=pull)
        puller.start()
        puller.join(0.4)
        assert puller.is_alive()
        registry.close()
        puller.join(5)
        assert not puller.is_alive()
    assert "called off" in str(raised[0])


def test_closing_ends_a_handshake_and_a_connection_that_is_being_made(tmp_path: Path) -> None:
    def silent(send: Send) -> None:
        pass

    with answering(silent) as host, socket.socket() as full:
        # Nobody accepts here, and the queue of one is full: connecting to it waits.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            for url in (f"https://{host}/", f"http://127.0.0.1:{port}/"):
                transport = SocketTransport(RegistryConfig(connect_timeout=30.0))
                raised: list[TransportError] = []

                def send(
                    url: str = url, transport: SocketTransport = transport, raised: list[TransportError] = raised
                ) -> None:
                    try:
                        transport.send(Request("GET", url, {}))
                    except TransportError as error:
                        raised.append(error)

                sender = threading.Thread(target=send)
                sender.start()
                sender.join(0.4)
                assert sender.is_alive(), raised
                transport.close()
                sender.join(5)
                assert not sender.is_alive()
                assert raised[0].message == "called off"


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_tls_answers_end_in_time_too(tmp_path: Path) -> None:
    certificate = tmp_path / "server.pem"
    _self_signed(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def drip(handler: Handler, kind: str, data: bytes) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            handler.wfile.write(b"X-Slow: 1\r\n")
            threading.Event().wait(0.05)

    with FaultyRegistry(context) as server:
        server.on("GET /slow", drip, times=10)
        server.put(make_image(b"layer"), "1")
        transport = SocketTransport(RegistryConfig(insecure=("127.0.0.1",)))
        with pytest.raises(TransportError, match=r"no whole answer within 0\.5 s"):
            transport.send(Request("GET", f"https://{server.host}/slow", {}, pace=Pace(head=0.5)))
        with transport.send(Request("GET", f"https://{server.host}/v2/app/manifests/1", {})) as answer:
            assert answer.status == 200
            assert answer.read(1 << 20)
        transport.close()


def _self_signed(path: Path) -> None:
    import subprocess

    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=127.0.0.1", "-keyout", str(path), "-out", str(path) + ".crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + Path(str(path) + ".crt").read_bytes())
