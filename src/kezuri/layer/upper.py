"""Overlay upper directories as layer entries: the cost is the size of the change."""

import errno
import os
import stat
from collections.abc import Iterator
from typing import TYPE_CHECKING

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry, Item, Kind
from kezuri.layer.tar_writer import OVERLAY_XATTRS

if TYPE_CHECKING:
    from kezuri.linux.recorded import Record

_NO_XATTRS = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENODATA)

# What belongs to the machine and not to the tree: labels, measurements, and what only the kernel's own root may set.
_FOREIGN_XATTRS = (
    *OVERLAY_XATTRS,
    "trusted.",
    "security.selinux",
    "security.SMACK64",
    "security.apparmor",
    "security.ima",
    "security.evm",
    "system.nfs4_acl",
    "btrfs.",
)

_MOST_NAME = 255
"""Bytes of a file's name on Linux."""

_CAPABILITY = "security.capability"

Xattrs = tuple[tuple[str, bytes], ...]


def walk(directory: str, *, userxattr: bool, recorded: bool = False, root: bool = False) -> Iterator[Item]:
    """The entries of an overlay upper directory, in a stable order: parents first, siblings sorted by name.

    Character devices 0:0 are whiteouts, directories with the overlay's opaque mark are followed by an `opaque` entry;
    `userxattr` says that the overlay was mounted with that option, so that its marks are `user.overlay.*`; `recorded`
    that owners, and devices, are recorded in attributes (`linux/recorded.py`). The first
    name of a file in this order is the file, further ones are hard links to it. Sockets are left out, and so are
    extended attributes that belong to the overlay or to this machine (`trusted.*`, SELinux and IMA labels).
    `security.capability` is written in the form that binds it to no user namespace. `root` includes the directory
    itself, as the empty path. The content of a file is its path. KezuriError when something cannot be read, or the
    directory uses `redirect_dir` or `metacopy`, which a layer cannot express.
    """
    marks = _marks(userxattr)
    seen: dict[tuple[int, int], str] = {}
    if root or is_opaque(directory, userxattr):
        status = status_at(directory)
        top = entry_of(directory, "", status, recorded) if status is not None else None
        if top is None or top.kind != "dir":
            raise KezuriError.of(f"{directory} is not a directory")
        if root:
            yield top, None
        if is_opaque(directory, userxattr):
            yield Entry("", "opaque", 0), None
    # A stack of iterators, not recursion: a step may make directories as deep as it likes.
    stack = [(iter(_scan(directory)), "")]
    listxattr = os.listxattr
    while stack:
        entries, prefix = stack[-1]
        for found in entries:
            path = prefix + found.name
            where = found.path
            try:
                status = found.stat(follow_symlinks=False)
                mode = status.st_mode
                form = mode & 0o170000
                if form == 0o020000 and status.st_rdev == 0:
                    yield Entry(path, "whiteout", 0), None
                    continue
                if form == 0o140000:
                    continue
                try:
                    names = listxattr(where, follow_symlinks=False)
                except OSError as error:
                    if error.errno not in _NO_XATTRS:
                        raise
                    names = []
                xattrs: Xattrs = ()
                opaque = False
                uid, gid = status.st_uid, status.st_gid
                if names:
                    if recorded:
                        record, names = _record(where, mode, names)
                        if record is not None:
                            uid, gid = record.uid, record.gid
                            if record.kind:
                                yield _device(where, path, status, record, names), None
                                continue
                    xattrs = _xattrs(where, names)
                    opaque = _judge(where, names, marks)
                bits = mode & 0o7777
                if form == 0o100000:
                    if status.st_nlink > 1:
                        first = seen.setdefault((status.st_dev, status.st_ino), path)
                        if first is not path:
                            yield Entry(path, "hardlink", bits, uid, gid, 0, status.st_mtime_ns, first), None
                            continue
                    yield (
                        Entry(
                            path,
                            "file",
                            bits,
                            uid,
                            gid,
                            status.st_size,
                            status.st_mtime_ns,
                            "",
                            (0, 0),
                            xattrs,
                        ),
                        where,
                    )
                elif form == 0o040000:
                    yield Entry(path, "dir", bits, uid, gid, 0, status.st_mtime_ns, "", (0, 0), xattrs), None
                    if opaque:
                        yield Entry(path, "opaque", 0), None
                    stack.append((iter(_scan(where)), path + "/"))
                    break
                else:
                    if status.st_nlink > 1:
                        first = seen.setdefault((status.st_dev, status.st_ino), path)
                        if first is not path:
                            yield Entry(path, "hardlink", bits, uid, gid, 0, status.st_mtime_ns, first), None
                            continue
                    entry = _special(where, path, status, xattrs)
                    if entry is not None:
                        yield entry._replace(uid=uid, gid=gid), None
            except OSError as error:
                raise unreadable(path, error) from error
        else:
            stack.pop()


def status_at(where: str) -> os.stat_result | None:
    """The status of what is at `where`, links not followed; None when nothing is. KezuriError when the machine refuses
    to tell."""
    try:
        return os.lstat(where)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG and len(os.fsencode(where.rpartition("/")[2])) > _MOST_NAME:
            return None  # no file can have this name
        raise unreadable(where, error) from error


def entry_of(where: str, path: str, status: os.stat_result, recorded: bool = False) -> Entry | None:
    """What is at `where` in an overlay directory, and has this status, as the entry `path`; None for a socket, which no
    layer can hold. `recorded` as for `walk`. KezuriError when it cannot be read."""
    if status.st_mode & 0o170000 == 0o020000 and status.st_rdev == 0:
        return Entry(path, "whiteout", 0)
    try:
        try:
            names = os.listxattr(where, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_XATTRS:
                raise
            names = []
        if not (recorded and names):
            return _special(where, path, status, _xattrs(where, names) if names else ())
        record, names = _record(where, status.st_mode, names)
        if record is not None and record.kind:
            return _device(where, path, status, record, names)
        entry = _special(where, path, status, _xattrs(where, names))
        return entry if entry is None or record is None else entry._replace(uid=record.uid, gid=record.gid)
    except OSError as error:
        raise unreadable(path, error) from error


def is_opaque(where: str, userxattr: bool) -> bool:
    """Whether a directory has the overlay's opaque mark. KezuriError when that cannot be read."""
    try:
        return os.getxattr(where, _marks(userxattr)[0], follow_symlinks=False) == b"y"
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return False
        raise unreadable(where, error) from error


def _marks(userxattr: bool) -> tuple[str, str, str]:
    family = "user" if userxattr else "trusted"
    return f"{family}.overlay.opaque", f"{family}.overlay.redirect", f"{family}.overlay.metacopy"


def _judge(where: str, names: list[str], marks: tuple[str, str, str]) -> bool:
    opaque, redirect, metacopy = marks
    for mark in (redirect, metacopy):
        if mark in names:
            option = "redirect_dir" if mark == redirect else "metacopy"
            raise KezuriError.of(
                f"{where} was written by an overlay with {option}, which a layer cannot express",
                hint=f"mount the overlay with {option}=off",
            )
    return opaque in names and os.getxattr(where, opaque, follow_symlinks=False) == b"y"


def _scan(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            found = list(entries)
    except OSError as error:
        raise unreadable(directory, error) from error
    found.sort(key=_name)
    return found


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def _xattrs(where: str, names: list[str]) -> Xattrs:
    found = []
    for name in sorted(names):
        if not name.startswith(_FOREIGN_XATTRS):
            try:
                value = os.getxattr(where, name, follow_symlinks=False)
            except OSError as error:
                if error.errno in _NO_XATTRS:
                    continue
                raise
            if name == _CAPABILITY:
                value = portable(value)
            found.append((name, value))
    return tuple(found)


def portable(capability: bytes) -> bytes:
    """File capabilities without the user namespace's root id: version 3 of struct vfs_ns_cap_data as version 2."""
    if len(capability) == 24 and capability[3] == 3:
        return capability[:3] + b"\x02" + capability[4:20]
    return capability


def _record(where: str, mode: int, names: list[str]) -> "tuple[Record | None, list[str]]":
    """What is recorded of a file, and the names of its other attributes."""
    from kezuri.linux import recorded

    own = recorded.attribute(mode)
    if own not in names:
        return None, names
    names = [name for name in names if name != own]
    found = recorded.read(where, mode)
    return found, names


def _device(where: str, path: str, status: os.stat_result, record: "Record", names: list[str]) -> Entry:
    """The device for which an empty file stands."""
    assert record.kind
    xattrs = _xattrs(where, names)
    bits = status.st_mode & 0o7777
    return Entry(path, record.kind, bits, record.uid, record.gid, 0, status.st_mtime_ns, "", record.device, xattrs)


def _plain(path: str, kind: Kind, bits: int, status: os.stat_result, xattrs: Xattrs) -> Entry:
    size = status.st_size if kind == "file" else 0
    return Entry(path, kind, bits, status.st_uid, status.st_gid, size, status.st_mtime_ns, "", (0, 0), xattrs)


def _special(where: str, path: str, status: os.stat_result, xattrs: Xattrs) -> Entry | None:
    mode = status.st_mode
    bits = mode & 0o7777
    if stat.S_ISREG(mode):
        return _plain(path, "file", bits, status, xattrs)
    if stat.S_ISDIR(mode):
        return _plain(path, "dir", bits, status, xattrs)
    if stat.S_ISLNK(mode):
        return _plain(path, "symlink", bits, status, xattrs)._replace(link=os.readlink(where))
    if stat.S_ISFIFO(mode):
        return _plain(path, "fifo", bits, status, xattrs)
    if stat.S_ISSOCK(mode):
        return None
    device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    return _plain(path, "char" if stat.S_ISCHR(mode) else "block", bits, status, xattrs)._replace(device=device)


def unreadable(path: str, error: OSError) -> KezuriError:
    """The error for a file of a directory that the machine refuses to tell of."""
    if error.errno == errno.ENAMETOOLONG:
        return KezuriError.of(
            f"the path has {len(path)} characters, too many to read it: {path[:80]}…",
            hint="a path may have 4095 bytes, and the store's own counts too: --root may name a shorter one",
        )
    return KezuriError.of(f"cannot read {path or '/'}: {error.strerror}")
