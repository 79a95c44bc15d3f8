"""Owners of files that are recorded beside them, where the kernel knows a single id: extended attributes.

On the disk everything belongs to the one user then. Files and directories whose owner in the image is another one than
0:0 have the attribute `user.kezuri.owner`. The kernel keeps attributes of that family from links and nodes; these have
an attribute that means nothing on them: file capabilities, in the bits of which the owner stands. Attributes go with
the file wherever it goes: they are copied up by an overlay, and are there again under another name.
"""

import errno
import os
import re
import stat
import struct
from typing import Final, Literal, NamedTuple

from kezuri.linux import idmaps

OWNER: Final = "user.kezuri.owner"
CAPABILITY: Final = "security.capability"
ORIGIN: Final = "user.overlay.origin"
"""What an overlay marks the files and directories with that it has copied up from a lower directory."""

_REVISION, _MARK = 0x02000000, 0x727A6B00
_NODE = struct.Struct("<IIIII")
_VALUE = re.compile(rb"(\d{1,10}):(\d{1,10})(?::([cb]):(\d{1,10}):(\d{1,10}))?")
_ABSENT = (errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP)
_MOST = (1 << 32) - 2


class Record(NamedTuple):
    """What is recorded of a file: its owner, and, of an empty file that stands for a device, which one."""

    uid: int = 0
    gid: int = 0
    kind: Literal["", "char", "block"] = ""
    device: tuple[int, int] = (0, 0)


NOTHING: Final = Record()


def is_single(uids: str = "/proc/self/uid_map", gids: str = "/proc/self/gid_map") -> bool:
    """Whether this process's user namespace has one user id or one group id only, so that owners are recorded."""
    return any(sum(count for _, _, count in idmaps.id_map(path)) == 1 for path in (uids, gids))


def attribute(mode: int) -> str:
    """The name of the attribute that holds the record of a file of this mode."""
    return OWNER if _keeps(mode) else CAPABILITY


def _keeps(mode: int) -> bool:
    """Whether a file of this mode can have `user.` attributes."""
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def written(mode: int, record: Record) -> bytes:
    """The value that holds the record of a file of this mode."""
    if not _keeps(mode):
        return _NODE.pack(_REVISION, record.uid, record.gid, _MARK, 0)
    if record.kind:
        return b"%d:%d:%s:%d:%d" % (record.uid, record.gid, record.kind[:1].encode(), *record.device)
    return b"%d:%d" % (record.uid, record.gid)


def parsed(mode: int, value: bytes) -> Record:
    """The record that a value holds; NOTHING when it is none."""
    if not _keeps(mode):
        if len(value) not in (_NODE.size, _NODE.size + 4):
            return NOTHING
        _, uid, gid, mark, _ = _NODE.unpack_from(value)
        return Record(uid, gid) if mark == _MARK else NOTHING
    found = _VALUE.fullmatch(value)
    if found is None:
        return NOTHING
    uid, gid = int(found[1]), int(found[2])
    if max(uid, gid) > _MOST:
        return NOTHING
    if found[3] is None or not stat.S_ISREG(mode):
        return Record(uid, gid)
    return Record(uid, gid, "char" if found[3] == b"c" else "block", (int(found[4]), int(found[5])))


def read(where: str | bytes | int, mode: int, follow: bool = False) -> Record:
    """The record of what is at `where` (or of a descriptor) and has this mode."""
    try:
        value = os.getxattr(where, attribute(mode), follow_symlinks=follow or isinstance(where, int))
    except OSError as e:
        if e.errno not in _ABSENT:
            raise
        return NOTHING
    return parsed(mode, value)


def write(where: str | bytes | int, mode: int, record: Record, follow: bool = False) -> None:
    """Record what the image has at `where` (or behind a descriptor), which has this mode on the disk. Sockets, which no
    layer holds, keep no record."""
    if stat.S_ISSOCK(mode):
        return
    name = attribute(mode)
    follow = follow or isinstance(where, int)
    if record != NOTHING:
        os.setxattr(where, name, written(mode, record), follow_symlinks=follow)
        return
    try:
        os.removexattr(where, name, follow_symlinks=follow)
    except OSError as e:
        if e.errno not in _ABSENT:
            raise
