"""The root file systems of two images compared, path by path; files by the digests that are kept of them."""

import heapq
import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from kezuri.anatomy.dissection import Dissection, OwnLayer
from kezuri.comparison.difference import FileChange, Origin, Tally
from kezuri.layer.entry import Entry
from kezuri.tree.content import InTar, pieces
from kezuri.tree.tree import Found

_DEEP = 3
"""Directories are added up down to this depth."""
_MOST_DIRECTORIES = 10_000


class FileChanges(NamedTuple):
    """What `compared` found: see ImageDifference."""

    files: tuple[FileChange, ...]
    tally: Tally
    directories: tuple[tuple[str, Tally], ...]
    origins: tuple[tuple[Origin, Tally], ...]


class _Side:
    """One image's final root, and what its files come from. The bytes of a file with several names count once, under
    the name that is met first."""

    def __init__(self, image: Dissection) -> None:
        self.tree = image.tree
        self._every = image.layers
        self._layers: dict[int, OwnLayer] = {id(layer.form): layer for layer in image.layers}
        self._digests: dict[int, Mapping[str, bytes]] = {}
        self._met: set[object] = set()

    def weigh(self, found: Found | None) -> int:
        """The bytes of a file; 0 for anything else, and for a further name."""
        if found is None or found.entry.kind != "file":
            return 0
        if found.identity is not None:
            if found.identity in self._met:
                return 0
            self._met.add(found.identity)
        return found.entry.size

    def digest(self, found: Found) -> bytes:
        """The SHA-256 of a file's bytes."""
        content = found.content
        if not isinstance(content, InTar):
            sha = sha256()
            for piece in pieces(content):
                sha.update(piece)
            return sha.digest()
        known = self._digests.get(id(content.tar))
        if known is None:
            layer = self._layers.get(id(content.tar))
            wanted = layer.listing.files() if layer is not None else [content.path]
            known = content.tar.digests(wanted)
            if layer is not None:
                self._digests[id(content.tar)] = known
        return known[content.path]

    def origin(self, found: Found) -> Origin:
        """Whose layer it lies in: the uppermost one that has anything at its path."""
        layer = self._layers.get(id(found.content.tar)) if isinstance(found.content, InTar) else None
        if layer is None:
            path = found.entry.path
            above = (layer for layer in reversed(self._every) if layer.form.find(path) is not None)
            layer = next(above, None)
        return "" if layer is None else "base" if layer.maker.of_base else "own"


def compared(before: Dissection, after: Dissection, *, times: bool = False, most: int = 0) -> FileChanges:
    """What is not the same in the final roots of two images; `times`: when a file was changed counts, too. With `most`,
    only so many changes are kept one by one, those that weigh most. KezuriError when a layer cannot be read."""
    known = any(layer.maker.of_base for image in (before, after) for layer in image.layers)
    walk = _Walk(_Side(before), _Side(after), times, most, known)
    walk.run()
    heavy = sorted(walk.directories.items(), key=lambda each: (-_moved(each[1]), each[0]))
    return FileChanges(
        tuple(sorted(walk.kept(), key=lambda change: os.fsencode(change.path))),
        walk.tally,
        tuple(heavy[:_MOST_DIRECTORIES]),
        tuple(sorted(walk.origins.items())) if known else (),
    )


def _moved(tally: Tally) -> int:
    """How many bytes went in or out."""
    return max(tally.size_new + tally.size_gone, abs(tally.grown))


class _Walk:
    """Both trees, one directory after the other."""

    def __init__(self, before: _Side, after: _Side, times: bool, most: int, based: bool) -> None:
        self._sides = (before, after)
        self._times = times
        self._based = based
        self._most = most
        self._all: list[FileChange] = []
        self._heap: list[tuple[int, int, FileChange]] = []
        self.tally = Tally()
        self.directories: dict[str, Tally] = {}
        self.origins: dict[Origin, Tally] = {}

    def kept(self) -> Sequence[FileChange]:
        """The changes one by one."""
        return [change for _, _, change in self._heap] if self._most else self._all

    def run(self) -> None:
        before, after = self._sides
        todo = [("", True, True)]
        while todo:
            path, left, right = todo.pop()
            old = {f.entry.path: f for f in before.tree.scan(path)} if left else {}
            new = {f.entry.path: f for f in after.tree.scan(path)} if right else {}
            below = []
            for at in sorted(old.keys() | new.keys()):
                one, two = old.get(at), new.get(at)
                self._visit(at, one, two)
                deep = (one is not None and one.entry.kind == "dir", two is not None and two.entry.kind == "dir")
                if any(deep):
                    below.append((at, *deep))
            todo += reversed(below)

    def _visit(self, path: str, one: Found | None, two: Found | None) -> None:
        was, now = self._sides[0].weigh(one), self._sides[1].weigh(two)
        if one is None:
            assert two is not None
            self._tell(FileChange("new", path, two.entry.kind, 0, now, (), self._origin(None, two)))
        elif two is None:
            self._tell(FileChange("gone", path, one.entry.kind, was, 0, (), self._origin(one, None)))
        else:
            self._compare(path, one, two, was, now)

    def _compare(self, path: str, one: Found, two: Found, was: int, now: int) -> None:
        old, new = one.entry, two.entry
        details = tuple(_details(old, new, self._times))
        if old.kind != new.kind:
            details = (("kind", old.kind, new.kind), *details)
            self._tell(FileChange("kind", path, new.kind, was, now, details, self._origin(one, two)))
        elif self._other_content(one, two):
            if old.kind == "symlink":
                details = (("target", old.link, new.link), *details)
            elif old.kind != "file":
                details = (("device", "{}:{}".format(*old.device), "{}:{}".format(*new.device)), *details)
            self._tell(FileChange("content", path, new.kind, was, now, details, self._origin(one, two)))
        elif details:
            self._tell(FileChange("metadata", path, new.kind, was, now, details, self._origin(one, two)))

    def _other_content(self, one: Found, two: Found) -> bool:
        old, new = one.entry, two.entry
        if old.kind != "file":
            return (old.link, old.device) != (new.link, new.device)
        if old.size != new.size:
            return True
        return bool(old.size) and self._sides[0].digest(one) != self._sides[1].digest(two)

    def _origin(self, one: Found | None, two: Found | None) -> Origin:
        """Who brought what is there now, or what was there; nothing where no base is known."""
        if not self._based:
            return ""
        if two is not None:
            return self._sides[1].origin(two)
        return "" if one is None else self._sides[0].origin(one)

    def _tell(self, change: FileChange) -> None:
        self.tally = self.tally.with_(change)
        self.origins[change.origin] = self.origins.get(change.origin, Tally()).with_(change)
        parts = change.path.split("/")[:-1]
        for depth in range(1, min(len(parts), _DEEP) + 1):
            directory = "/".join(parts[:depth])
            self.directories[directory] = self.directories.get(directory, Tally()).with_(change)
        if not self._most:
            self._all.append(change)
            return
        item = (change.weight, -self.tally.every, change)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, item)
        elif item[:2] > self._heap[0][:2]:
            heapq.heapreplace(self._heap, item)


def _details(old: Entry, new: Entry, times: bool) -> list[tuple[str, str, str]]:
    found = []
    if old.kind != "symlink" and new.kind != "symlink" and old.mode != new.mode:
        found.append(("mode", f"{old.mode:04o}", f"{new.mode:04o}"))
    if (old.uid, old.gid) != (new.uid, new.gid):
        found.append(("owner", f"{old.uid}:{old.gid}", f"{new.uid}:{new.gid}"))
    if old.xattrs != new.xattrs:
        found.append(("attributes", _attributes(old), _attributes(new)))
    if times and old.mtime != new.mtime:
        found.append(("time", str(old.mtime), str(new.mtime)))
    return found


def _attributes(entry: Entry) -> str:
    return ", ".join(f"{name}={value.hex()}" for name, value in entry.xattrs)
