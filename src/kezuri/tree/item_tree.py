"""A tree made of items: an unpacked archive, or anything else that is known entry by entry."""

import os
from collections.abc import Iterable, Sequence

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import UNDATED, Entry, Item
from kezuri.tree.tree import Found


class ItemTree:
    """A tree that holds the given items; a later item at a path takes the place of an earlier one.

    Directories that nobody named are there with mode 0755, owner 0:0 and time 0. With `owner`, everything belongs to
    that (uid, gid).
    """

    def __init__(self, items: Iterable[Item], name: str, owner: tuple[int, int] | None = None) -> None:
        self.name = name
        self._found: dict[str, Found] = {}
        self._children: dict[str, set[str]] = {"": set()}
        self._found[""] = Found(Entry("", "dir", 0o755, mtime=UNDATED))
        for entry, content in items:
            if owner is not None:
                entry = entry._replace(uid=owner[0], gid=owner[1])
            item = Found(entry, content)
            if entry.kind == "hardlink":
                item = self._linked(entry)
            elif entry.kind in ("whiteout", "opaque"):
                raise KezuriError.of(f'{name}: ".wh." names such as the one of "{entry.path}" are reserved')
            self._add(entry.path, item)

    def stat(self, path: str) -> Found | None:
        """As Tree says."""
        return self._found.get(path)

    def scan(self, path: str) -> Sequence[Found]:
        """As Tree says."""
        prefix = path + "/" if path else ""
        return [self._found[prefix + name] for name in sorted(self._children.get(path, ()), key=os.fsencode)]

    def hidden(self, path: str) -> str:
        """Nothing is hidden."""
        return ""

    def _linked(self, entry: Entry) -> Found:
        first = self._found.get(entry.link)
        if first is None or first.entry.kind != "file":
            raise KezuriError.of(
                f'{self.name}: hard link "{entry.path}" names "{entry.link}", which is no file before it'
            )
        if first.identity is None:
            first = first._replace(identity=("link", entry.link))
            self._found[entry.link] = first
        return first._replace(entry=first.entry._replace(path=entry.path))

    def _add(self, path: str, item: Found) -> None:
        if not path:
            if item.entry.kind == "dir":
                self._found[""] = item
            return
        parent, _, name = path.rpartition("/")
        at = self._found.get(parent)
        if at is None:
            self._add(parent, Found(Entry(parent, "dir", 0o755, mtime=UNDATED)))
        elif at.entry.kind != "dir":
            raise KezuriError.of(f'{self.name}: "{path}" lies below "{parent}", which is not a directory')
        old = self._found.get(path)
        if item.entry.kind == "dir":
            self._children.setdefault(path, set())
        elif old is not None and old.entry.kind == "dir":
            self._forget(path)
        self._found[path] = item
        self._children[parent].add(name)

    def _forget(self, path: str) -> None:
        todo = [path]
        while todo:
            at = todo.pop()
            for name in self._children.pop(at, ()):
                del self._found[f"{at}/{name}"]
                todo.append(f"{at}/{name}")
