"""HTTP/1.1 as it is read and written: whatever pieces it arrives in, and whatever a server says instead."""

import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kezuri.registry.connection import Line
from kezuri.registry.http import Head, HttpConnection, Malformed, target_of


class Pieces:
    """A peer that says these pieces, one for each read, and keeps what it is told; then it has ended."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = [piece for piece in pieces if piece]
        self.told = bytearray()
        self.closed = False

    def settimeout(self, value: float | None) -> None:
        assert value is None or value > 0

    def recv(self, most: int) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if len(piece) > most:
            self.pieces.insert(0, piece[most:])
        return piece[:most]

    def send(self, data: bytes | memoryview) -> int:
        self.told += data[:1000]
        return min(len(data), 1000)

    def fileno(self) -> int:
        raise AssertionError("nobody waits for it")

    def close(self) -> None:
        self.closed = True


def exchange(*pieces: bytes, method: str = "GET") -> tuple[Head, bytes, HttpConnection]:
    connection = HttpConnection(Pieces(*pieces))
    connection.line = Line("x", 60.0, 60.0)
    connection.request(method, "/", {"Host": "x"}, None)
    head = connection.head(method, 60.0)
    return head, everything(connection), connection


def everything(connection: HttpConnection) -> bytes:
    body = bytearray()
    while piece := connection.read(50, 60.0):
        assert len(piece) <= 50
        body += piece
    return bytes(body)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """An answer as it stands on the wire, and its body."""
    body = draw(st.binary(max_size=300))
    head = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"])) + b"HTTP/1.1 200 Fine\r\nX-A: 1\r\n"
    how = draw(st.sampled_from(["length", "chunks", "end"]))
    if how == "length":
        return head + b"content-LENGTH: %d\r\n\r\n" % len(body) + body, body
    if how == "end":
        return head + b"\r\n" + body, body
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=4)))
    chunks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True) if a < b]
    extension = draw(st.sampled_from([b"", b" ; name=value"]))
    said = b"".join(b"%X%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    trailer = draw(st.sampled_from([b"", b"X-B: 2\r\n"]))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + said + b"0\r\n" + trailer + b"\r\n", body


@settings(max_examples=150, deadline=None)
@given(answers(), st.lists(st.integers(0, 600), max_size=8))
def test_an_answer_is_the_same_in_whatever_pieces_it_comes(answer: tuple[bytes, bytes], cuts: list[int]) -> None:
    wire, body = answer
    at = sorted({min(cut, len(wire)) for cut in cuts})
    head, got, _ = exchange(*(wire[a:b] for a, b in zip([0, *at], [*at, len(wire)], strict=True)))
    assert (head.status, head.reason, head.headers.get("x-a"), got) == (200, "Fine", "1", body)


@settings(max_examples=150, deadline=None)
@given(answers(), st.data())
def test_an_answer_that_is_cut_off_is_never_taken_for_a_whole_one(
    answer: tuple[bytes, bytes], data: st.DataObject
) -> None:
    wire, body = answer
    if b"chunked" not in wire and b"LENGTH" not in wire:
        return  # Only the end of the connection says where such a body ends: `blob.py` looks at its size.
    at = data.draw(st.integers(0, len(wire) - 1))
    with pytest.raises(Malformed):
        exchange(wire[:at])
    assert exchange(wire)[1] == body


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        (b"", "closed without an answer"),
        (b"HTTP/1.1 200 O", "closed before"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/2 200\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 20\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "two lengths"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabcd", "two lengths"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcd", "5 bytes more"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n", "no length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", "no length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n" % (b"f" * 16), "no length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "longer than it says"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 300, "after the body"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"\r\n", "more than 200 header fields"),
        (b"HTTP/1.1 200 OK\r\na: " + b"b" * 200_000, "more than 64 KiB"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "changed the protocol"),
        (b"HTTP/1.1 102 Processing\r\n\r\n" * 200, "goes on announcing"),
    ],
)
def test_what_is_no_answer_is_said(wire: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        exchange(wire)


def test_lenient_where_nothing_is_lost_by_it() -> None:
    head, body, _ = exchange(
        b"HTTP/1.0 200\nX-Long: a\n  b\nno field\nX-Empty:\nContent-Length: 2, 2\nContent-Length: 2\n\nok"
    )
    assert (head.status, head.reason, body, head.close) == (200, "", b"ok", True)
    assert head.headers.get("x-long") == "a b" and head.headers.all("x-empty") == [""]


@pytest.mark.parametrize("status", [200, 204, 304])
def test_answers_that_have_no_body(status: int) -> None:
    said = b"HTTP/1.1 %d x\r\nContent-Length: 5\r\n\r\n" % status
    head, body, _ = exchange(said, method="HEAD" if status == 200 else "GET")
    assert (head.status, head.headers.length(), body) == (status, 5, b"")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://host", "/"),
        ("https://host:5000/v2/a/b?x=1&y=/#part", "/v2/a/b?x=1&y=/"),
        ("http://host?x", "/?x"),
        ("http://host#x/y", "/"),
        ('http://host/é{}|"^`<>\\', "/%C3%A9%7B%7D%7C%22%5E%60%3C%3E%5C"),
        ("http://host/a%2Fb%zz%", "/a%2Fb%25zz%25"),
        ("http://host/sha256:0123+~._-", "/sha256:0123+~._-"),
    ],
)
def test_targets(url: str, target: str) -> None:
    assert target_of(url) == target


@pytest.mark.parametrize(
    ("method", "body", "told"),
    [
        ("GET", None, b"GET /t HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("PUT", None, b"PUT /t HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
        ("PUT", b"abc", b"PUT /t HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"),
        (
            "PATCH",
            [b"a" * 20, b"", b"bc"],
            b"PATCH /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n%b\r\n2\r\nbc\r\n0\r\n\r\n"
            % (b"a" * 20),
        ),
        ("POST", b"y" * 5000, b"POST /t HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + b"y" * 5000),
    ],
)
def test_requests(method: str, body: bytes | list[bytes] | None, told: bytes) -> None:
    peer = Pieces()
    HttpConnection(peer).request(method, "/t", {"Host": "x"}, body if not isinstance(body, list) else pieces(body))
    assert peer.told == told


def pieces(of: list[bytes]) -> Iterator[bytes]:
    yield from of


@pytest.mark.parametrize("value", ["a\r\nHost: other", "a\nb", "a\rb", "ü"])
def test_a_header_that_would_say_something_else_is_not_sent(value: str) -> None:
    peer = Pieces()
    with pytest.raises(Malformed, match="cannot be sent"):
        HttpConnection(peer).request("GET", "/", {"X": value}, None)
    assert not peer.told


def test_a_connection_is_used_again_only_where_nothing_is_left_of_the_answer() -> None:
    def after(said: bytes, read: bool = True, close: bool = False, ended: bool = False) -> bool:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(said)
            connection = HttpConnection(ours)
            connection.request("GET", "/", {}, None)
            connection.head("GET", 5.0)
            if read:
                everything(connection)
            if close:
                theirs.close()
            if ended:
                connection.close()
            return connection.reusable()

    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    assert after(whole) and after(chunked)
    assert not after(whole, read=False) and not after(chunked, read=False)
    assert not after(whole, close=True) and not after(whole, ended=True)
    assert not after(whole + b"more")
    assert not after(whole.replace(b"OK\r\n", b"OK\r\nConnection: keep-alive, Close\r\n"))
    assert not after(whole.replace(b"1.1", b"1.0"))
    assert after(whole.replace(b"1.1 200 OK\r\n", b"1.0 200 OK\r\nConnection: keep-alive\r\n"))


def test_a_server_that_does_not_want_the_body_is_heard_all_the_same() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        # The answer is there before the body, and nobody reads that.
        theirs.sendall(b"HTTP/1.1 401 Who are you\r\nContent-Length: 0\r\n\r\n")
        theirs.shutdown(socket.SHUT_RD)
        threading.Timer(0.05, theirs.close).start()
        connection = HttpConnection(ours)
        connection.line = Line("x", 60.0, 60.0)
        connection.request("PUT", "/", {"Content-Length": str(64 << 20)}, pieces([bytes(1 << 20)] * 64))
        head = connection.head("PUT", 5.0)
        assert (head.status, head.reason) == (401, "Who are you")
        assert not connection.reusable()
