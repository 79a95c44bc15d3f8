"""Namespaces: leaving them, entering them, what is set up in them."""

import errno
import fcntl
import os
import struct

from kezuri.linux import libc

NEWNS, NEWCGROUP, NEWUTS, NEWIPC = 0x20000, 0x02000000, 0x04000000, 0x08000000
NEWUSER, NEWPID, NEWNET = 0x10000000, 0x20000000, 0x40000000

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_NS_GET_USERNS = 0xB701


def unshare(flags: int) -> None:
    """unshare(2)."""
    libc.call("unshare", flags)


def enter(fd: int, kind: int) -> None:
    """setns(2)."""
    libc.call("setns", fd, kind)


def owns_network() -> bool:
    """Whether this process's network namespace belongs to its user namespace, so that capabilities count there.

    Where the kernel does not tell, it is taken to be so.
    """
    try:
        network = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        owner = fcntl.ioctl(network, _NS_GET_USERNS)
    except OSError as e:
        return e.errno != errno.EPERM  # it belongs to a namespace around ours
    finally:
        os.close(network)
    try:
        return os.path.samestat(os.fstat(owner), os.stat("/proc/self/ns/user"))
    except OSError:
        return True
    finally:
        os.close(owner)


def raise_loopback() -> None:
    """Bring `lo` up in this network namespace: a new one has it down."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as s:
        request = struct.pack("16sH22x", b"lo", 0)
        flags = struct.unpack("16sH22x", fcntl.ioctl(s, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(s, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))


def set_hostname(name: str) -> None:
    """sethostname(2): of this UTS namespace."""
    data = os.fsencode(name)
    libc.call("sethostname", data, len(data))
