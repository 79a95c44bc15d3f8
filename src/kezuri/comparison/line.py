"""A line of a bandwidth and a latency that are named, between a server on this machine and whoever asks it."""

import socket
import threading
from collections import deque
from time import monotonic, sleep
from types import TracebackType
from typing import Self

_LARGEST_PIECE = 64 << 10
_BURST = 0.005
"""Pieces are no larger than what the line carries in so many seconds, so that connections share it."""
_AHEAD = 0.05
_MOST_IN_FLIGHT = 64 << 20


class Line:
    """Listens on loopback and passes bytes on to `target`, as a line of `bandwidth` bits per second (0: as fast as it
    goes) and a round trip of `rtt` seconds would. All connections share the bandwidth, each direction its own; opening
    a connection takes a round trip. TCP's slow start and losses are not imitated. Use it in a `with`."""

    def __init__(self, target: tuple[str, int], bandwidth: int = 0, rtt: float = 0.0) -> None:
        self._target = target
        self._rtt = rtt
        self._ways = (_Way(bandwidth), _Way(bandwidth))
        self._server = socket.socket()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        self._server.bind(("127.0.0.1", 0))
        self._server.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        with self._lock:
            held = (*self._open, self._server)
            self._open.clear()
        for each in held:
            _end(each)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.getsockname()[1])

    @property
    def carried(self) -> int:
        """How many bytes came from the target so far."""
        return self._ways[1].carried

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client, monotonic()), daemon=True).start()

    def _connect(self, client: socket.socket, since: float) -> None:
        """One connection: whoever asks had to wait a round trip before he could say anything."""
        try:
            server = socket.create_connection(self._target, 10)
        except OSError:
            _end(client)
            return
        server.settimeout(None)
        with self._lock:
            if self._closed:
                _end(client)
                _end(server)
                return
            self._open |= {client, server}
        half = self._rtt / 2
        there = _Pump(client, server, self._ways[0], half, since + self._rtt)
        back = _Pump(server, client, self._ways[1], half, 0.0)
        back.start()
        there.run()
        back.wait()
        with self._lock:
            self._open -= {client, server}
        _end(client)
        _end(server)


class _Way:
    """One direction of the line, shared by all connections."""

    def __init__(self, bandwidth: int) -> None:
        self._bytes = bandwidth / 8
        self._lock = threading.Lock()
        self._free = 0.0
        self.carried = 0
        self.piece = max(1024, min(_LARGEST_PIECE, int(self._bytes * _BURST))) if bandwidth else _LARGEST_PIECE

    def take(self, size: int) -> float:
        """When the last of so many bytes has been put on the line."""
        with self._lock:
            self.carried += size
            now = monotonic()
            if not self._bytes:
                return now
            self._free = max(now, self._free) + size / self._bytes
            return self._free


class _Pump:
    """Passes what one socket says to another, late. One thread reads, another one writes."""

    def __init__(self, source: socket.socket, sink: socket.socket, way: _Way, delay: float, begins: float) -> None:
        self._source = source
        self._sink = sink
        self._way = way
        self._delay = delay
        self._begins = begins
        self._waiting: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._write)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        for thread in self._threads:
            thread.join()

    def run(self) -> None:
        self.start()
        self.wait()

    def _read(self) -> None:
        data = b"."
        while data:
            try:
                data = self._source.recv(self._way.piece)
            except OSError:
                data = b""
            sent = max(self._way.take(len(data)), self._begins)
            with self._changed:
                self._waiting.append((sent + self._delay, data))
                self._size += len(data)
                self._changed.notify()
                self._changed.wait_for(lambda: self._size < _MOST_IN_FLIGHT)
            # Read a little ahead: else the line would be idle whenever this thread wakes up late.
            if (ahead := sent - monotonic() - _AHEAD) > 0:
                sleep(ahead)

    def _write(self) -> None:
        broken = False
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                due, data = self._waiting.popleft()
            if (left := due - monotonic()) > 0 and not broken:
                sleep(left)
            try:
                if not data:
                    self._sink.shutdown(socket.SHUT_WR)
                elif not broken:
                    self._sink.sendall(data)
            except OSError:
                broken = True
                _end(self._source)
            with self._changed:
                self._size -= len(data)
                self._changed.notify()
            if not data:
                return


def _end(held: socket.socket) -> None:
    """Close a socket that another thread may be waiting at."""
    try:
        held.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    held.close()
