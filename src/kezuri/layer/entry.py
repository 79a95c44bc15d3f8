"""One entry of a layer: the metadata that a tar header, an overlay directory and a recipe have in common."""

import os
from typing import Final, Literal, NamedTuple

Kind = Literal["file", "dir", "symlink", "hardlink", "char", "block", "fifo", "whiteout", "opaque"]

AUFS_LINKS = ".wh..wh.plnk"
"""The directory in the root of a layer in which aufs keeps a name for each file that has several."""

Content = str | bytes | None
"""Where a file's bytes are: the path of a file on this machine, the bytes themselves, or None for no content."""


UNDATED: Final = 315_532_800_000_000_000
"""The mtime, in nanoseconds, of directories that are made because something has to lie in them: nothing that went into
a build gives them a time. It is the first second that zip archives can express, 1980-01-01, so that equal inputs give
equal layers. With SOURCE_DATE_EPOCH they have that time instead, as in BuildKit."""


class SharedPath(str):
    """The path of a file in a directory that other users of this machine can change.

    Whoever opens it makes sure that he got the file that was found there, and not another one, behind a link that has
    taken the place of a directory meanwhile.
    """

    __slots__ = ("_file",)
    _file: tuple[int, int]

    @classmethod
    def of(cls, path: str, status: os.stat_result) -> "SharedPath":
        """The path of the file that has this status."""
        made = cls(path)
        made._file = (status.st_dev, status.st_ino)
        return made

    def is_open(self, descriptor: int) -> bool:
        """Whether the open file of this status is the one that was found."""
        status = os.fstat(descriptor)
        return (status.st_dev, status.st_ino) == self._file


def leads_elsewhere(content: str, descriptor: int) -> bool:
    """Whether the path, when it was opened, led to another file than the one that was found there."""
    return isinstance(content, SharedPath) and not content.is_open(descriptor)


class Entry(NamedTuple):
    """One entry of a layer.

    `path` is relative to the root, `/`-separated, without leading or trailing slash, never with `.` or `..`
    components; names that are not UTF-8 are carried as surrogate escapes. The root itself is the empty path.
    `mode` holds permission, set-id and sticky bits only (07777). `size` is in bytes, of files only; `mtime` is in
    nanoseconds. `link` is a symlink's target as written, or the path of a hard link's first name. A `whiteout` names
    the path that is removed, without the `.wh.` prefix; an `opaque` names the directory whose lower contents are
    hidden. `xattrs` is sorted by name.
    """

    path: str
    kind: Kind
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    link: str = ""
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[str, bytes], ...] = ()

    @property
    def weight(self) -> int:
        """How many characters and bytes its names and attributes take in memory."""
        return len(self.path) + len(self.link) + sum(len(name) + len(value) for name, value in self.xattrs)


Item = tuple[Entry, Content]
"""An entry with the place of its bytes."""
