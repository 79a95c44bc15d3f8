"""A tree as it would be if some of its files had other content: what a change would select, before it is made."""

import posixpath
from collections.abc import Iterable, Sequence

from kezuri.dockerfile.ignore import Ignore
from kezuri.layer.entry import Entry
from kezuri.tree.tree import Found, Tree, resolve

_MIRROR = "\0"
"""What the name of a mirror begins with: no file has it in its name, so that none is hidden by a mirror."""
_EXTRA = "\0"
"""A file that is in every mirrored directory, so that empty ones differ, too."""


class AlteredTree:
    """`tree` with other content at `paths` (as in Entry: relative, no links among their parents).

    A path that is a directory of the tree stands for every file below it; one that names nothing is a new file, in
    new directories if need be. What the ignore rules exclude is not there, changed or not. A changed device or pipe
    appears as a file. A changed link leads elsewhere: to a mirror of what it led to, in which every file has other
    content. With `as_directories`, the mirror is in the link's own place, and a name that nothing has is a directory
    with whatever is looked for in it: wildcards look into directories and not through links.
    """

    def __init__(
        self, tree: Tree, paths: Iterable[str], ignore: Ignore | None, *, as_directories: bool = False
    ) -> None:
        self.name = tree.name
        self._tree = tree
        self._as_directories = as_directories
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

    @property
    def may_be_directories(self) -> bool:
        """Whether some of the paths name nothing or a link."""
        return any(there is None or there.kind == "symlink" for there in map(self._lookup, self._changed))

    def stat(self, path: str) -> Found | None:
        """As Tree says."""
        if _MIRROR in path:
            return self._mirrored(path)
        mirror = self._mirror_in_place(path)
        if mirror:
            there = self._mirrored(mirror)
            return there._replace(entry=there.entry._replace(path=path)) if there is not None else None
        if path in self._directories:
            return Found(Entry(path, "dir", 0o755))
        there = self._tree.stat(path)
        if path in self._changed or (there is not None and there.entry.kind != "dir" and self._is_below_changed(path)):
            return self._other(path, there)
        return there

    def scan(self, path: str) -> Sequence[Found]:
        """As Tree says."""
        if mirror := path if _MIRROR in path else self._mirror_in_place(path):
            names = {item.entry.path.rpartition("/")[2] for item in self._scan_below(_original(mirror))} | {_EXTRA}
            return self._found({f"{path}/{name}" for name in names})
        listed = self._scan_below(path)
        new = self._new.get(path)
        if not (new or self._whole or self._changed):
            return listed
        return self._found({item.entry.path for item in listed} | (new or set()))

    def hidden(self, path: str) -> str:
        """As Tree says."""
        return "" if _MIRROR in path else self._tree.hidden(path)

    def _scan_below(self, path: str) -> Sequence[Found]:
        there = self._tree.stat(path)
        return self._tree.scan(path) if there is not None and there.entry.kind == "dir" else ()

    def _found(self, paths: set[str]) -> list[Found]:
        found = [self.stat(path) for path in sorted(paths, key=lambda p: p.encode("utf-8", "surrogateescape"))]
        return [item for item in found if item is not None]

    def _is_below_changed(self, path: str) -> bool:
        if not self._whole:
            return False
        at = path
        while at:
            at = at.rpartition("/")[0]
            if at in self._whole:
                return True
        return False

    def _other(self, path: str, there: Found | None) -> Found:
        if there is not None and there.entry.kind == "symlink":
            mirror = _mirror(resolve(path, self._lookup))
            link = posixpath.relpath(f"/{mirror}", "/" + path.rpartition("/")[0])
            return Found(Entry(path, "symlink", 0o777, link=link))
        mode = there.entry.mode if there is not None and there.entry.kind == "file" else 0o644
        return _file(path, mode)

    def _lookup(self, path: str) -> Entry | None:
        there = self._tree.stat(path)
        return there.entry if there is not None else None

    def _mirror_in_place(self, path: str) -> str:
        """With `as_directories`, the path in the mirror that is in the place of this one; empty when there is none."""
        at = path
        while self._as_directories and at:
            if at in self._changed:
                there = self._lookup(at)
                if there is None or there.kind == "symlink":
                    return _mirror(resolve(at, self._lookup)) + path[len(at) :]
            at = at.rpartition("/")[0]
        return ""

    def _mirrored(self, path: str) -> Found | None:
        original = _original(path)
        there = self._tree.stat(original) if not path.endswith(f"/{_EXTRA}") else None
        if there is None:
            # The extra file, what a link to nothing may lead to, or what may be in a new directory.
            new = self._as_directories and original in self._changed
            if new and path.rpartition("/")[2] == _MIRROR + original.rpartition("/")[2]:
                return Found(Entry(path, "dir", 0o755))
            return _file(path, 0o644)
        if there.entry.kind in ("dir", "symlink"):
            return there._replace(entry=there.entry._replace(path=path))
        return _file(path, there.entry.mode if there.entry.kind == "file" else 0o644)


def _mirror(target: str) -> str:
    """The mirror of `target`, which lies beside it, so that relative links mean the same there."""
    parent, _, name = target.rpartition("/")
    return posixpath.join(parent, _MIRROR + name)


def _original(path: str) -> str:
    """What a path in a mirror mirrors."""
    return path.replace(_MIRROR, "").strip("/").replace("//", "/")


def _file(path: str, mode: int) -> Found:
    content = b"not what kezuri found at " + path.encode("utf-8", "surrogateescape")
    return Found(Entry(path, "file", mode, 0, 0, len(content)), content)
