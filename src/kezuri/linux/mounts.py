"""Mounting: bind mounts, file systems, mount flags, also on kernels without the newer calls."""

import errno
import os
import re
from typing import Any

from kezuri.linux import libc

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_MOVE, MS_REC = 0x20, 0x400, 0x800, 0x1000, 0x2000, 0x4000
MS_PRIVATE, MS_SLAVE, MS_RELATIME, MS_STRICTATIME = 1 << 18, 1 << 19, 1 << 21, 1 << 24
MNT_DETACH = 2

_ATTR = {MS_RDONLY: 1, MS_NOSUID: 2, MS_NODEV: 4, MS_NOEXEC: 8}
_AT_RECURSIVE, _AT_EMPTY_PATH = 0x8000, 0x1000
# statvfs(3) and mount(2) number the flags alike, but for these two.
_STATVFS_RELATIME = 4096


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2). OSError with the target as its file name."""
    try:
        libc.call(
            "mount",
            os.fsencode(source),
            os.fsencode(target),
            kind.encode() or None,
            flags,
            os.fsencode(data) if data else None,
        )
    except OSError as e:
        raise OSError(e.errno, e.strerror, target) from None


def unmount(target: str, detach: bool = False) -> None:
    """umount2(2); `detach` takes the tree away at once and lets go of it when it is no longer in use."""
    try:
        libc.call("umount2", os.fsencode(target), MNT_DETACH if detach else 0)
    except OSError as e:
        raise OSError(e.errno, e.strerror, target) from None


def bind(source: str, target: str, recursive: bool = False) -> None:
    """Make the file or directory `source` appear at `target` too."""
    mount(source, target, "", MS_BIND | (MS_REC if recursive else 0))


def move(source: str, target: str) -> None:
    """Take the mount at `source`, with all that is mounted in it, to `target`. Neither parent may be shared."""
    mount(source, target, "", MS_MOVE)


def make_private(target: str = "/", slave: bool = False) -> None:
    """Stop mount events from going out of the tree at `target` (`slave`: they still come in)."""
    mount("none", target, "", MS_REC | (MS_SLAVE if slave else MS_PRIVATE))


def restrict(target: str, flags: int, recursive: bool = False) -> None:
    """Add read-only, nosuid, nodev or noexec to the mount at `target`, keeping the flags that it has.

    `recursive` reaches every mount below. mount_setattr(2) where the kernel has it (5.12), else one remount each.
    """
    import ctypes

    added = 0
    for flag, attribute in _ATTR.items():
        if flags & flag:
            added |= attribute
    attributes = (ctypes.c_uint64 * 4)(added, 0, 0, 0)
    where = os.fsencode(target)
    try:
        libc.syscall(
            libc.MOUNT_SETATTR, -100, where, _AT_RECURSIVE if recursive else 0, attributes, ctypes.sizeof(attributes)
        )
    except OSError as e:
        if e.errno not in (errno.ENOSYS, errno.EPERM):
            raise OSError(e.errno, e.strerror, target) from None
        restrict_by_remount(target, flags, recursive)


def restrict_by_remount(target: str, flags: int, recursive: bool = False) -> None:
    """`restrict` for kernels before 5.12. A mount in a user namespace may not lose flags: each keeps its own."""
    for where in points_below(os.path.realpath(target)) if recursive else [target]:
        held = os.statvfs(where).f_flag
        kept = held & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME)
        if held & _STATVFS_RELATIME:
            kept |= MS_RELATIME
        mount("none", where, "", MS_BIND | MS_REMOUNT | kept | flags)


def points_below(target: str) -> list[str]:
    """The mount points at `target` and below, in the order of mounting, from /proc/self/mountinfo."""
    prefix = target.rstrip("/") + "/"
    found = [point for point in points() if point == target or point.startswith(prefix)]
    return found or [target]


def points(mountinfo: str = "/proc/self/mountinfo") -> tuple[str, ...]:
    """Every mount point that such a file tells of, once, in the order of mounting."""
    with open(mountinfo, "rb") as f:
        return tuple(dict.fromkeys(os.fsdecode(_unescape(line.split(b" ", 5)[4])) for line in f))


def type_at(path: str) -> str:
    """The type of the file system that holds `path`, from the longest mount point above it ("" when unknown)."""
    path = os.path.realpath(path)
    best, kind = "", ""
    try:
        with open("/proc/self/mountinfo", "rb") as f:
            for line in f:
                before, _, after = line.partition(b" - ")
                point = os.fsdecode(_unescape(before.split(b" ", 5)[4]))
                covers = path == point or path.startswith(point.rstrip("/") + "/")
                if covers and len(point) >= len(best):
                    best, kind = point, after.split(b" ", 1)[0].decode()
    except OSError:
        return ""
    return kind


def _unescape(field: bytes) -> bytes:
    if b"\\" not in field:
        return field
    parts = field.split(b"\\")
    return parts[0] + b"".join(bytes([int(p[:3], 8)]) + p[3:] for p in parts[1:])


def _led_to(found: "re.Match[str]") -> str:
    try:
        return os.readlink(found[0])
    except OSError:
        return found[0]


def tmpfs(target: str, size: int = 0, mode: int = 0o755, flags: int = 0) -> None:
    """Mount an empty tmpfs of at most `size` bytes (0: the kernel's default, half of the memory)."""
    options = f"mode={mode:o}" + (f",size={size}" if size else "")
    mount("tmpfs", target, "tmpfs", flags, options)


def pivot(new: str) -> None:
    """Make the mount point `new` the root of this mount namespace and let go of the old root altogether."""
    os.chdir(new)
    # With "." for both, the old root is stacked on the new one and is taken off through the working directory.
    libc.pivot_root(b".", b".")
    make_private(".", slave=True)
    unmount(".", detach=True)
    os.chdir("/")


class NewMount:
    """A file system being configured with fsopen(2) and fsconfig(2), which know no limit on the options' length."""

    def __init__(self, kind: str) -> None:
        """OSError(ENOSYS) before Linux 5.2."""
        self.fd = libc.syscall(libc.FSOPEN, kind.encode(), 1)

    def __enter__(self) -> "NewMount":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)

    def text(self, key: str, value: str) -> None:
        """Set an option that has a value."""
        self._config(1, key.encode(), os.fsencode(value))

    def flag(self, key: str) -> None:
        """Set an option without a value."""
        self._config(0, key.encode(), None)

    def attach(self, target: str, flags: int = 0) -> None:
        """Create the file system and mount it at `target` with the MS_ flags read-only, nosuid, nodev, noexec."""
        made = self.detached(flags)
        try:
            libc.syscall(libc.MOVE_MOUNT, made, b"", -100, os.fsencode(target), 4)
        finally:
            os.close(made)

    def detached(self, flags: int = 0) -> int:
        """Create the file system with these flags; a descriptor of its root, which is mounted nowhere."""
        if flags & MS_RDONLY:
            self.flag("ro")
        self._config(6, None, None)
        attributes = sum(a for f, a in _ATTR.items() if flags & f)
        return libc.syscall(libc.FSMOUNT, self.fd, 1, attributes)

    def messages(self) -> str:
        """What the kernel said about the configuration so far, one message a line, with the descriptors of this process
        as the paths that they lead to."""
        lines: list[str] = []
        while len(lines) < 20:
            try:
                line = os.read(self.fd, 4096).decode(errors="replace").strip()
            except OSError:
                break
            # Before each message stands how grave it is: e, w or i.
            lines.append(re.sub(r"/proc/self/fd/\d+", _led_to, line[2:] if line[1:2] == " " else line))
        return "\n".join(lines)

    def _config(self, command: int, key: bytes | None, value: Any) -> None:
        libc.syscall(libc.FSCONFIG, self.fd, command, key, value, 0)
