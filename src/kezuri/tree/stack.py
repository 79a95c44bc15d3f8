"""Layers on top of each other, seen as one tree, without mounting or unpacking them."""

import os
from collections.abc import Sequence
from typing import Final

from kezuri.layer.entry import Entry
from kezuri.layer.placement import ROOT, inherited
from kezuri.layer.upper import portable
from kezuri.tree.content import read_bytes
from kezuri.tree.layers import IMPLIED, LayerForm, linked_to_nothing
from kezuri.tree.tree import Found, kept_attribute, resolve

_MOST_REMEMBERED = 100_000


class _Place:
    """What a path is in the merged tree, and for a directory the layers that make it up, uppermost first."""

    __slots__ = ("active", "found")

    def __init__(self, found: Found, active: tuple[int, ...] = ()) -> None:
        self.found = found
        self.active = active


class StackView:
    """A stack of layers, lowest first, merged as overlayfs merges directories: a View, and a Tree to copy from.

    Whiteouts and opaque directories hide what is below; only directories merge. A hard link shows as the file that it
    is. The same layer is the same tree as a directory and as a listing. What has been looked up is remembered (up to
    100,000 paths), so the layers must not change. `name` is what a user calls the tree.
    """

    def __init__(self, layers: Sequence[LayerForm], name: str = "the image") -> None:
        self.name = name
        self._layers = tuple(layers)
        self._places: dict[str, _Place | None] = {}
        self._below: dict[int, StackView] = {}

    def named(self, name: str) -> "StackView":
        """The same tree under another name."""
        return StackView(self._layers, name)

    @property
    def layers(self) -> tuple[LayerForm, ...]:
        """The layers, lowest first."""
        return self._layers

    # as a View

    def lookup(self, path: str) -> Entry | None:
        """As `View.lookup`."""
        place = self._place(path)
        return None if place is None else place.found.entry

    def resolve(self, path: str) -> str:
        """As `View.resolve`."""
        return resolve(path, self.lookup)

    def read(self, path: str, limit: int = 10 << 20) -> bytes | None:
        """As `View.read`. Of a layer that is only a tar, the tar is read up to the file."""
        place = self._place(self.resolve(path))
        if place is None or place.found.entry.kind != "file" or place.found.entry.size > limit:
            return None
        return read_bytes(place.found.content, path, limit)

    # as a Tree

    def stat(self, path: str) -> Found | None:
        """As Tree says. KezuriError when the machine refuses to tell."""
        place = self._place(path)
        return None if place is None else _shown(place.found)

    def scan(self, path: str) -> Sequence[Found]:
        """As Tree says; nothing where there is no directory. KezuriError when one cannot be read."""
        place = self._place(path)
        if place is None or place.found.entry.kind != "dir":
            return []
        seen: set[str] = set()
        result: list[Found] = []
        prefix = f"{path}/" if path else ""
        for index in place.active:
            for name, own in self._layers[index].scan(path):
                if name in seen:
                    continue
                seen.add(name)
                kind = own.entry.kind
                if own is IMPLIED or kind == "hardlink":
                    # What it is depends on others: on lower layers, or on the file that it is a name of.
                    if merged := self._place(prefix + name):
                        result.append(_shown(merged.found))
                elif kind != "whiteout":
                    result.append(_shown(own))
        result.sort(key=_path)
        if not all(found.entry.path.isascii() for found in result):
            # Code points sort as their UTF-8 bytes do, but for the surrogates of bytes that are no UTF-8.
            result.sort(key=lambda found: os.fsencode(found.entry.path))
        return result

    def hidden(self, path: str) -> str:
        """As Tree says: nothing is hidden."""
        return ""

    # merging

    def _place(self, path: str) -> _Place | None:
        known = self._places.get(path, _UNKNOWN)
        if known is not _UNKNOWN:
            return known
        if len(self._places) >= _MOST_REMEMBERED:
            self._places.clear()
        if path:
            parent = self._place_of_parent(path)
            found = self._merge(path, parent.active) if parent is not None else None
        else:
            found = self._merge("", tuple(range(len(self._layers) - 1, -1, -1))) or _Place(Found(ROOT))
        self._places[path] = found
        return found

    def _place_of_parent(self, path: str) -> _Place | None:
        """The parent, found from the root downwards: paths may be deep."""
        parent = self._places.get(path.rpartition("/")[0], _UNKNOWN)
        if parent is not _UNKNOWN:
            return parent
        at = self._place("")
        start = path.find("/")
        while start >= 0 and at is not None:
            prefix = path[:start]
            known = self._places.get(prefix, _UNKNOWN)
            if known is _UNKNOWN:
                known = self._merge(prefix, at.active)
                self._places[prefix] = known
            at = known
            start = path.find("/", start + 1)
        return at

    def _merge(self, path: str, candidates: tuple[int, ...]) -> _Place | None:
        """What the layers that make up the parent, uppermost first, make of a path."""
        active: list[int] = []
        described: Found | None = None
        for index in candidates:
            layer = self._layers[index]
            own = layer.find(path)
            if own is None:
                continue
            if own.entry.kind == "dir":
                active.append(index)
                if described is None and own is not IMPLIED:
                    described = own
                if layer.opaque(path):
                    break
                continue
            if active or own.entry.kind == "whiteout":
                break
            if own.entry.kind == "hardlink":
                return _Place(self._linked(own.entry, index))
            return _Place(own)
        if not active:
            return None
        if described is None:
            # As when it is unpacked: whatever this layer hides.
            from_below = inherited(self._under(active[-1]), path) if active[-1] else None
            described = Found(from_below or ROOT._replace(path=path))
        return _Place(described, tuple(active))

    def _linked(self, entry: Entry, index: int) -> Found:
        """A hard link as the file it names: of the same layer, or of those below (which is legal, though rare).
        KezuriError where neither has it: such a layer cannot be unpacked either."""
        first = self._layers[index].find(entry.link)
        if first is None or first.entry.kind in ("whiteout", "dir"):
            place = self._under(index)._place(entry.link)
            if place is None:
                raise linked_to_nothing(self.name, entry)
            # Its names in this layer are one file, which is not that of the lower layer any more.
            identity = (id(self._layers[index]), entry.link) if place.found.entry.kind == "file" else None
            first = place.found._replace(identity=identity)
        return first._replace(entry=first.entry._replace(path=entry.path))

    def _under(self, index: int) -> "StackView":
        """The stack below one of its layers."""
        known = self._below.get(index)
        if known is None:
            known = self._below[index] = StackView(self._layers[:index], self.name)
        return known


_UNKNOWN: Final = _Place(Found(ROOT))


def _path(found: Found) -> str:
    return found.entry.path


def _shown(found: Found) -> Found:
    """Something in the stack as a source of copies: see `copied_attributes`."""
    entry = found.entry
    return found._replace(entry=entry._replace(xattrs=copied_attributes(entry))) if entry.xattrs else found


def copied_attributes(entry: Entry) -> tuple[tuple[str, bytes], ...]:
    """Those extended attributes of an entry of a layer that a copy of it has.

    They are what a file of this machine can have, so that a layer is copied alike whether it has been unpacked or not:
    links have none, `user.*` is for files and directories, and capabilities have the form that the kernel takes.
    """
    kind = entry.kind
    if kind == "symlink":
        return ()
    kept = []
    for name, value in entry.xattrs:
        if not kept_attribute(name):
            continue
        if name == "security.capability":
            value = portable(value)
            if len(value) != 20 or value[0] & 0xFE or value[1:4] != b"\0\0\x02":
                continue
        elif kind not in ("file", "dir"):
            continue
        kept.append((name, value))
    return tuple(kept)
