"""How an entry is written to the disk where owners are recorded: the file belongs to the caller, and an attribute of it
names the owner."""

import stat
from typing import Final

from kezuri.layer.entry import Entry
from kezuri.linux import recorded
from kezuri.linux.recorded import Record

_MODES: Final = {"file": stat.S_IFREG, "dir": stat.S_IFDIR, "symlink": stat.S_IFLNK, "fifo": stat.S_IFIFO}


def written(entry: Entry) -> Entry:
    """The entry as it is written. A device, which this user may not make, becomes an empty file that stands for it.
    What a layer itself has of the attributes that hold records is left out."""
    if entry.kind == "hardlink":
        return entry
    record = Record(entry.uid, entry.gid)
    if entry.kind in ("char", "block"):
        record = record._replace(kind=entry.kind, device=entry.device)
        entry = entry._replace(kind="file", device=(0, 0))
    mode = _MODES[entry.kind]
    own = recorded.attribute(mode)
    xattrs = tuple(pair for pair in entry.xattrs if pair[0] != own) if entry.xattrs else ()
    if record != recorded.NOTHING:
        xattrs = tuple(sorted((*xattrs, (own, recorded.written(mode, record)))))
    return entry._replace(uid=0, gid=0, xattrs=xattrs)
