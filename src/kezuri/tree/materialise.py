"""Writes a recipe's entries into a new directory, for steps that run on top of it."""

import errno
import os
from collections.abc import Callable, Iterable

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Content, Entry, Item, leads_elsewhere
from kezuri.linux.descriptors import write_all
from kezuri.linux.directory import make_plain
from kezuri.linux.disk import disk_error

_SMALL = 1 << 20


def materialise(items: Iterable[Item], directory: str, warn: Callable[[str], None] | None = None) -> None:
    """Write the entries into `directory`, which must not exist yet.

    Entries come with parents before children, each path once, hard links after their first name, as recipes give
    them; nothing is followed or replaced. A file that changed since it was looked at is an error: see
    `verify_unchanged`. With `warn`, devices that a user namespace may not make are left out, as they are where layers
    are unpacked, and it hears of the first one. KezuriError when the disk is full or an owner cannot be given.
    """
    make_plain(directory)
    root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    directories: list[Entry] = []
    left_out: list[str] = []
    own = (os.geteuid(), os.getegid())
    try:
        for entry, content in items:
            try:
                _write(root, entry, content, own)
            except OSError as error:
                if warn is not None and error.errno == errno.EPERM and entry.kind in ("char", "block"):
                    left_out.append(entry.path)
                    continue
                raise _explain(error, entry, directory) from error
            if entry.kind == "dir":
                directories.append(entry)
        for entry in reversed(directories):
            os.utime(entry.path, ns=(entry.mtime, entry.mtime), dir_fd=root, follow_symlinks=False)
    finally:
        os.close(root)
    if left_out and warn is not None:
        more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
        warn(f"left out the device /{left_out[0]}{more}: making it needs real root")


def _write(root: int, entry: Entry, content: Content, own: tuple[int, int]) -> None:
    path, kind, mode = entry.path, entry.kind, entry.mode
    owned = (entry.uid, entry.gid) == own
    if kind == "file":
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=root)
        try:
            _fill(target, content, entry.size)
            if not owned:
                os.fchown(target, entry.uid, entry.gid)
            os.fchmod(target, mode)
            for name, value in entry.xattrs:
                os.setxattr(target, name, value)
            os.utime(target, ns=(entry.mtime, entry.mtime))
        finally:
            os.close(target)
        return
    if kind == "dir":
        os.mkdir(path, 0o700, dir_fd=root)
    elif kind == "symlink":
        os.symlink(entry.link, path, dir_fd=root)
    elif kind == "hardlink":
        os.link(entry.link, path, src_dir_fd=root, dst_dir_fd=root, follow_symlinks=False)
        return
    elif kind == "fifo":
        os.mkfifo(path, 0o600, dir_fd=root)
    elif kind in ("char", "block"):
        import stat

        os.mknod(
            path, (stat.S_IFCHR if kind == "char" else stat.S_IFBLK) | 0o600, os.makedev(*entry.device), dir_fd=root
        )
    if not owned:
        os.chown(path, entry.uid, entry.gid, dir_fd=root, follow_symlinks=False)
    if kind != "symlink":
        os.chmod(path, mode, dir_fd=root)
        if entry.xattrs:
            opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=root)
            try:
                for name, value in entry.xattrs:
                    os.setxattr(opened, name, value)
            finally:
                os.close(opened)
    if kind != "dir":
        os.utime(path, ns=(entry.mtime, entry.mtime), dir_fd=root, follow_symlinks=False)


def _fill(target: int, content: Content, size: int) -> None:
    if content is None:
        return
    if isinstance(content, bytes):
        write_all(target, content)
        return
    source = os.open(content, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if leads_elsewhere(content, source):
            raise KezuriError.of(f'"{content}" changed during the build', hint="Build again when it is left alone.")
        if size <= _SMALL:
            write_all(target, os.read(source, size + 1))
            return
        while os.sendfile(target, source, None, 16 << 20):
            pass
    finally:
        os.close(source)


def _explain(error: OSError, entry: Entry, directory: str) -> KezuriError:
    if error.errno in (errno.EPERM, errno.EINVAL) and entry.kind not in ("char", "block"):
        return KezuriError.of(
            f"/{entry.path} cannot be given the owner {entry.uid}:{entry.gid}: {error.strerror}",
            hint="an ordinary user needs subordinate ids for this (/etc/subuid, newuidmap): see `kezuri doctor`",
            exit_code=125,
        )
    return disk_error(error, os.path.join(directory, entry.path))
