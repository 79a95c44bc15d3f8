"""Layer tars to directories: in overlay form, or applied onto a plain root."""

import errno
import os
import stat
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from kezuri.diagnostics import KezuriError
from kezuri.layer.anchored import AnchoredTree, umask
from kezuri.layer.decompression import Decompressed
from kezuri.layer.entry import AUFS_LINKS, Entry
from kezuri.layer.listing import KEPT, Listing
from kezuri.layer.placement import Placement, inherited
from kezuri.layer.read_ahead import ReadAhead
from kezuri.layer.tar_reader import read_tar
from kezuri.layer.view import View

_CHUNK = 1 << 20
_MOST_COPIED = 1 << 30
_IDS_HINT = "add ranges for this user to /etc/subuid and /etc/subgid and install newuidmap and newgidmap"

Warn = Callable[[str], None]


def unpack(
    stream: BinaryIO,
    directory: str,
    *,
    lower: View | None,
    userxattr: bool,
    where: str,
    limit: int | None = None,
    hasher: Any = None,
    warn: Warn | None = None,
) -> Listing:
    """Unpack a layer, compressed or not, into an empty directory in overlay form; what it contained.

    Whiteouts become character devices 0:0; opaque directories get `user.overlay.opaque` (with `userxattr`) or
    `trusted.overlay.opaque`. `lower` is what lies below: parents that the tar does not describe take their metadata
    from there, through links (otherwise 0755, owner 0:0), and hard links to files of lower layers become copies.
    Nothing outside `directory` is touched, whatever the tar says. `limit` bounds the plain bytes; `hasher` (of hashlib)
    gets them all, for the diff id; `warn` hears about what could not be made (device nodes in a user namespace).
    KezuriError, naming `where`, for a tar that is not sound, an owner that this user namespace cannot give, or a disk
    that is full; the directory is then half written.
    """
    with AnchoredTree(directory) as tree:
        overlay = "user.overlay.opaque" if userxattr else "trusted.overlay.opaque"
        target = _Target(tree, where, lower, overlay, warn, owners=True)
        return _run(target, stream, where, limit, hasher)


def unpack_flat(
    stream: BinaryIO,
    directory: str,
    *,
    where: str,
    owners: bool = True,
    limit: int | None = None,
    hasher: Any = None,
    warn: Warn | None = None,
) -> Listing:
    """Apply a layer, compressed or not, onto a plain root directory; what the layer contained.

    Whiteouts remove what earlier layers left there. Without `owners` everything belongs to the caller. Otherwise as
    `unpack`.
    """
    from kezuri.layer.plain_root import PlainRoot

    with AnchoredTree(directory) as tree:
        target = _Target(tree, where, PlainRoot(directory), "", warn, owners)
        return _run(target, stream, where, limit, hasher)


def _run(target: "_Target", stream: BinaryIO, where: str, limit: int | None, hasher: Any) -> Listing:
    path = ""
    try:
        with ReadAhead(Decompressed(stream, where, limit), hasher) as pieces:
            for number, (entry, data) in enumerate(read_tar(cast(BinaryIO, pieces), where)):
                path = entry.path
                target.add(entry, data, number)
        path = "its directories"
        target.finish()
    except OSError as error:
        raise _cannot(where, path, error) from error
    return Listing.of_placement(target.placed, target.kept)


class _Target:
    """One layer on its way to the disk. `overlay` is the name of the opaque mark; empty: a plain root."""

    def __init__(
        self, tree: AnchoredTree, where: str, lower: View | None, overlay: str, warn: Warn | None, owners: bool
    ) -> None:
        self._tree = tree
        self._where = where
        self._lower = lower
        self._overlay = overlay
        self._warn = warn
        self._own = (os.geteuid(), os.getegid())
        self._owners = owners
        # In a plain root, directories of earlier layers may hand on their group (set-group-id) or their ACL.
        self._chown_all = tree.inherits or not overlay
        self._umask = 0o777 if self._chown_all else umask()
        self.placed = Placement(where, lower)
        self.kept: dict[str, bytes] = {}
        self._inherited: dict[str, Entry] = {}
        self._copies: dict[str, Entry] = {}

    def add(self, entry: Entry, data: BinaryIO | None, number: int) -> None:
        """Place one entry of the tar and make it."""
        name = entry.path
        placed = self.placed
        entry = placed.place(entry)
        path, kind = entry.path, entry.kind
        if path in KEPT:
            self.kept.pop(path, None)
        if kind in ("whiteout", "opaque"):
            self._hide(path, kind)
            return
        parent = path.rpartition("/")[0]
        if not placed.directory(parent):
            self._make_parents(parent)
        made = placed.put(entry, number, name)
        if made is not entry:
            # A hard link to itself.
            return
        if kind == "file":
            assert data is not None
            self._file(entry, data)
        elif kind == "dir":
            self._directory(entry)
        elif kind == "hardlink":
            self._hardlink(entry)
        else:
            self._retried(self._special, entry)

    def finish(self) -> None:
        """The metadata of directories, deepest first: times change while children are made, and a directory may
        forbid its owner to enter."""
        placed = self.placed
        if placed.drop_links_of_aufs():
            self._tree.remove(AUFS_LINKS)
        if self._overlay:
            for path in placed.opaque:
                self._mark(path)
        for path in sorted(placed.names, key=lambda path: path.count("/") if path else -1, reverse=True):
            entry = placed.nodes.get(path)
            if entry is None:
                if not path:
                    if not self._overlay:
                        continue
                    self._remember("")
                entry = self._inherited.get(path)
            self._settle(path, entry or Entry(path, "dir", 0o755))

    def _hide(self, path: str, kind: str) -> None:
        placed = self.placed
        own = path if kind == "opaque" else path.rpartition("/")[0]
        if own and not placed.directory(own):
            self._make_parents(own)
        had = placed.nodes.get(path)
        made = placed.put(Entry(path, "whiteout" if kind == "whiteout" else "opaque", 0))
        if self._overlay:
            if made is not None:
                descriptor, base = self._tree.parent(path)
                try:
                    os.mknod(base, stat.S_IFCHR, 0, dir_fd=descriptor)
                except PermissionError as error:
                    raise KezuriError.of(
                        f"{self._where}: cannot make a whiteout for {path!r}: {error.strerror}",
                        hint="a user namespace can make them since Linux 5.8",
                    ) from error
        elif placed.directory(path):
            self._tree.clear(path, self._is_own)
        elif had is None and path and self._exists_below(path):
            self._tree.remove(path)

    def _exists_below(self, path: str) -> bool:
        """Whether a plain root has something there; without following links, or minding missing parents."""
        return self._lower is not None and self._lower.lookup(path) is not None

    def _is_own(self, path: str) -> bool:
        node = self.placed.nodes.get(path)
        return self.placed.directory(path) or (node is not None and node.kind != "whiteout")

    def _make_parents(self, path: str) -> None:
        """Directories that no entry has described, at least not yet."""
        missing = []
        while not self.placed.directory(path):
            missing.append(path)
            path = path.rpartition("/")[0]
        for path in reversed(missing):
            # The placement refuses what is no directory before anything is made.
            node = self.placed.nodes.get(path)
            if node is not None and node.kind == "whiteout" and self._overlay:
                self._tree.remove(path)
            self._remember(path)
            self.placed.imply(path)
            try:
                self._tree.make_directory(path)
            except FileExistsError:
                self._tree.remove(path)
                self._tree.make_directory(path)

    def _retried(self, make: Callable[[Entry], None], entry: Entry) -> None:
        try:
            make(entry)
        except FileExistsError:
            # An earlier entry of the same name, a whiteout of it, or, in a plain root, an earlier layer's.
            self._tree.remove(entry.path)
            make(entry)

    def _file(self, entry: Entry, data: BinaryIO) -> None:
        path, _, mode, uid, gid, size, mtime, _, _, xattrs = entry
        try:
            descriptor = self._tree.create(path, mode & 0o777)
        except FileExistsError:
            self._tree.remove(path)
            descriptor = self._tree.create(path, mode & 0o777)
        try:
            if size <= _CHUNK:
                content = data.read()
                if path in KEPT:
                    self.kept[path] = content
                _write(descriptor, content)
            else:
                self.kept.pop(path, None)
                left = size
                while left:
                    content = data.read(_CHUNK)
                    left -= len(content)
                    _write(descriptor, content)
            if self._owners and ((uid, gid) != self._own or self._chown_all):
                os.fchown(descriptor, uid, gid)
            # Changing the owner takes set-id bits and capabilities away, so they come after it.
            if mode & (0o7000 | self._umask):
                os.fchmod(descriptor, mode)
            if xattrs:
                self._set_xattrs(path, descriptor, xattrs)
            os.utime(descriptor, ns=(mtime, mtime))
        finally:
            os.close(descriptor)

    def _directory(self, entry: Entry) -> None:
        path = entry.path
        if not path:
            return
        # With its final mode where that lets us in; the rest is for the end.
        mode = entry.mode & 0o777 | 0o700
        try:
            self._tree.make_directory(path, mode)
        except FileExistsError:
            self._tree.remove(path)
            self._tree.make_directory(path, mode)
        if not self._overlay and path in self.placed.opaque:
            self._tree.clear(path, self._is_own)

    def _hardlink(self, entry: Entry) -> None:
        first = self.placed.nodes.get(entry.link)
        if first is not None and first.kind != "whiteout":
            self._retried(self._link, entry)
            return
        if not self._overlay:
            self._retried(self._link, entry)
            return
        # Two links to one file of a lower layer are still one file.
        copy = self._copies.get(entry.link)
        if copy is not None and self.placed.nodes.get(copy.path) is copy:
            self._retried(self._link, entry._replace(link=copy.path))
            return
        self._copies[entry.link] = entry
        below = self._lower.lookup(entry.link) if self._lower is not None else None
        assert below is not None and self._lower is not None
        copied = below._replace(path=entry.path)
        if below.kind != "file":
            self._retried(self._special, copied)
            return
        content = self._lower.read(entry.link, _MOST_COPIED)
        if content is None:
            raise KezuriError.of(
                f"{self._where}: {entry.path!r} is a hard link to {entry.link!r} of a lower layer, "
                f"which is larger than {_MOST_COPIED} bytes"
            )
        import io

        self._file(copied._replace(size=len(content)), io.BytesIO(content))

    def _link(self, entry: Entry) -> None:
        above, name = self._tree.parent(entry.link)
        # The second look-up may close the first descriptor.
        source = os.dup(above)
        try:
            descriptor, base = self._tree.parent(entry.path)
            os.link(name, base, src_dir_fd=source, dst_dir_fd=descriptor, follow_symlinks=False)
        finally:
            os.close(source)

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
            except PermissionError:
                # A user namespace may not make devices; containers get their /dev from the runtime.
                if self._warn is not None:
                    self._warn(f"{self._where}: left out the device {path}: making it needs real root")
                return
        if self._owners and ((uid, gid) != self._own or self._chown_all):
            os.chown(base, uid, gid, dir_fd=descriptor, follow_symlinks=False)
        if kind != "symlink" and mode & (0o7000 | self._umask):
            # What was just made is no link, so this follows nothing.
            os.chmod(base, mode, dir_fd=descriptor)
        if xattrs:
            self._set_xattrs(path, f"/proc/self/fd/{descriptor}/{base}", xattrs)
        os.utime(base, ns=(mtime, mtime), dir_fd=descriptor, follow_symlinks=False)

    def _settle(self, path: str, entry: Entry) -> None:
        _, _, mode, uid, gid, _, mtime, _, _, xattrs = entry
        if path:
            above, base = self._tree.parent(path)
            status = os.stat(base, dir_fd=above, follow_symlinks=False)
        else:
            status = os.fstat(self._tree.at(""))
        chown = self._owners and (status.st_uid, status.st_gid) != (uid, gid)
        chmod = chown or stat.S_IMODE(status.st_mode) != mode
        if path and not chown and not chmod and not xattrs:
            os.utime(base, ns=(mtime, mtime), dir_fd=above, follow_symlinks=False)
            return
        descriptor = self._tree.at(path)
        if chown:
            os.fchown(descriptor, uid, gid)
        if xattrs:
            self._set_xattrs(path, descriptor, xattrs)
        os.utime(descriptor, ns=(mtime, mtime))
        if chmod:
            os.fchmod(descriptor, mode)

    def _remember(self, path: str) -> None:
        """Keep what lower layers say of a directory, before a plain root's changes."""
        found = inherited(self._lower, path) if self._lower is not None else None
        if found is not None:
            self._inherited[path] = found

    def _mark(self, path: str) -> None:
        try:
            os.setxattr(self._tree.at(path), self._overlay, b"y")
        except OSError as error:
            raise KezuriError.of(
                f"{self._where}: cannot mark {path or '/'!r} as opaque ({self._overlay}): {error.strerror}",
                hint="the store must be on a file system with extended attributes",
            ) from error

    def _set_xattrs(self, path: str, where: int | str, xattrs: tuple[tuple[str, bytes], ...]) -> None:
        for name, value in xattrs:
            try:
                if isinstance(where, int):
                    os.setxattr(where, name, value)
                else:
                    os.setxattr(where, name, value, follow_symlinks=False)
            except OSError as error:
                # Without file capabilities a program would fail much later, so that is said; others are only lost.
                if error.errno not in (errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EINVAL):
                    raise
                if self._warn is not None:
                    self._warn(f"{self._where}: {path}: cannot set {name}: {error.strerror}")


def _write(descriptor: int, content: bytes) -> None:
    written = os.write(descriptor, content) if content else 0
    while written < len(content):
        written += os.write(descriptor, memoryview(content)[written:])


def _cannot(where: str, path: str, error: OSError) -> KezuriError:
    if error.errno in (errno.EPERM, errno.EINVAL):
        return KezuriError.of(
            f"{where}: cannot make {path}: {error.strerror}; perhaps this user namespace does not have its owner's id",
            hint=_IDS_HINT,
            exit_code=125,
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KezuriError.of(
            f"{where}: no space left for {path}", hint="free some space, for instance by a prune", exit_code=125
        )
    return KezuriError.of(f"{where}: cannot make {path}: {error.strerror or error}")
