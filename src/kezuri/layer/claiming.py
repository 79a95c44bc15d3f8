"""The new files of an overlay upper directory, given to the user whose step made them, where owners are recorded."""

import os
import stat

from kezuri.layer.upper import unreadable
from kezuri.layer.view import View
from kezuri.linux import recorded
from kezuri.linux.recorded import Record


def claim(directory: str, uid: int, gid: int, lower: View, *, userxattr: bool) -> None:
    """Record the owner of everything in the overlay upper directory that is new above `lower`.

    What the overlay has copied up keeps its owner: its record, if it has one, was copied with it. In a directory that
    hands on its group (set-group-id), what is new has the group of the directory. KezuriError when a file cannot be
    read, or does not take the record.
    """
    opaque = f"{'user' if userxattr else 'trusted'}.overlay.opaque"
    handed_on = os.stat(directory).st_mode & stat.S_ISGID
    stack = [("", recorded.read(directory, stat.S_IFDIR).gid if handed_on else gid)]
    while stack:
        above, group = stack.pop()
        where = f"{directory}/{above}" if above else directory
        path = above
        try:
            with os.scandir(where) as children:
                for child in children:
                    path = f"{above}/{child.name}" if above else child.name
                    status = child.stat(follow_symlinks=False)
                    mode = status.st_mode
                    if stat.S_ISCHR(mode) or stat.S_ISSOCK(mode):
                        continue  # a whiteout, or what no layer holds
                    owner = Record(uid, group)
                    if owner != recorded.NOTHING:
                        names = os.listxattr(child.path, follow_symlinks=False)
                        known = recorded.attribute(mode) in names or recorded.ORIGIN in names
                        if not known and not _is_below(lower, path, child.path, mode, opaque in names):
                            recorded.write(child.path, mode, owner)
                    if stat.S_ISDIR(mode):
                        stack.append((path, recorded.read(child.path, mode).gid if mode & stat.S_ISGID else gid))
        except OSError as error:
            raise unreadable(path, error) from error


def _is_below(lower: View, path: str, where: str, mode: int, opaque: bool) -> bool:
    """Whether an entry without the mark that overlay leaves when it copies up was there below all the same: a directory
    that overlay merges, or a link or a node, which cannot bear the mark."""
    if stat.S_ISREG(mode) or opaque:
        return False
    found = lower.lookup(path)
    if found is None:
        return False
    if stat.S_ISDIR(mode):
        return found.kind == "dir"
    if stat.S_ISLNK(mode):
        return found.kind == "symlink" and found.link == os.readlink(where)
    return stat.S_ISFIFO(mode) and found.kind == "fifo"
