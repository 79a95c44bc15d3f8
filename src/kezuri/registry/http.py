"""HTTP/1.1 over one connection: requests are written, heads are read, and bodies end where their heads say.

Written for what a registry client needs (decision 0035): no compression, no upgrade, one request at a time.
"""

import select
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from kezuri.registry.connection import Line
from kezuri.registry.wire import Headers

_PIECE = 64 << 10
_MOST_LINE = 64 << 10
_MOST_FIELDS = 200
_MOST_INTERIM = 100
"""How many answers of status 1xx may come before the one that counts."""
_TARGET = frozenset("!$&'()*+,-./0123456789:;=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~")
"""What stands in a request's target as it is; of percent signs those with two hexadecimal digits, too."""
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Malformed(Exception):
    """What came is no answer of HTTP/1.1; the text says why."""


class Stream(Protocol):
    """Bytes to and from a peer: a socket, or TLS over one."""

    def settimeout(self, value: float | None, /) -> None:
        """How long `recv` and `send` may wait, in seconds."""
        ...

    def recv(self, most: int, /) -> bytes:
        """At most so many bytes; empty when the peer has ended."""
        ...

    def send(self, data: bytes | memoryview, /) -> int:
        """Send some of the bytes; how many."""
        ...

    def fileno(self) -> int:
        """The descriptor of the socket."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Head(NamedTuple):
    """The head of an answer. `close`: the peer closes the connection after it."""

    status: int
    reason: str
    headers: Headers
    close: bool


def target_of(url: str) -> str:
    """The path and query of a URL, as they stand in a request. What may not stand there is percent-encoded."""
    rest = url.partition("://")[2].partition("#")[0]
    at = min((found for mark in "/?" if (found := rest.find(mark)) >= 0), default=len(rest))
    target = rest[at:] if rest[at : at + 1] == "/" else "/" + rest[at:]
    if _TARGET.issuperset(target):
        return target
    import re
    from urllib.parse import quote

    return quote(re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", target), safe=f"%{''.join(_TARGET)}")


class HttpConnection:
    """A connection on which one exchange follows the other: `request`, `head`, then `read` until the body's end.

    `line` is the exchange's: what it waits for ends with it. Errors are OSError, TimeoutError among them, and
    Malformed.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.line = Line("", float("inf"), 60.0)
        self._buffer = bytearray()
        self._rest: int | None = 0
        self._chunked = False
        self._begun = False
        self._close = False

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | Iterable[bytes] | None
    ) -> None:
        """Send a request. The length of a body that comes in pieces stands in `headers`, or it is sent in chunks."""
        fields = dict(headers)
        names = {name.lower() for name in fields}
        chunked = False
        if isinstance(body, bytes):
            fields["Content-Length"] = str(len(body))
        elif body is not None:
            chunked = "content-length" not in names
            if chunked:
                fields["Transfer-Encoding"] = "chunked"
        elif method in ("POST", "PUT", "PATCH"):
            fields["Content-Length"] = "0"
        text = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        if not text.isascii() or any(text.count(c) != n for c, n in (("\n", len(fields) + 1), ("\r", len(fields) + 1))):
            raise Malformed("a header that cannot be sent")
        head = text.encode() + b"\r\n"
        self._buffer.clear()
        try:
            if body is None or isinstance(body, bytes):
                self._send(head + (body or b""))
                return
            self._send(head)
            for piece in body:
                if piece:
                    self._send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if chunked:
                self._send(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            # A server that does not want the body may have said why before it closed.
            self._close = True

    def _send(self, data: bytes) -> None:
        self.stream.settimeout(self.line.idle)
        view = memoryview(data)
        while view:
            view = view[self.stream.send(view) :]

    def head(self, method: str, idle: float) -> Head:
        """The head of the answer, after which its body is read; the next bytes of it may take `idle` seconds."""
        for _ in range(_MOST_INTERIM):
            head = self._head(idle)
            if head.status >= 200:
                break
            if head.status == 101:
                raise Malformed("the server changed the protocol")
        else:
            raise Malformed("the server goes on announcing an answer")
        self._close = self._close or head.close
        headers = head.headers
        codings = [c.strip() for value in headers.all("transfer-encoding") for c in value.lower().split(",")]
        self._chunked = codings[-1:] == ["chunked"]
        lengths = {length.strip() for value in headers.all("content-length") for length in value.split(",")}
        if len(lengths) > 1 and not self._chunked:
            raise Malformed("the server says two lengths of one body")
        if method == "HEAD" or head.status in (204, 304):
            self._rest, self._chunked = 0, False
        elif self._chunked:
            self._rest, self._begun = 0, False
        else:
            # A body without a length ends with the connection.
            self._rest = None if codings else headers.length()
        return head

    def tunnelled(self) -> None:
        """What follows the head is said by somebody else: there is no body."""
        self._rest, self._chunked = 0, False

    def _head(self, idle: float) -> Head:
        version, _, said = self._line(idle).partition(b" ")
        code, _, reason = said.partition(b" ")
        if version not in (b"HTTP/1.1", b"HTTP/1.0") or len(code) != 3 or not code.isdigit() or code < b"100":
            raise Malformed("what answers does not speak HTTP")
        fields: list[tuple[str, str]] = []
        while line := self._line(idle):
            if line[:1] in b" \t" and fields:
                name, value = fields[-1]
                fields[-1] = name, f"{value} {line.strip().decode('latin-1')}"
                continue
            name, colon, value = (part.decode("latin-1") for part in line.partition(b":"))
            # What is no field is passed over, as browsers do.
            if colon and (name := name.rstrip(" \t")) and " " not in name:
                fields.append((name, value.strip(" \t")))
            if len(fields) > _MOST_FIELDS:
                raise Malformed(f"the answer has more than {_MOST_FIELDS} header fields")
        headers = Headers(fields)
        words = {word.strip() for value in headers.all("connection") for word in value.lower().split(",")}
        close = "close" in words or (version == b"HTTP/1.0" and "keep-alive" not in words)
        return Head(int(code), reason.decode("latin-1"), headers, close)

    def read(self, most: int, idle: float) -> bytes:
        """At most `most` bytes of the body; empty at its end. Malformed when it ends before it should."""
        if self._chunked and not self._rest:
            self._next_chunk(idle)
        if self._rest == 0:
            return b""
        want = most if self._rest is None else min(most, self._rest)
        if self._buffer:
            piece = bytes(self._buffer[:want])
            del self._buffer[:want]
        else:
            piece = self._receive(want, idle)
        if self._rest is None:
            self._close = True
            if not piece:
                self._rest = 0
            return piece
        if not piece:
            raise Malformed(f"{self._rest} bytes more were announced" if not self._chunked else "ended within a chunk")
        self._rest -= len(piece)
        return piece

    def _next_chunk(self, idle: float) -> None:
        if self._begun and self._line(idle):
            raise Malformed("a chunk is longer than it says")
        self._begun = True
        size = self._line(idle).partition(b";")[0].strip(b" \t")
        if not 0 < len(size) < 16 or not _HEX.issuperset(size):
            raise Malformed("a chunk says no length")
        self._rest = int(size, 16)
        if not self._rest:
            self._chunked = False
            for _ in range(_MOST_FIELDS):
                if not self._line(idle):
                    return
            raise Malformed(f"more than {_MOST_FIELDS} fields after the body")

    def _line(self, idle: float) -> bytes:
        """The next line, without its end."""
        seen = 0
        while (at := self._buffer.find(b"\n", seen)) < 0:
            seen = len(self._buffer)
            if seen > _MOST_LINE:
                raise Malformed(f"a line of more than {_MOST_LINE >> 10} KiB")
            piece = self._receive(_PIECE, idle)
            if not piece:
                raise Malformed("closed before the whole answer was there" if seen else "closed without an answer")
            self._buffer += piece
        line = bytes(self._buffer[: at - 1 if at and self._buffer[at - 1] == 13 else at])
        del self._buffer[: at + 1]
        return line

    def _receive(self, most: int, idle: float) -> bytes:
        self.stream.settimeout(self.line.rest(idle))
        return self.stream.recv(most)

    def reusable(self) -> bool:
        """Whether another request may follow: the body was read to its end, and nobody has closed since."""
        if self._close or self._rest != 0 or self._chunked or self._buffer or self.stream.fileno() < 0:
            return False
        # Something to read means that the peer has closed, or says what nobody has asked for.
        poll = select.poll()
        poll.register(self.stream.fileno(), select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        """Close the connection."""
        self.stream.close()
