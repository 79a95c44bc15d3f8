"""A stack of layers seen as one tree, without mounting or unpacking it: the door."""

from typing import Protocol

from kezuri.layer.entry import Entry


class View(Protocol):
    """The merged tree of a stack of layers. Paths are as in Entry: relative, `/`-separated, the root is empty."""

    def lookup(self, path: str) -> Entry | None:
        """The entry at exactly this path (a symlink is not followed at its last component; earlier components must be
        directories, not links); None when there is none. The root always exists."""
        ...

    def resolve(self, path: str) -> str:
        """The path with every symlink, the last one too, followed within the root; missing components are kept as
        they are. `path` may be absolute and hold `.` and `..`, which never leave the root. KezuriError after 255
        links."""
        ...

    def read(self, path: str, limit: int = 10 << 20) -> bytes | None:
        """The content of the regular file at `path`, symlinks followed within the root; None when there is none or
        it is larger than `limit` bytes."""
        ...


class AnythingBelow:
    """What a layer that is read alone is told of those under it: that they have whatever a hard link leads to."""

    def lookup(self, path: str) -> Entry | None:
        """As View says."""
        return Entry(path, "file")

    def resolve(self, path: str) -> str:
        """As View says."""
        return path

    def read(self, path: str, limit: int = 10 << 20) -> bytes | None:
        """As View says."""
        return None
