"""A tree as it would be if some of its files had other content: what a change would select, before it is made."""

from collections.abc import Iterable, Sequence

from kezuri.dockerfile.ignore import Ignore
from kezuri.layer.entry import Entry
from kezuri.source.tree import Found, Tree


class AlteredTree:
    """`tree` with other content at `paths` (as in Entry: relative, no links among their parents).

    A path that is a directory of the tree stands for every file below it; one that names nothing is a new file, in
    new directories if need be. What the ignore rules exclude is not there, changed or not. A changed link, device or
    pipe appears as a file: whatever selects it selects something else.
    """

    def __init__(self, tree: Tree, paths: Iterable[str], ignore: Ignore | None) -> None:
        self.name = tree.name
        self._tree = tree
        self._changed: set[str] = set()
        self._whole: set[str] = set()
        self._directories: set[str] = set()
        """Directories that are there because a new file is in them."""
        self._new: dict[str, set[str]] = {}
        for path in paths:
            there = tree.stat(path)
            if there is None and ignore is not None and ignore.matches(path):
                continue
            if there is not None and there.entry.kind == "dir":
                self._whole.add(path)
                continue
            self._changed.add(path)
            while there is None and path:
                parent = path.rpartition("/")[0]
                self._new.setdefault(parent, set()).add(path)
                there = tree.stat(parent)
                if parent and (there is None or there.entry.kind != "dir"):
                    self._directories.add(parent)
                    there = None
                path = parent

    def stat(self, path: str) -> Found | None:
        """As Tree says."""
        if path in self._changed:
            return _other(path, self._tree.stat(path))
        if path in self._directories:
            return Found(Entry(path, "dir", 0o755))
        there = self._tree.stat(path)
        if there is not None and there.entry.kind != "dir" and self._is_below_changed(path):
            return _other(path, there)
        return there

    def scan(self, path: str) -> Sequence[Found]:
        """As Tree says."""
        there = self._tree.stat(path)
        listed = self._tree.scan(path) if there is not None and there.entry.kind == "dir" else ()
        new = self._new.get(path)
        if not (new or self._whole or self._changed):
            return listed
        names = {item.entry.path for item in listed} | (new or set())
        found = [self.stat(name) for name in sorted(names, key=lambda n: n.encode("utf-8", "surrogateescape"))]
        return [item for item in found if item is not None]

    def hidden(self, path: str) -> str:
        """As Tree says."""
        return self._tree.hidden(path)

    def _is_below_changed(self, path: str) -> bool:
        if not self._whole:
            return False
        at = path
        while at:
            at = at.rpartition("/")[0]
            if at in self._whole:
                return True
        return False


def _other(path: str, there: Found | None) -> Found:
    mode = there.entry.mode if there is not None and there.entry.kind == "file" else 0o644
    content = b"not what kezuri found at " + path.encode("utf-8", "surrogateescape")
    return Found(Entry(path, "file", mode, 0, 0, len(content)), content)
