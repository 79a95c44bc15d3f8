"""File descriptors: those that this process was started with, those that it is sent, and writing until all is taken."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from socket import socket


def hold_standard() -> None:
    """Occupy the descriptors 0, 1 and 2 where the caller has closed them.

    The next files that are opened (the store's database, for one) would get these numbers, and whatever prints would
    write into them. The null device is opened the wrong way round: using the descriptor fails (EBADF), as it would
    with the closed one.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            try:
                # The lowest free number is this one: those below it are in use by now.
                opened = os.open(os.devnull, os.O_RDONLY if number else os.O_WRONLY)
            except OSError:
                return
            os.set_inheritable(opened, True)


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write everything; waits where a pipe or terminal was made not to wait by another process that shares it.

    OSError when the descriptor does not take it.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            from select import select

            select([], [descriptor], [])


def receive(source: "socket", size: int, most: int) -> tuple[bytes, list[int]]:
    """One message of at most this size from a local socket, and at most so many descriptors that come with it. No
    program that is executed later gets them: `socket.recv_fds` loses the flag by which the kernel would see to that."""
    import socket

    data, fds, _, _ = socket.recv_fds(source, size, most)
    for fd in fds:
        os.set_inheritable(fd, False)
    return data, fds
