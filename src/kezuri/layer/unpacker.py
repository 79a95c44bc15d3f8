"""Layer tars to directories in overlay form: what they hold is placed, and what they remove is marked."""

import errno
import os
import stat
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from kezuri.diagnostics import KezuriError
from kezuri.layer.anchored import AnchoredTree
from kezuri.layer.decompression import Decompressed
from kezuri.layer.entry import AUFS_LINKS, Entry
from kezuri.layer.listing import KEPT, MOST_KEPT, Listing
from kezuri.layer.maker import DeviceRefused, Maker, Source
from kezuri.layer.placement import Placement, inherited
from kezuri.layer.read_ahead import ReadAhead
from kezuri.layer.tar_reader import read_tar
from kezuri.layer.view import View
from kezuri.linux.userns import shortcoming

_MOST_COPIED = 1 << 30

Warn = Callable[[str], None]


def unpack(
    stream: BinaryIO,
    directory: str,
    *,
    lower: View | None,
    userxattr: bool,
    recorded: bool = False,
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
    gets them all, for the diff id; `warn` hears about what could not be made (device nodes in a user namespace). Where
    owners are `recorded`, in attributes, everything belongs to the caller, and files stand for device nodes.
    KezuriError, naming `where`, for a tar that is not sound, an owner that this user namespace cannot give, or a disk
    that is full; the directory is then half written.
    """
    with AnchoredTree(directory) as tree:
        overlay = "user.overlay.opaque" if userxattr else "trusted.overlay.opaque"
        target = _Target(tree, where, lower, overlay, warn, recorded)
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
    """One layer on its way to the disk. `overlay` is the name of the opaque mark."""

    def __init__(
        self, tree: AnchoredTree, where: str, lower: View | None, overlay: str, warn: Warn | None, recorded: bool
    ) -> None:
        self._tree = tree
        self._maker = Maker(tree, recorded=recorded, lost=self._lost)
        self._where = where
        self._lower = lower
        self._overlay = overlay
        self._warn = warn
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
        if kind == "hardlink":
            self._hardlink(entry)
        elif path in KEPT and data is not None and entry.size <= MOST_KEPT:
            self.kept[path] = content = data.read()
            self._make(entry, content)
        elif path:
            self._make(entry, data)

    def finish(self) -> None:
        """The metadata of directories, deepest first: times change while children are made, and a directory may
        forbid its owner to enter."""
        placed = self.placed
        if placed.drop_links_of_aufs():
            self._tree.remove(AUFS_LINKS)
        for path in placed.opaque:
            self._mark(path)
        for path in sorted(placed.names, key=lambda path: path.count("/") if path else -1, reverse=True):
            entry = placed.nodes.get(path)
            if entry is None:
                if not path:
                    self._remember("")
                entry = self._inherited.get(path)
            self._maker.settle(entry or Entry(path, "dir", 0o755))

    def _hide(self, path: str, kind: str) -> None:
        placed = self.placed
        own = path if kind == "opaque" else path.rpartition("/")[0]
        if own and not placed.directory(own):
            self._make_parents(own)
        made = placed.put(Entry(path, "whiteout" if kind == "whiteout" else "opaque", 0))
        if made is None:
            return
        descriptor, base = self._tree.parent(path)
        try:
            os.mknod(base, stat.S_IFCHR, 0, dir_fd=descriptor)
        except PermissionError as error:
            raise KezuriError.of(
                f"{self._where}: cannot make a whiteout for {path!r}: {error.strerror}",
                hint="a user namespace can make them since Linux 5.8",
            ) from error

    def _make_parents(self, path: str) -> None:
        """Directories that no entry has described, at least not yet."""
        missing = []
        while not self.placed.directory(path):
            missing.append(path)
            path = path.rpartition("/")[0]
        for path in reversed(missing):
            # The placement refuses what is no directory before anything is made.
            node = self.placed.nodes.get(path)
            if node is not None and node.kind == "whiteout":
                self._tree.remove(path)
            self._remember(path)
            self.placed.imply(path)
            self._make(Entry(path, "dir", 0))

    def _make(self, entry: Entry, source: Source = None) -> None:
        try:
            try:
                self._maker.make(entry, source)
            except FileExistsError:
                # An earlier entry of the same name, or a whiteout of it.
                self._tree.remove(entry.path)
                self._maker.make(entry, source)
        except DeviceRefused:
            # A user namespace may not make devices; containers get their /dev from the runtime.
            if self._warn is not None:
                self._warn(f"{self._where}: left out the device {entry.path}: making it needs real root")

    def _hardlink(self, entry: Entry) -> None:
        first = self.placed.nodes.get(entry.link)
        if first is not None and first.kind != "whiteout":
            self._make(entry)
            return
        # Two links to one file of a lower layer are still one file.
        copy = self._copies.get(entry.link)
        if copy is not None and self.placed.nodes.get(copy.path) is copy:
            self._make(entry._replace(link=copy.path))
            return
        self._copies[entry.link] = entry
        below = self._lower.lookup(entry.link) if self._lower is not None else None
        assert below is not None and self._lower is not None
        copied = below._replace(path=entry.path)
        if below.kind != "file":
            self._make(copied)
            return
        content = self._lower.read(entry.link, _MOST_COPIED)
        if content is None:
            raise KezuriError.of(
                f"{self._where}: {entry.path!r} is a hard link to {entry.link!r} of a lower layer, "
                f"which is larger than {_MOST_COPIED} bytes"
            )
        self._make(copied, content)

    def _remember(self, path: str) -> None:
        """Keep what lower layers say of a directory."""
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

    def _lost(self, entry: Entry, name: str, error: OSError) -> None:
        # Without file capabilities a program would fail much later, so that is said; others are only lost.
        if error.errno not in (errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EINVAL):
            raise error
        if self._warn is not None:
            self._warn(f"{self._where}: {entry.path}: cannot set {name}: {error.strerror}")


def _cannot(where: str, path: str, error: OSError) -> KezuriError:
    if error.errno in (errno.EPERM, errno.EINVAL):
        return KezuriError.of(
            f"{where}: cannot make {path}: {error.strerror}; perhaps this user namespace does not have its owner's id",
            hint=shortcoming().text(),
            exit_code=125,
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return KezuriError.of(
            f"{where}: no space left for {path}", hint="free some space, for instance by a prune", exit_code=125
        )
    return KezuriError.of(f"{where}: cannot make {path}: {error.strerror or error}")
