"""The line to a registry: bytes come through unchanged, and late by as much as they are to."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kezuri.comparison import line as line_module
from kezuri.comparison.line import Line, _Way


@contextmanager
def echo() -> Iterator[tuple[str, int]]:
    """A server that says everything back until its caller is done."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(16)

    def serve(client: socket.socket) -> None:
        with client:
            while data := client.recv(1 << 16):
                client.sendall(data)

    def accept() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield server.getsockname()
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


def told_back(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 20) as client:

        def send() -> None:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        heard = hashlib.sha256()
        while piece := client.recv(1 << 16):
            heard.update(piece)
        sender.join()
        return heard.digest()


@pytest.mark.parametrize(("bandwidth", "rtt"), [(0, 0.0), (2_000_000_000, 0.002)])
def test_bytes_come_through_and_ends_too(bandwidth: int, rtt: float) -> None:
    data = bytes(range(256)) * 4000
    with echo() as target, Line(target, bandwidth, rtt) as line:
        answers: list[bytes] = []
        callers = [
            threading.Thread(target=lambda: answers.append(told_back(line.port, data)), daemon=True) for _ in range(3)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(20)
        assert answers == [hashlib.sha256(data).digest()] * 3
        assert line.carried == 3 * len(data)


def test_nobody_at_the_other_end_ends_the_connection() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        target = free.getsockname()
        with Line(target) as line, socket.create_connection(("127.0.0.1", line.port), 20) as client:
            try:
                assert client.recv(1) == b""
            except ConnectionResetError:
                pass


def test_the_bandwidth_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(line_module, "monotonic", lambda: now[0])
    way = _Way(8000)  # a thousand bytes in a second
    assert way.take(500) == 100.5
    assert way.take(500) == 101.0, "whoever comes second waits for the first"
    now[0] = 200.0
    assert way.take(1000) == 201.0, "what was not used is not saved"
    assert way.carried == 2000
    assert _Way(0).take(1 << 30) == 200.0, "no limit"
