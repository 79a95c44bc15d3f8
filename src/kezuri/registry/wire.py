"""The door to the sockets: requests, answers, and how a transport fails."""

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Literal, NamedTuple, Protocol, Self

Trouble = Literal[
    "resolve", "resolve-later", "refused", "connect-timeout", "certificate", "handshake", "proxy", "timeout", "cut",
    "stalled", "late", "url",
]  # fmt: skip


class TransportError(Exception):
    """An exchange that got no whole answer.

    `kind` is what went wrong: `resolve` the name does not exist, `resolve-later` the name server did not answer,
    `refused` nobody listens or there is no way there, `connect-timeout`, `certificate` not trusted, `handshake` no TLS
    came about, `proxy` the proxy would not, `timeout` idle for too long, `cut` the connection broke, `stalled` it
    only trickled, `late` it was not there when its time was over, `url` there is no such address. `origin` is whom it
    concerns (host:port), `message` one line.
    """

    def __init__(self, kind: Trouble, origin: str, message: str) -> None:
        super().__init__(message)
        self.kind: Trouble = kind
        self.origin = origin
        self.message = message


class Headers:
    """Header fields in order of arrival; names without regard to case."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = [(name.lower(), value) for name, value in fields]

    def get(self, name: str) -> str:
        """The first value of that name, or an empty text."""
        return next((value for key, value in self._fields if key == name.lower()), "")

    def all(self, name: str) -> list[str]:
        """Every value of that name."""
        return [value for key, value in self._fields if key == name.lower()]

    def length(self) -> int | None:
        """Content-Length in bytes, or None where it is absent or no number."""
        text = self.get("content-length").strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


_COMMIT = 10


class Pace(NamedTuple):
    """How long an exchange may take, in seconds: `head` from its beginning until the header of the answer is there,
    `idle` for the next bytes of its body, `whole` until the body has ended, too (0: as long as it takes)."""

    head: float = 70.0
    idle: float = 60.0
    whole: float = 0.0

    def to_commit(self) -> "Pace":
        """The pace of a request whose body is large: when it has all of it, a registry may need minutes to move it to
        where it belongs before it answers."""
        return Pace(self.head * _COMMIT, self.idle, 0.0)

    def after(self, seconds: float) -> "Pace":
        """What is left of it when so much time has gone by; never less than a tenth of a second."""
        rest = (max(limit - seconds, 0.1) if limit else 0.0 for limit in (self.head, self.whole))
        return Pace(next(rest), self.idle, next(rest))


class Request(NamedTuple):
    """One request. `body` is bytes or an iterable of them (then the length stands in `headers`), which is iterated anew
    each time the request is sent: after a redirect, for example. While such a body moves, the pace's times begin anew
    with every piece of it. Its repr has neither headers nor a query: they may be secret."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | Iterable[bytes] | None = None
    pace: Pace = Pace()

    def __repr__(self) -> str:
        return f"Request({self.method} {self.url.partition('?')[0]})"


class Answer(Protocol):
    """An answer whose body has not been read yet. Leaving its `with` gives the connection back, or closes it when
    bytes were left unread."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Headers:
        """The header fields."""
        ...

    def read(self, most: int) -> bytes:
        """At most `most` bytes of the body, as they stand on the wire; empty at its end. TransportError when the
        connection breaks or idles before the announced length."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


_PIECE = 1 << 20


def pieces(answer: Answer, most: int) -> Iterator[bytes]:
    """The body of an answer, read while it is iterated over: no more than so many bytes of it, whatever it announces.
    TransportError as for `Answer.read`."""
    while most > 0 and (piece := answer.read(min(most, _PIECE))):
        most -= len(piece)
        yield piece


class Transport(Protocol):
    """Sends requests: no retries, no redirects, no authorization. Threads may share one."""

    def send(self, request: Request) -> Answer:
        """The answer to a request, whatever its status; TransportError when there is none."""
        ...

    def close(self) -> None:
        """Close every connection, and cut those that other threads are waiting for: they get a TransportError."""
        ...
