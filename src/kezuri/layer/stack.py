"""Layers on top of each other, seen as one tree."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import BinaryIO, Final, Protocol

from kezuri.diagnostics import KezuriError
from kezuri.layer.decompression import decompress
from kezuri.layer.entry import Entry, Item
from kezuri.layer.listing import Listing
from kezuri.layer.placement import MOST_LINKS, ROOT, inherited
from kezuri.layer.tar_reader import read_tar
from kezuri.layer.upper import entry_at, is_opaque

IMPLIED: Final = Entry("", "dir", 0o755, 0, 0, 0, -1)
"""What `find` gives for a directory that a layer puts something into without describing it (compare with `is`)."""

_MOST_REMEMBERED = 100_000


class LayerForm(Protocol):
    """One layer, in whatever form it exists: its own entries, not merged with anything."""

    def find(self, path: str) -> Entry | None:
        """The layer's own entry at this path: also a whiteout, also IMPLIED; None when it says nothing of it. Every
        component before the last is a directory of this layer."""
        ...

    def opaque(self, path: str) -> bool:
        """Whether this directory of the layer hides what lower layers have in it."""
        ...

    def names(self, path: str) -> Iterable[str]:
        """The names in this directory of the layer, removed ones too; in any order."""
        ...

    def content(self, path: str, limit: int) -> bytes | None:
        """The bytes of the layer's own file; None when there are more than `limit`."""
        ...

    def location(self, path: str) -> str | None:
        """Where on this machine the layer's own file is, if it is."""
        ...


class ListedLayer:
    """A layer known by its listing; `opener` opens its tar, compressed or not, when a file's bytes are wanted."""

    def __init__(self, listing: Listing, opener: Callable[[], BinaryIO], where: str = "layer") -> None:
        self._listing = listing
        self._opener = opener
        self._where = where

    def find(self, path: str) -> Entry | None:
        entry = self._listing.entry(path)
        return IMPLIED if entry is None and self._listing.implies(path) else entry

    def opaque(self, path: str) -> bool:
        return path in self._listing.opaque

    def names(self, path: str) -> Iterable[str]:
        return self._listing.children(path)

    def content(self, path: str, limit: int) -> bytes | None:
        kept = self._listing.kept.get(path)
        if kept is not None:
            return kept if len(kept) <= limit else None
        entry = self._listing.entry(path)
        if entry is None or entry.kind != "file" or entry.size > limit:
            return None
        if not entry.size:
            return b""
        wanted = self._listing.members.get(path)
        with self._opener() as stream:
            # The first member of that name has the bytes: one whose name comes again is found by number instead.
            for number, (found, data) in enumerate(read_tar(decompress(stream, self._where), self._where)):
                if data is not None and (number == wanted if wanted is not None else found.path == path):
                    return data.read()
        raise KezuriError.of(f"{self._where} has no {path!r}, though its listing says so")

    def location(self, path: str) -> str | None:
        return None


class DirectoryLayer:
    """A layer that is a directory in overlay form; it is looked at when asked, never walked."""

    def __init__(self, directory: str, userxattr: bool = False) -> None:
        self._directory = directory
        self._userxattr = userxattr

    def find(self, path: str) -> Entry | None:
        return entry_at(os.path.join(self._directory, path), path)

    def opaque(self, path: str) -> bool:
        return is_opaque(os.path.join(self._directory, path), self._userxattr)

    def names(self, path: str) -> Iterable[str]:
        try:
            return os.listdir(os.path.join(self._directory, path))
        except OSError as error:
            raise KezuriError.of(f"cannot list {path or '/'!r}: {error.strerror}") from error

    def content(self, path: str, limit: int) -> bytes | None:
        try:
            descriptor = os.open(
                os.path.join(self._directory, path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
            )
            with open(descriptor, "rb") as file:
                data = file.read(limit + 1)
        except OSError as error:
            raise KezuriError.of(f"cannot read {path!r}: {error.strerror}") from error
        return data if len(data) <= limit else None

    def location(self, path: str) -> str | None:
        return os.path.join(self._directory, path)


class _Place:
    """What a path is in the merged tree: its entry, whose it is, and for a directory the layers that make it up."""

    __slots__ = ("active", "entry", "owner")

    def __init__(self, entry: Entry, owner: int, active: tuple[int, ...]) -> None:
        self.entry = entry
        self.owner = owner
        self.active = active


class StackView:
    """The View of a stack of layers, lowest first, merged as overlayfs merges directories.

    Whiteouts and opaque directories hide what is below; only directories merge. A hard link shows as the file that
    it is. What has been looked up is remembered (up to 100,000 paths), so the layers must not change.
    """

    def __init__(self, layers: Sequence[LayerForm]) -> None:
        self._layers = tuple(layers)
        self._places: dict[str, _Place | None] = {}

    def lookup(self, path: str) -> Entry | None:
        """As `View.lookup`."""
        place = self._place(path)
        return None if place is None else place.entry

    def resolve(self, path: str) -> str:
        """As `View.resolve`."""
        left = path.split("/")
        left.reverse()
        at = ""
        links = 0
        while left:
            part = left.pop()
            if part in ("", "."):
                continue
            if part == "..":
                at = at.rpartition("/")[0]
                continue
            step = f"{at}/{part}" if at else part
            entry = self.lookup(step)
            if entry is None or entry.kind != "symlink":
                at = step
                continue
            links += 1
            if links > MOST_LINKS:
                raise KezuriError.of(f"too many symbolic links on the way to {path}")
            if entry.link[:1] == "/":
                at = ""
            left.extend(reversed(entry.link.split("/")))
        return at

    def read(self, path: str, limit: int = 10 << 20) -> bytes | None:
        """As `View.read`. Of a layer that is only a tar, the tar is read up to the file."""
        place = self._place(self.resolve(path))
        if place is None or place.entry.kind != "file" or place.entry.size > limit:
            return None
        owner, real = self._origin(place)
        return self._layers[owner].content(real, limit)

    def locate(self, path: str) -> str | None:
        """Where on this machine the bytes of the regular file at exactly this path are; None when only in a tar."""
        place = self._place(path)
        if place is None or place.entry.kind != "file":
            return None
        owner, real = self._origin(place)
        return self._layers[owner].location(real)

    def scan(self, path: str) -> list[Entry]:
        """The entries of the directory at exactly this path, sorted by name; empty when there is none."""
        place = self._place(path)
        if place is None or place.entry.kind != "dir":
            return []
        names: set[str] = set()
        for index in place.active:
            names.update(self._layers[index].names(path))
        prefix = path + "/" if path else ""
        found = (self.lookup(prefix + name) for name in sorted(names))
        return [entry for entry in found if entry is not None]

    def tree(self, path: str = "") -> Iterator[Item]:
        """The entry at exactly this path and all below it, parents first, sorted by name.

        Content is the path of the file on this machine, or None when a layer is only a tar. Further names of a file
        (in the same directory form) come as hard links to the first.
        """
        first: dict[tuple[int, str], str] = {}
        inodes: dict[tuple[int, int], str] = {}
        start = self.lookup(path)
        pending = [start] if start is not None else []
        while pending:
            entry = pending.pop()
            if entry.kind == "file":
                place = self._place(entry.path)
                assert place is not None
                owner, real = self._origin(place)
                place_on_disk = self._layers[owner].location(real)
                if place_on_disk is None:
                    known = first.setdefault((owner, real), entry.path)
                else:
                    status = os.lstat(place_on_disk)
                    known = entry.path
                    if status.st_nlink > 1:
                        known = inodes.setdefault((status.st_dev, status.st_ino), entry.path)
                if known != entry.path:
                    yield entry._replace(kind="hardlink", size=0, link=known, xattrs=()), None
                else:
                    yield entry, place_on_disk
                continue
            yield entry, None
            if entry.kind == "dir":
                pending.extend(reversed(self.scan(entry.path)))

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
            found = self._merge("", tuple(range(len(self._layers) - 1, -1, -1))) or _Place(ROOT, -1, ())
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
        described: Entry | None = None
        owner = -1
        for index in candidates:
            layer = self._layers[index]
            entry = layer.find(path)
            if entry is None:
                continue
            if entry.kind == "dir":
                active.append(index)
                if described is None and entry is not IMPLIED:
                    described, owner = entry, index
                if layer.opaque(path):
                    break
                continue
            if active or entry.kind == "whiteout":
                break
            if entry.kind == "hardlink":
                return self._linked(entry, index)
            return _Place(entry, index, ())
        if not active:
            return None
        if described is None and active[-1]:
            # As when it is unpacked: whatever this layer hides.
            described = inherited(StackView(self._layers[: active[-1]]), path)
        return _Place(described or ROOT._replace(path=path), owner, tuple(active))

    def _linked(self, entry: Entry, index: int) -> _Place | None:
        """A hard link as the file it names: of the same layer, or of those below (which is legal, though rare)."""
        first = self._layers[index].find(entry.link)
        if first is None or first.kind in ("whiteout", "dir"):
            below = StackView(self._layers[:index]).lookup(entry.link)
            if below is None:
                return None
            first = below
        return _Place(first._replace(path=entry.path), index, ())

    def _origin(self, place: _Place) -> tuple[int, str]:
        """The layer that has the bytes of a file, and the file's first name there."""
        index, path = place.owner, place.entry.path
        own = self._layers[index].find(path)
        if own is not None and own.kind == "hardlink":
            first = self._layers[index].find(own.link)
            if first is not None and first.kind == "file":
                return index, own.link
            below = StackView(self._layers[:index])
            lower = below._place(own.link)
            assert lower is not None
            return below._origin(lower)
        return index, path


_UNKNOWN: Final = _Place(ROOT, -1, ())
