"""Which ids this process's user namespace has, and whether it may mount there, as /proc says.

Apart from the calls that change namespaces: a build that finds everything asks this, and nothing else of them.
"""

import os

_SYS_ADMIN = 21
"""The bit of CAP_SYS_ADMIN (include/uapi/linux/capability.h)."""

IdRange = tuple[int, int, int]
"""A line of /proc/PID/uid_map: the first id inside, the first id outside, how many."""
IdRanges = tuple[IdRange, ...]


def id_map(path: str = "/proc/self/uid_map") -> IdRanges:
    """The ranges of ids of a user namespace, as the reader sees them."""
    with open(path) as f:
        ranges = [tuple(map(int, line.split())) for line in f]
    return tuple((a, b, c) for a, b, c in ranges)


def is_initial_user() -> bool:
    """Whether this process is in the machine's first user namespace.

    By the number that the kernel gives to that one (PROC_USER_INIT_INO): another may map every id to itself as well.
    """
    try:
        return os.stat("/proc/self/ns/user").st_ino == 0xEFFFFFFD
    except OSError:
        return id_map() == ((0, 0, 4294967295),)


def is_mapped(number: int, ranges: IdRanges) -> bool:
    """Whether the id exists inside a user namespace with these ranges."""
    return any(first <= number < first + count for first, _, count in ranges)


def may_mount() -> bool:
    """Whether this process has CAP_SYS_ADMIN in its user namespace. Read from /proc: that costs less than to load
    ctypes for a system call."""
    with open("/proc/self/status") as status:
        effective = next((line.split()[1] for line in status if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> _SYS_ADMIN & 1)
