"""Overlay mounts of any number of layer directories."""

import errno
import os
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from kezuri.linux import idmaps, mounts
from kezuri.linux.directory import make_plain

_T = TypeVar("_T")

MOST_LOWERS = 500
"""The kernel's limit on the layers of one overlay (fs/overlayfs, OVL_MAX_STACK)."""

# Neither redirects nor metadata-only copies: each upper directory must mean the same without its lowers, and a
# redirect that somebody smuggled into a layer must lead nowhere. Each is an option of its own, left out where the
# kernel does not take it.
_WISHES = (("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off"))


def make_writable(upper: str, work: str, lowers: Sequence[str]) -> None:
    """Make the directories that an overlay over `lowers` (topmost first) is written to.

    The upper directory's own metadata is what the root of the merged tree shows: it takes over that of the topmost
    layer, 0755 and the caller's ids without any.
    """
    make_plain(work)
    make_plain(upper)
    if lowers:
        status = os.stat(lowers[0])
        if (status.st_uid, status.st_gid) != (0, 0):
            os.chown(upper, status.st_uid, status.st_gid)
        os.chmod(upper, status.st_mode & 0o7777)
        os.utime(upper, ns=(status.st_mtime_ns, status.st_mtime_ns))


def mount(target: str, lowers: Sequence[str], upper: str = "", work: str = "", flags: int = 0) -> None:
    """Mount the merged view of `lowers`, topmost first, at `target`; writable when `upper` and `work` are given.

    The same directory may be given more than once. One lower without `upper` is bound as it is: its whiteouts are to be
    seen then. Paths may hold any character. `upper` is not synced to disk when it is unmounted (the `volatile` option)
    where the kernel can do so: whoever publishes it syncs what he publishes. OSError names the target, with the
    kernel's own words where it gives any.
    """
    # Open directories under short names: no limit on the length of mount options, and no character to escape.
    fds: list[int] = []
    try:
        paths = (*((upper, work) if upper else ()), *lowers)
        fds.extend(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in paths)
        names = [str(fd) for fd in fds]
        above = (names[0], names[1]) if upper else None
        below = [str(fd) for fd in distinct(fds[2:] if upper else fds, _identity)]
        if len(below) == 1 and above is None:
            mounts.bind(f"/proc/self/fd/{below[0]}", target)
            mounts.restrict(target, flags)
            return
        if not _new_call(target, below, above, flags):
            _old_call(target, below, above, flags)
    finally:
        for fd in fds:
            os.close(fd)


def distinct(lowers: Sequence[_T], key: Callable[[_T], Hashable]) -> list[_T]:
    """The layers, topmost first, each at its topmost place only; `key` is equal for layers with the same content.

    The kernel refuses a directory that is named twice. What a layer says of a name (a file, a link, a whiteout, an
    opaque directory) hides what lies below, and what it says of a plain directory is that its own entries are in it.
    At its lower place it can but say again what it has said above everything that lies between: the merged tree is the
    same without.
    """
    found: dict[Hashable, _T] = {}
    for layer in lowers:
        found.setdefault(key(layer), layer)
    return list(found.values())


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _new_call(target: str, lowers: list[str], above: tuple[str, str] | None, flags: int) -> bool:
    """Mount through fsconfig(2); False when the kernel has no `lowerdir+` (before 6.7) or no fsopen."""
    try:
        new = mounts.NewMount("overlay")
    except OSError as e:
        if e.errno in (errno.ENOSYS, errno.EPERM):
            return False
        raise
    with new:
        try:
            new.text("source", "overlay")
            for name in lowers:
                new.text("lowerdir+", f"/proc/self/fd/{name}")
        except OSError as e:
            if e.errno == errno.EINVAL:
                return False
            raise OSError(e.errno, new.messages() or e.strerror, target) from None
        try:
            if above is not None:
                new.text("upperdir", f"/proc/self/fd/{above[0]}")
                new.text("workdir", f"/proc/self/fd/{above[1]}")
            for key, value in _wishes(above is not None):
                try:
                    if value:
                        new.text(key, value)
                    else:
                        new.flag(key)
                except OSError as e:
                    if e.errno != errno.EINVAL:
                        raise
            new.attach(target, flags)
        except OSError as e:
            raise OSError(e.errno, new.messages() or e.strerror, target) from None
    return True


def _old_call(target: str, lowers: list[str], above: tuple[str, str] | None, flags: int) -> None:
    """Mount through mount(2), whose options fit one page: relative names from /proc/self/fd keep them short."""
    base = f"lowerdir={':'.join(lowers)}"
    if above is not None:
        base += f",upperdir={above[0]},workdir={above[1]}"
    wishes = list(_wishes(above is not None))
    here = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    target = os.path.abspath(target)
    try:
        os.chdir("/proc/self/fd")
        while True:
            options = base + "".join(f",{k}={v}" if v else f",{k}" for k, v in wishes)
            try:
                return mounts.mount("overlay", target, "overlay", flags, options)
            except OSError as e:
                if e.errno != errno.EINVAL or not wishes or wishes == [("userxattr", "")]:
                    raise
                wishes.pop(1 if wishes[0][0] == "userxattr" else 0)
    finally:
        os.fchdir(here)
        os.close(here)


def _wishes(writable: bool) -> Sequence[tuple[str, str]]:
    if not idmaps.is_initial_user():
        # With userxattr the kernel follows no redirects and refuses to hear of them.
        return (("userxattr", ""), ("volatile", "")) if writable else (("userxattr", ""),)
    return (("volatile", ""), *_WISHES) if writable else _WISHES
