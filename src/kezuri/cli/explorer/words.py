"""What the explorer says about paths and layers: pieces of text with the name of a style, safe to show."""

import stat
from time import localtime, strftime

from kezuri.anatomy.tree_view import Change
from kezuri.cli.quantities import size
from kezuri.diagnostics import visible
from kezuri.layer.entry import Entry, Kind

Part = tuple[str, str]
"""A text and its style, as rich writes styles; empty for none."""

MARKS: dict[Change, str] = {"added": "+", "changed": "~", "rewritten": "=", "removed": "-", "same": " ", "absent": " "}
"""What stands before a path: the colours say the same, and are not always there."""
STYLES: dict[Change, str] = {
    "added": "green",
    "changed": "yellow",
    "rewritten": "magenta",
    "removed": "red",
    "same": "",
    "absent": "dim",
}
_TYPES: dict[Kind, int] = {
    "file": stat.S_IFREG,
    "hardlink": stat.S_IFREG,
    "dir": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "char": stat.S_IFCHR,
    "block": stat.S_IFBLK,
    "fifo": stat.S_IFIFO,
}


def mode(entry: Entry) -> str:
    """Type and permissions as `ls -l` prints them."""
    return stat.filemode(_TYPES.get(entry.kind, 0) | entry.mode)


def attributes(entry: Entry | None) -> str:
    """The columns before a name: permissions and owner."""
    if entry is None:
        return " " * 22
    return f"{mode(entry)} {f'{entry.uid}:{entry.gid}':>11}"


def bytes_of(count: int) -> str:
    """A size in a column; nothing for none."""
    return f"{size(count):>7}" if count else " " * 7


def moment(entry: Entry) -> str:
    """When the entry was changed, in this machine's zone; the number of seconds where no calendar has it."""
    seconds = entry.mtime // 1_000_000_000
    try:
        return strftime("%Y-%m-%d %H:%M:%S", localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def name(text: str) -> str:
    """The name of a file, whatever it is made of, as it may be drawn."""
    return visible(text)
