"""A tree of files to copy from, whatever it is made of: the door, and how paths in it are understood."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry
from kezuri.linux.links import TooManyLinks, follow
from kezuri.tree.content import Bytes

Stamp = tuple[int, int, int, int, int]
"""What a file's bytes cannot change without: device, inode, size in bytes, mtime and ctime in nanoseconds."""


class Found(NamedTuple):
    """Something that a tree holds.

    `content` is where a file's bytes are. `stamp` is None when the bytes are nobody else's to change. `identity` is
    equal for the names of one hard-linked file, None for a file with one name.
    """

    entry: Entry
    content: Bytes = None
    stamp: Stamp | None = None
    identity: object | None = None


class Tree(Protocol):
    """A tree to copy from. Paths are as in Entry; symlinks are entries and are never followed here: see `resolve`."""

    @property
    def name(self) -> str:
        """What a user calls the tree, such as `the build context (/home/me/app)`."""
        ...

    def stat(self, path: str) -> Found | None:
        """What is at exactly this path, without following a link at its end."""
        ...

    def scan(self, path: str) -> Sequence[Found]:
        """What the directory at `path` holds, sorted by the bytes of the names."""
        ...

    def hidden(self, path: str) -> str:
        """The reason why something that lies at `path` is not shown; empty when nothing is hidden there."""
        ...


def clean(path: str) -> str:
    """The path rooted and cleaned, in the form that Entry uses: `..` cannot climb above the root."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part and part != ".":
            parts.append(part)
    return "/".join(parts)


def resolve(path: str, lookup: Callable[[str], Entry | None], root: str = "") -> str:
    """The path with every symlink, the last one too, followed within `root`; missing components stay as they are.

    See `kezuri.linux.links.follow`: a link can never name a place outside. KezuriError after 255 links.
    """

    def target(at: str, more: bool) -> str | None:
        entry = lookup(at)
        return entry.link if entry is not None and entry.kind == "symlink" else None

    try:
        return follow(path, target, root)
    except TooManyLinks:
        raise KezuriError.of(
            f'too many symbolic links in "{path}"', hint="Look for links that point at each other."
        ) from None


def kept_attribute(name: str) -> bool:
    """Whether an extended attribute of a source file goes into the layer.

    `user.*` and `security.capability` do. Labels of this machine's security modules, access control lists (their ids
    are this machine's) and what the overlay file system notes for itself do not.
    """
    return name == "security.capability" or (name.startswith("user.") and not name.startswith("user.overlay."))
