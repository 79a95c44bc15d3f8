"""Paths inside a root directory that is not ours: resolved so that no link and no `..` ever leaves it."""

import errno
import os
import stat
from collections.abc import Callable

from kezuri.linux import libc
from kezuri.linux.links import TooManyLinks, follow

IN_ROOT, NO_SYMLINKS, NO_MAGICLINKS = 0x10, 0x04, 0x02


def open_in(root: int, path: str, flags: int, links: bool = True) -> int:
    """Open `path` as if the directory `root` were `/`; without `links`, ELOOP when a component is a symlink.

    openat2(2): OSError(ENOSYS) before Linux 5.6. Links of /proc (magic links) are never followed.
    """
    import ctypes

    resolve = IN_ROOT | NO_MAGICLINKS | (0 if links else NO_SYMLINKS)
    how = (ctypes.c_uint64 * 3)(flags | os.O_CLOEXEC, 0, resolve)
    name = os.fsencode(path) or b"."
    for _ in range(64):
        try:
            return libc.syscall(libc.OPENAT2, root, name, how, ctypes.sizeof(how))
        except OSError as e:
            # EAGAIN: something was renamed meanwhile and the kernel could not rule out an escape.
            if e.errno not in (errno.EAGAIN, errno.EINTR):
                raise OSError(e.errno, e.strerror, path) from None
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)


def look(root: int, path: str) -> os.stat_result | None:
    """The lstat of `path` in the directory `root`, no link followed on the way; None when nothing is there."""
    try:
        fd = open_in(root, path, os.O_PATH | os.O_NOFOLLOW, links=False)
    except OSError as e:
        if e.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return None
        raise
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def read_link(root: int, path: str) -> str:
    """The target of the symlink `path` in the directory `root`, no other link followed on the way."""
    fd = open_in(root, path, os.O_PATH | os.O_NOFOLLOW, links=False)
    try:
        return os.readlink("", dir_fd=fd)
    finally:
        os.close(fd)


def resolve(path: str, look: Callable[[str], os.stat_result | None], link: Callable[[str], str]) -> str:
    """The canonical form of `path`, absolute, every link followed within the root; missing components stay.

    `look` gives the lstat of a canonical path or None, `link` the target of a symlink. OSError(ELOOP) after 255 links,
    OSError(ENOTDIR) when a component before the last is no directory.
    """

    def target(inside: str, more: bool) -> str | None:
        found = look(f"/{inside}")
        if found is None:
            return None
        if stat.S_ISLNK(found.st_mode):
            return link(f"/{inside}")
        if more and not stat.S_ISDIR(found.st_mode):
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), f"/{inside}")
        return None

    try:
        return f"/{follow(path, target)}"
    except TooManyLinks:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from None


def make_point(root: int, path: str, directory: bool) -> int:
    """Open (O_PATH) the canonical `path` in `root`, made with its parents (0755) when it is missing.

    OSError(ELOOP) when a component turns out to be a symlink, ENOTDIR or EISDIR when it is of the other kind.
    """
    parts = [part for part in path.split("/") if part]
    here = open_in(root, ".", os.O_PATH | os.O_DIRECTORY)
    try:
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            as_directory = directory or not last
            at = "/".join(parts[: i + 1])
            try:
                below = open_in(root, at, os.O_PATH | (os.O_DIRECTORY if as_directory else 0), links=False)
            except FileNotFoundError:
                if as_directory:
                    os.mkdir(part, 0o755, dir_fd=here)
                else:
                    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
                    os.close(os.open(part, flags, 0o644, dir_fd=here))
                below = open_in(root, at, os.O_PATH | (os.O_DIRECTORY if as_directory else 0), links=False)
            os.close(here)
            here = below
        if not directory and stat.S_ISDIR(os.fstat(here).st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        kept, here = here, -1
        return kept
    finally:
        if here >= 0:
            os.close(here)
