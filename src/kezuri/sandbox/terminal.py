"""A step's streams on this side: output handed on as it comes, input relayed, the user's terminal made raw."""

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

from kezuri.linux import descriptors
from kezuri.sandbox.step import Output, Step

if TYPE_CHECKING:
    from select import poll as Poll
    from socket import socket

_PIECE = 1 << 16


class Session:
    """The streams of one running step.

    `ends` are our ends of its standard streams. With a terminal its master end arrives later (`adopt_terminal`) and
    takes the place of all three. At most 64 KiB of input are held at a time.
    """

    def __init__(self, step: Step, output: Output, ends: list[int], held: ExitStack) -> None:
        self._step = step
        self._output = output
        self._held = held
        self._streams = {fd: stream for stream, fd in enumerate(ends) if stream and fd >= 0}
        self._to = ends[0]
        self._from = step.stdin if self._to >= 0 else -1
        self._waiting = b""
        self._ready: list[tuple[int, int]] = []
        self._registered: dict[int, int] = {}
        self._size = b""
        self._terminal = -1
        if self._to >= 0:
            os.set_blocking(self._to, False)

    @property
    def reading(self) -> bool:
        """Whether the step's output may still come."""
        return bool(self._streams)

    def relay(self, poll: "Poll", wait: int, discard: bool = False) -> None:
        """Wait at most `wait` milliseconds for anything, and carry what there is. `discard`: output goes nowhere."""
        self._ready = []
        self._register(poll)
        self._ready = poll.poll(wait)
        for fd, _ in self._ready:
            if fd in self._streams:
                self._read(fd, discard)
        if self._waiting and self._to >= 0:
            self._write()
        elif self._from >= 0 and any(fd == self._from for fd, _ in self._ready):
            self._take()
        if self._terminal >= 0:
            self._follow_size()

    def heard(self, s: "socket") -> bool:
        """Whether the last wait found something on this socket."""
        return any(fd == s.fileno() for fd, _ in self._ready)

    def adopt_terminal(self, control: "socket") -> None:
        """Take the master of the step's terminal from the supervisor, and make the user's terminal raw."""
        _, fds = descriptors.receive(control, 1, 1)
        self._terminal = fds[0]
        self._held.callback(self._close_terminal, fds[0])
        os.set_blocking(fds[0], False)
        self._streams[fds[0]] = 1
        if self._step.stdin >= 0:
            self._to, self._from = fds[0], self._step.stdin
            if os.isatty(self._step.stdin):
                self._make_raw(self._step.stdin)

    def end_input(self) -> None:
        """The step has ended: nothing more is read for it."""
        self._from = -1
        self._waiting = b""

    def _close_terminal(self, fd: int) -> None:
        os.close(fd)

    def _make_raw(self, fd: int) -> None:
        import termios
        import tty

        before = termios.tcgetattr(fd)
        self._held.callback(termios.tcsetattr, fd, termios.TCSADRAIN, before)
        tty.setraw(fd, termios.TCSADRAIN)

    def _register(self, poll: "Poll") -> None:
        import select

        wanted = dict.fromkeys(self._streams, select.POLLIN)
        if self._waiting and self._to >= 0:
            wanted[self._to] = wanted.get(self._to, 0) | select.POLLOUT
        elif self._from >= 0 and self._to >= 0:
            wanted[self._from] = select.POLLIN
        for fd in [fd for fd in self._registered if fd not in wanted]:
            poll.unregister(fd)
            del self._registered[fd]
        for fd, events in wanted.items():
            if self._registered.get(fd) != events:
                poll.register(fd, events)
                self._registered[fd] = events

    def _read(self, fd: int, discard: bool) -> None:
        try:
            data = os.read(fd, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # EIO: nobody holds the terminal's other side any more
        if not data:
            del self._streams[fd]
        elif not discard:
            self._output(self._streams[fd], data)

    def _take(self) -> None:
        try:
            self._waiting = os.read(self._from, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            self._waiting = b""
        if not self._waiting:
            self._from = -1
            if self._to != self._terminal and self._to >= 0:
                self._shut()
            elif self._terminal >= 0:
                self._waiting = b"\x04"  # end of file, as a terminal has it
        else:
            self._write()

    def _write(self) -> None:
        try:
            sent = os.write(self._to, self._waiting)
        except BlockingIOError:
            return
        except OSError:  # the step has closed its input
            self._waiting = b""
            self._from = -1
            if self._to != self._terminal:
                self._shut()
            return
        self._waiting = self._waiting[sent:]

    def _shut(self) -> None:
        """Close our end of the step's input so that it reads the end of file."""
        null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        # Another file takes the descriptor's place, so that its number is not reused before the session is over.
        os.dup2(null, self._to, inheritable=False)
        os.close(null)
        self._to = -1

    def _follow_size(self) -> None:
        import fcntl
        import termios

        if self._step.stdin < 0 or not os.isatty(self._step.stdin):
            return
        try:
            size = fcntl.ioctl(self._step.stdin, termios.TIOCGWINSZ, b"\0" * 8)
            if size != self._size:
                self._size = size
                fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)
        except OSError:
            pass
