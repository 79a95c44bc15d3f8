"""Connections carried between this machine and a step: published ports inwards, SSH agents outwards.

One process, one loop, at most 64 KiB in flight per direction; whatever is written is written as fast as it is read.
"""

import os
import selectors
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from kezuri.linux import descriptors
from kezuri.sandbox.step import Port

if TYPE_CHECKING:
    from socket import socket

_PIECE = 1 << 16
_MOST_PEERS = 1024
_QUIET = 120.0


class Forwarder:
    """The forwarding process of a step, seen by its supervisor."""

    def __init__(self, pid: int, channel: "socket") -> None:
        self.pid = pid
        self.channel = channel

    def add(self, agents: list[str], fds: list[int]) -> None:
        """Forward each listening socket to the agent of the same index."""
        import marshal
        import socket

        socket.send_fds(self.channel, [marshal.dumps(agents)], fds)

    def forget(self) -> None:
        """The process has ended by itself and was waited for."""
        self.pid = 0

    def stop(self) -> None:
        """Kill the process and wait for it, unless it has ended."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.channel.close()


def start(ports: tuple[Port, ...], listeners: list[int]) -> Forwarder:
    """Fork the forwarding process. It stays in the network namespace that the caller is in."""
    import socket

    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        _serve(theirs, ports, listeners)
    theirs.close()
    return Forwarder(pid, ours)


def _serve(channel: "socket", ports: tuple[Port, ...], listeners: list[int]) -> NoReturn:
    import socket

    try:
        with _Loop(channel) as loop:
            for port, fd in zip(ports, listeners, strict=True):
                s = socket.socket(fileno=fd)
                s.setblocking(False)
                if port.protocol == "udp":
                    loop.forward_datagrams(s, port.container)
                else:
                    loop.listen(s, lambda to=port.container: _dial_port(to))  # type: ignore[misc]
            loop.run()
    finally:
        os._exit(0)


def _dial_port(port: int) -> "socket":
    """A connection to the port within the step's network: over IPv4, or IPv6 where only that listens."""
    import socket

    try:
        return _dial(socket.AF_INET, ("127.0.0.1", port))
    except ConnectionRefusedError:
        return _dial(socket.AF_INET6, ("::1", port))


def _dial(family: int, address: tuple[str, int] | str) -> "socket":
    import socket

    s = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        s.connect(address)  # loopback and local sockets answer at once
    except OSError:
        s.close()
        raise
    return s


class _Loop:
    """Waits for all sockets at once."""

    def __init__(self, channel: "socket") -> None:
        self._selector = selectors.DefaultSelector()
        self._channel = channel
        self._sweepers: list[Callable[[float], None]] = []

    def __enter__(self) -> "_Loop":
        self._selector.register(self._channel, selectors.EVENT_READ, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def run(self) -> None:
        """Go on until the process is killed."""
        swept = time.monotonic()
        while True:
            for key, _ in self._selector.select(30 if self._sweepers else None):
                if key.fileobj.fileno() >= 0:  # type: ignore[union-attr]
                    key.data()
            now = time.monotonic()
            if now - swept > 30:
                swept = now
                for sweep in self._sweepers:
                    sweep(now)

    def watch(self, s: "socket", events: int, act: Callable[[], None]) -> None:
        """Call `act` on these events from now on; none of them: forget the socket."""
        known = s.fileno() in self._selector.get_map()
        if events and known:
            self._selector.modify(s, events, act)
        elif events:
            self._selector.register(s, events, act)
        elif known:
            self._selector.unregister(s)

    def listen(self, s: "socket", dial: Callable[[], "socket"]) -> None:
        """Carry every connection that `s` accepts to a connection that `dial` makes; its refusal resets the first."""
        import socket
        import struct

        def accept() -> None:
            try:
                near, _ = s.accept()
            except OSError:
                return
            try:
                far = dial()
            except OSError:
                if near.family != socket.AF_UNIX:
                    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                near.close()
                return
            _Pair(self, near, far)

        self.watch(s, selectors.EVENT_READ, accept)

    def forward_datagrams(self, s: "socket", port: int) -> None:
        """Carry datagrams to the port and answers back; a peer that is quiet for two minutes is forgotten."""
        import socket

        peers: dict[tuple[Any, ...], tuple[socket.socket, float]] = {}

        def forget(peer: tuple[Any, ...]) -> None:
            away = peers.pop(peer)[0]
            self.watch(away, 0, lambda: None)
            away.close()

        def inward() -> None:
            try:
                data, peer = s.recvfrom(_PIECE)
            except OSError:
                return
            if peer not in peers:
                if len(peers) >= _MOST_PEERS:
                    forget(min(peers, key=lambda p: peers[p][1]))
                away = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                away.setblocking(False)
                away.connect(("127.0.0.1", port))
                peers[peer] = (away, 0.0)
                self.watch(away, selectors.EVENT_READ, lambda: outward(away, peer))
            away = peers[peer][0]
            peers[peer] = (away, time.monotonic())
            try:
                away.send(data)
            except OSError:
                pass  # datagrams may be lost

        def outward(away: socket.socket, peer: tuple[Any, ...]) -> None:
            try:
                s.sendto(away.recv(_PIECE), peer)
            except OSError:
                pass

        def sweep(now: float) -> None:
            for peer in [p for p, (_, last) in peers.items() if now - last > _QUIET]:
                forget(peer)

        self._sweepers.append(sweep)
        self.watch(s, selectors.EVENT_READ, inward)

    def _receive(self) -> None:
        import marshal
        import socket

        data, fds = descriptors.receive(self._channel, _PIECE, 64)
        if not data:
            os._exit(0)
        for agent, fd in zip(marshal.loads(data), fds, strict=True):
            s = socket.socket(fileno=fd)
            s.setblocking(False)
            self.listen(s, lambda to=agent: _dial(socket.AF_UNIX, to))  # type: ignore[misc]


class _Pair:
    """Two connections: what comes from one is sent to the other, and so is the end of it."""

    def __init__(self, loop: _Loop, near: "socket", far: "socket") -> None:
        self._loop = loop
        self._ends = (near, far)
        self._held = [b"", b""]  # what end i has sent and the other has not taken yet
        self._open = [True, True]
        for i, s in enumerate(self._ends):
            s.setblocking(False)
            self._watch(i)

    def _watch(self, i: int) -> None:
        reads = self._open[i] and not self._held[i]
        events = (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if self._held[1 - i] else 0)
        self._loop.watch(self._ends[i], events, lambda: self._act(i))

    def _act(self, i: int) -> None:
        import socket

        try:
            if self._held[1 - i]:
                self._write(i)
            if self._open[i] and not self._held[i]:
                try:
                    data = self._ends[i].recv(_PIECE)
                except BlockingIOError:
                    data = None
                if data == b"":
                    self._open[i] = False
                    self._ends[1 - i].shutdown(socket.SHUT_WR)
                elif data:
                    self._held[i] = data
                    self._write(1 - i)
        except OSError:
            self._close()
            return
        if not any(self._open) and not any(self._held):
            self._close()
            return
        for end in (0, 1):
            self._watch(end)

    def _write(self, i: int) -> None:
        try:
            sent = self._ends[i].send(self._held[1 - i])
        except BlockingIOError:
            return
        self._held[1 - i] = self._held[1 - i][sent:]

    def _close(self) -> None:
        for s in self._ends:
            self._loop.watch(s, 0, lambda: None)
            s.close()
