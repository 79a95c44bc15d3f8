"""Entries made on a disk, each in one way, with their owners, modes, attributes and times."""

import os
import stat
from collections.abc import Callable
from typing import BinaryIO, Final

from kezuri.diagnostics import KezuriError
from kezuri.layer.anchored import AnchoredTree, umask
from kezuri.layer.entry import Content, Entry, leads_elsewhere
from kezuri.layer.recording import written
from kezuri.linux.descriptors import write_all

PIECE: Final = 1 << 20
"""How many bytes of a file are held in memory at most."""

Source = Content | BinaryIO
"""Where the bytes of a file that is made come from: like Content, or a reader of exactly as many as the entry says."""

Lost = Callable[[Entry, str, OSError], None]
"""Hears of an extended attribute that a file did not take, by its name; what it raises ends the making."""


class DeviceRefused(PermissionError):
    """A device node that this process may not make: no user namespace may."""


class Maker:
    """Makes entries in a tree: where nothing is, in directories that are there.

    No link in the tree is followed. Operations give OSError: FileExistsError where something is in the way.
    """

    def __init__(
        self,
        tree: AnchoredTree,
        *,
        fresh: bool = True,
        owners: bool = True,
        recorded: bool = False,
        lost: Lost | None = None,
    ) -> None:
        """`fresh` says that the tree was an empty directory, and nobody else's; without `owners` everything belongs to
        the caller, and so it does when owners are `recorded` in attributes (`recording.py`). Without `lost` an
        attribute that a file does not take is an OSError."""
        self._tree = tree
        self._owners = owners and not recorded
        self._recorded = recorded
        self._lost = lost
        self._own = (os.geteuid(), os.getegid())
        # In a directory that hands on its group or its ACL, new entries do not get the mode and group that are asked
        # for.
        self._inherits = tree.inherits or not fresh
        self._masked = 0o777 if self._inherits else umask()

    def make(self, entry: Entry, source: Source = None) -> None:
        """Make one entry. A directory, which may be there already, gets what it is to be like by `settle`.
        DeviceRefused, and KezuriError when a file is another one than was looked at."""
        if self._recorded:
            entry = written(entry)
        if entry.kind == "file":
            self._file(entry, source)
        elif entry.kind == "dir":
            # Made with its final mode where that lets us enter it, `settle` has less to do.
            self._tree.make_directory(entry.path, entry.mode & 0o1777 | 0o700)
        elif entry.kind == "hardlink":
            self._link(entry)
        else:
            self._special(entry)

    def settle(self, entry: Entry) -> None:
        """Give a directory its owner, mode, attributes and times: when all that lies in it is made, which changes its
        times, and which its mode may forbid."""
        if self._recorded:
            entry = written(entry)
        path, mode, owner = entry.path, entry.mode, (entry.uid, entry.gid)
        if path:
            above, base = self._tree.parent(path)
            status = os.stat(base, dir_fd=above, follow_symlinks=False)
        else:
            status = os.fstat(self._tree.at(""))
        chown = self._owners and (status.st_uid, status.st_gid) != owner
        chmod = chown or stat.S_IMODE(status.st_mode) != mode
        if path and stat.S_ISDIR(status.st_mode) and not (chown or chmod or entry.xattrs):
            os.utime(base, ns=(entry.mtime, entry.mtime), dir_fd=above, follow_symlinks=False)
            return
        descriptor = self._tree.at(path)
        if chown:
            os.fchown(descriptor, *owner)
        if entry.xattrs:
            self._set_attributes(entry, descriptor)
        os.utime(descriptor, ns=(entry.mtime, entry.mtime))
        if chmod:
            os.fchmod(descriptor, mode)

    def _file(self, entry: Entry, source: Source) -> None:
        mode, mtime = entry.mode, entry.mtime
        descriptor = self._tree.create(entry.path, mode & 0o777)
        try:
            _fill(descriptor, source, entry.size)
            if self._chowns(entry):
                os.fchown(descriptor, entry.uid, entry.gid)
            # Changing the owner takes set-id bits and capabilities away, so they come after it.
            if mode & (0o7000 | self._masked):
                os.fchmod(descriptor, mode)
            if entry.xattrs:
                self._set_attributes(entry, descriptor)
            os.utime(descriptor, ns=(mtime, mtime))
        finally:
            os.close(descriptor)

    def _link(self, entry: Entry) -> None:
        above, name = self._tree.parent(entry.link)
        # The second look-up may close the first descriptor.
        first = os.dup(above)
        try:
            descriptor, base = self._tree.parent(entry.path)
            os.link(name, base, src_dir_fd=first, dst_dir_fd=descriptor, follow_symlinks=False)
        finally:
            os.close(first)

    def _special(self, entry: Entry) -> None:
        path, kind, mode, uid, gid, _, mtime, link, device, xattrs = entry
        descriptor, base = self._tree.parent(path)
        if kind == "symlink":
            os.symlink(link, base, dir_fd=descriptor)
        elif kind == "fifo":
            os.mkfifo(base, mode & 0o777, dir_fd=descriptor)
        else:
            form = stat.S_IFCHR if kind == "char" else stat.S_IFBLK
            try:
                os.mknod(base, form | mode & 0o777, os.makedev(*device), dir_fd=descriptor)
            except PermissionError as error:
                raise DeviceRefused(*error.args) from error
        if self._chowns(entry):
            os.chown(base, uid, gid, dir_fd=descriptor, follow_symlinks=False)
        if kind != "symlink" and mode & (0o7000 | self._masked):
            # What was just made is no link, so this follows nothing.
            os.chmod(base, mode, dir_fd=descriptor)
        if xattrs:
            self._set_attributes(entry, f"/proc/self/fd/{descriptor}/{base}")
        os.utime(base, ns=(mtime, mtime), dir_fd=descriptor, follow_symlinks=False)

    def _chowns(self, entry: Entry) -> bool:
        return self._owners and ((entry.uid, entry.gid) != self._own or self._inherits)

    def _set_attributes(self, entry: Entry, where: int | str) -> None:
        for name, value in entry.xattrs:
            try:
                if isinstance(where, int):
                    os.setxattr(where, name, value)
                else:
                    os.setxattr(where, name, value, follow_symlinks=False)
            except OSError as error:
                if self._lost is None:
                    raise
                self._lost(entry, name, error)


def _fill(target: int, source: Source, size: int) -> None:
    if source is None:
        return
    if isinstance(source, bytes):
        write_all(target, source)
    elif isinstance(source, str):
        _copy(target, source, size)
    elif size <= PIECE:
        write_all(target, source.read())
    else:
        while piece := source.read(PIECE):
            write_all(target, piece)


def _copy(target: int, path: str, size: int) -> None:
    # A name that became a link is not followed, and one that became a pipe does not block.
    source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if leads_elsewhere(path, source):
            raise KezuriError.of(f'"{path}" changed during the build', hint="Build again when it is left alone.")
        if size <= PIECE:
            # One byte more than expected is asked for, so that growth shows.
            write_all(target, os.read(source, size + 1))
            return
        while os.sendfile(target, source, None, 16 << 20):
            pass
    finally:
        os.close(source)
