"""Where the entries of one layer come to lie: the rules by which a list of entries becomes a tree."""

from collections.abc import Iterable
from typing import Final

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import AUFS_LINKS, Entry
from kezuri.layer.view import View
from kezuri.linux.links import TooManyLinks, follow

MOST_ENTRIES = 2_000_000
MOST_WEIGHT = 256 << 20


class Placement:
    """The tree that the entries of one layer make, one entry after the other.

    Laws: a path holds one thing, and the last entry wins; a directory given twice keeps its children; a whiteout
    hides what lower layers have, never what this layer has, wherever it comes in the order (OCI image spec,
    layer.md), so a whiteout together with a directory is an opaque directory. Parents that no entry names are
    directories too: they are `implied`. A parent that is a symbolic link in this layer is followed within the root. A
    link that a lower layer has there is not: a layer is a tree by itself, and its directory hides the link, as where
    containerd unpacks each layer into a directory of its own. `lower` is asked for the targets of hard links only.
    Bounded: KezuriError above two million entries.
    """

    def __init__(self, where: str, lower: View | None = None) -> None:
        self._where = where
        self._lower = lower
        self.nodes: dict[str, Entry] = {}
        """What each path holds; directories that are only implied, and opaque marks, are not among them."""
        self.names: dict[str, dict[str, None]] = {"": {}}
        """The children of each directory, implied ones too."""
        self.opaque: set[str] = set()
        self._members: dict[str, int] = {}
        self._first: dict[str, int] = {}
        self._linked: dict[str, dict[str, None]] = {}
        self._count = 0
        self._weight = 0

    def directory(self, path: str) -> bool:
        """Whether this layer has a directory there, implied or not."""
        return path in self.names

    def place(self, entry: Entry) -> Entry:
        """The entry where it really goes: the links among its parents followed, hard links to their first name.

        KezuriError when a parent is a file, or a hard link leads nowhere.
        """
        path = entry.path
        parent, _, base = path.rpartition("/")
        if entry.kind == "opaque":
            real = self._parent(path)
            return entry if real == path else entry._replace(path=real)
        if parent and parent not in self.names:
            real = self._parent(parent)
            if real != parent:
                path = f"{real}/{base}" if real else base
                entry = entry._replace(path=path)
        if entry.kind == "hardlink":
            target = self._target(entry.link)
            if target != entry.link:
                entry = entry._replace(link=target)
        return entry

    def imply(self, path: str) -> None:
        """Record a directory, and its parents, that no entry has described so far."""
        self._directory(path)

    def put(self, entry: Entry, number: int = -1, name: str = "") -> Entry | None:
        """Record a placed entry; what then is at its path (None for a whiteout or opaque mark that changes nothing).

        `number` counts the members of the tar, and `name` is the member's path there, before it was placed.
        """
        path, kind = entry.path, entry.kind
        if kind == "opaque":
            self._directory(path)
            self._drop_whiteout(path)
            self.opaque.add(path)
            return None
        if not path:
            if kind != "dir":
                raise KezuriError.of(f"{self._where}: the root can only be a directory, not a {kind}")
            self.nodes[""] = entry
            return entry
        parent, _, base = path.rpartition("/")
        if parent not in self.names:
            self._directory(parent)
        before = self.nodes.get(path)
        if kind == "whiteout":
            if path in self.names:
                self.opaque.add(path)
                return None
            if before is not None:
                return None
        elif kind == "dir":
            if path not in self.names:
                if before is not None:
                    if before.kind == "whiteout":
                        self.opaque.add(path)
                    else:
                        self._forget(path)
                self._add_directory(path, parent, base)
            self._store(path, entry)
            return entry
        elif before is not None or path in self.names:
            if kind == "hardlink":
                if entry.link == path:
                    return before
                if entry.link.startswith(path + "/"):
                    raise KezuriError.of(f"{self._where}: {path!r} is a hard link to {entry.link!r}, which it replaces")
            self._forget(path)
        elif path in self._linked:
            raise KezuriError.of(f"{self._where}: {path!r} comes after a hard link to it")
        self.names[parent][base] = None
        self._store(path, entry)
        if kind == "hardlink":
            self._linked.setdefault(entry.link, {})[path] = None
        elif kind == "file" and number >= 0:
            self._members[path] = number
            self._first.setdefault(name, number)
        return entry

    def member(self, path: str) -> int:
        """The number of the tar member that has the bytes of the file at `path`; -1 for none."""
        return self._members.get(path, -1)

    def numbers(self) -> dict[str, int]:
        """For files that are not the first of their name in the tar: the number of the member with their bytes."""
        first = self._first
        return {path: number for path, number in self._members.items() if first.get(path) != number}

    def implied(self) -> Iterable[str]:
        """The directories that no entry describes, the root among them; parents first."""
        return (path for path in self.names if path not in self.nodes)

    def drop_links_of_aufs(self) -> bool:
        """Take the names out that aufs gives to files with several, so that only the others are left; whether there
        were any. To be called at the end, for hard links name them."""
        if AUFS_LINKS not in self.names:
            return False
        self._forget(AUFS_LINKS)
        return True

    def _store(self, path: str, entry: Entry) -> None:
        before = self.nodes.get(path)
        if before is None:
            self._charge(entry.weight)
        elif entry.weight > before.weight:
            self._charge(entry.weight - before.weight, 0)
        self.nodes[path] = entry

    def _charge(self, weight: int, count: int = 1) -> None:
        self._count += count
        self._weight += weight
        if self._count > MOST_ENTRIES or self._weight > MOST_WEIGHT:
            raise too_much(self._where)

    def _parent(self, path: str) -> str:
        """The directory that `path` leads to when the links of this layer are followed."""
        if path in self.names or not path:
            return path

        def target(at: str, more: bool) -> str | None:
            node = self.nodes.get(at)
            if node is None or node.kind in ("dir", "whiteout"):
                return None
            if node.kind != "symlink":
                raise self._in_the_way(at, node)
            return node.link

        try:
            return follow(path, target)
        except TooManyLinks:
            raise KezuriError.of(f"{self._where}: too many symbolic links on the way to {path!r}") from None

    def _in_the_way(self, path: str, node: Entry) -> KezuriError:
        return KezuriError.of(f"{self._where}: {path!r} is a {node.kind}, but other entries lie under it")

    def hidden(self, path: str) -> bool:
        """Whether this layer hides what lower layers have under the directory `path`."""
        while True:
            node = self.nodes.get(path)
            if path in self.opaque or (node is not None and node.kind == "whiteout"):
                return True
            if not path:
                return False
            path = path.rpartition("/")[0]

    def _target(self, link: str) -> str:
        parent, _, base = link.rpartition("/")
        if parent and parent not in self.names:
            parent = self._parent(parent)
            link = f"{parent}/{base}" if parent else base
        node = self.nodes.get(link)
        if node is not None and node.kind == "hardlink":
            return node.link
        if node is None or node.kind in ("whiteout", "dir"):
            found = None
            if node is None and link not in self.names and self._lower is not None and not self.hidden(parent):
                found = self._lower.lookup(link)
            if found is None or found.kind == "dir":
                what = "a directory" if link in self.names or found else "not there"
                raise KezuriError.of(f"{self._where}: a hard link to {link!r}, which is {what}")
        return link

    def _directory(self, path: str) -> None:
        """Make sure that there is a directory, with all its parents."""
        missing = []
        while path not in self.names:
            missing.append(path)
            path = path.rpartition("/")[0]
        for path in reversed(missing):
            parent, _, base = path.rpartition("/")
            node = self.nodes.get(path)
            if node is not None and node.kind == "whiteout":
                self._drop_whiteout(path)
                self.opaque.add(path)
            elif node is not None:
                raise self._in_the_way(path, node)
            self._charge(len(path))
            self._add_directory(path, parent, base)

    def _add_directory(self, path: str, parent: str, base: str) -> None:
        self.names[path] = {}
        self.names[parent][base] = None

    def _drop_whiteout(self, path: str) -> None:
        node = self.nodes.get(path)
        if node is not None and node.kind == "whiteout":
            del self.nodes[path]

    def _forget(self, path: str) -> None:
        """Take a path, and all below it, out of the tree; other names of a forgotten file live on."""
        doomed = [path]
        for gone in doomed:
            doomed.extend(f"{gone}/{name}" for name in self.names.get(gone, ()))
        for gone in reversed(doomed):
            parent, _, base = gone.rpartition("/")
            self.names.pop(gone, None)
            self.names[parent].pop(base, None)
            self.opaque.discard(gone)
            node = self.nodes.pop(gone, None)
            member = self._members.pop(gone, -1)
            if node is None:
                continue
            if node.kind == "hardlink":
                others = self._linked.get(node.link)
                if others:
                    others.pop(gone, None)
            elif heirs := self._linked.pop(gone, None):
                first, *rest = heirs
                self.nodes[first] = node._replace(path=first)
                if member >= 0:
                    self._members[first] = member
                for name in rest:
                    self.nodes[name] = self.nodes[name]._replace(link=first)
                if rest:
                    self._linked[first] = dict.fromkeys(rest)


def inherited(lower: View, path: str) -> Entry | None:
    """What a directory that its layer does not describe takes its metadata from: the directory at that path in lower
    layers, or, where a link stands there, the one that it leads to; None when there is none."""
    try:
        found = lower.lookup(lower.resolve(path))
    except KezuriError:
        return None  # links that go round
    return found._replace(path=path) if found is not None and found.kind == "dir" else None


def too_much(where: str) -> KezuriError:
    """The error for a tar whose entries would fill the memory."""
    return KezuriError.of(
        f"{where} has more than {MOST_ENTRIES} entries, or names and attributes of absurd length",
        hint="it may have been made to fill the memory",
    )


ROOT: Final = Entry("", "dir", 0o755)
"""A root that no layer describes."""
