"""One layer's own files, from its directory in overlay form, or from the listing of its tar."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import BinaryIO, Final, Protocol, cast

from kezuri.diagnostics import KezuriError
from kezuri.layer.decompression import Decompressed
from kezuri.layer.entry import Entry
from kezuri.layer.listing import Listing
from kezuri.layer.read_ahead import ReadAhead
from kezuri.layer.tar_reader import read_tar
from kezuri.layer.upper import entry_of, is_opaque, status_at
from kezuri.tree.content import InTar, hashed
from kezuri.tree.tree import Found

IMPLIED: Final = Found(Entry("", "dir", 0o755, 0, 0, 0, -1))
"""What a layer has at a directory that it puts something into without describing it (compare with `is`)."""


class LayerForm(Protocol):
    """One layer, in whatever form it exists: its own entries, not merged with anything.

    An entry is a whiteout where the layer removes what lies below, and a hard link where the layer only knows that.
    Paths are those of directories of this layer, or lie in one.
    """

    def find(self, path: str) -> Found | None:
        """The layer's own entry at this path, or IMPLIED; None when it says nothing of it."""
        ...

    def scan(self, path: str) -> Iterator[tuple[str, Found]]:
        """The name and entry, or IMPLIED, of everything that the layer has in this directory; in any order."""
        ...

    def opaque(self, path: str) -> bool:
        """Whether this directory of the layer hides what lower layers have in it."""
        ...


class DirectoryLayer:
    """A layer that is a directory in overlay form; it is looked at when asked, never walked.

    `userxattr` is the overlay's mount option of that name: without root its marks are `user.overlay.*`, and only then
    do those count. `recorded`: owners are recorded in attributes.
    """

    def __init__(self, directory: str, userxattr: bool = False, recorded: bool = False) -> None:
        self._directory = directory
        self._userxattr = userxattr
        self._recorded = recorded

    def find(self, path: str) -> Found | None:
        """As LayerForm says. KezuriError when the machine refuses to tell."""
        where = self._where(path)
        status = status_at(where)
        return None if status is None else _found(where, path, status, self._recorded)

    def scan(self, path: str) -> Iterator[tuple[str, Found]]:
        """As LayerForm says. KezuriError when the directory cannot be read."""
        try:
            with os.scandir(self._where(path)) as listing:
                children = list(listing)
            prefix = f"{path}/" if path else ""
            for child in children:
                try:
                    status = child.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue  # a mounted overlay lists whiteouts that lie above nothing
                yield child.name, _found(child.path, prefix + child.name, status, self._recorded)
        except OSError as error:
            from kezuri.linux.disk import HINTS
            from kezuri.linux.refusal import abridged

            raise KezuriError.of(
                f"cannot list {abridged(path) or '/'!r}: {error.strerror}", hint=HINTS.get(error.errno or 0, "")
            ) from error

    def opaque(self, path: str) -> bool:
        """As LayerForm says."""
        return is_opaque(self._where(path), self._userxattr)

    def _where(self, path: str) -> str:
        return f"{self._directory}/{path}" if path else self._directory


def _found(where: str, path: str, status: os.stat_result, recorded: bool) -> Found:
    entry = entry_of(where, path, status, recorded)
    if entry is None:
        # A socket, which no layer can hold: it is not shown, and hides what lower layers have there.
        return Found(Entry(path, "whiteout", 0))
    if entry.kind != "file":
        return Found(entry)
    # No stamp: a layer is nobody's to change.
    return Found(entry, where, None, (status.st_dev, status.st_ino) if status.st_nlink > 1 else None)


def linked_to_nothing(where: str, entry: Entry) -> KezuriError:
    """The error for a hard link to a file that neither its layer nor those below have; `where` names the tree."""
    return KezuriError.of(f"{where}: a hard link to {entry.link!r}, which is not there")


class ListedLayer:
    """A layer known by its listing; `opener` opens its tar, compressed or not, when files' bytes are wanted.

    Nothing is unpacked: files are taken out of the tar while it is read once. `keep` is given the listing when digests
    of files have been added to it. `where` names the layer in errors.
    """

    def __init__(
        self,
        listing: Listing,
        opener: Callable[[], BinaryIO],
        where: str = "layer",
        keep: Callable[[Listing], None] | None = None,
    ) -> None:
        self._listing = listing
        self._opener = opener
        self._where = where
        self._keep = keep

    @property
    def listing(self) -> Listing:
        """What the layer contains, path by path."""
        return self._listing

    def find(self, path: str) -> Found | None:
        """As LayerForm says."""
        entry = self._listing.entry(path)
        if entry is None:
            return IMPLIED if self._listing.implies(path) else None
        if entry.kind != "file":
            return Found(entry)
        identity = (id(self), path) if path in self._listing.linked() else None
        if not entry.size:
            return Found(entry, b"", None, identity)
        kept = self._listing.kept.get(path)
        return Found(entry, InTar(self, path) if kept is None else kept, None, identity)

    def scan(self, path: str) -> Iterator[tuple[str, Found]]:
        """As LayerForm says."""
        listing = self._listing
        entry_at, linked, kept = listing.entry, listing.linked(), listing.kept
        start = len(path) + 1 if path else 0
        for child in listing.within(path):
            # As `find` does it, without looking everything up again: there may be a million of them.
            name, entry = child[start:], entry_at(child)
            if entry is None:
                yield name, IMPLIED
            elif entry.kind != "file":
                yield name, Found(entry)
            elif child in linked or child in kept or not entry.size:
                found = self.find(child)
                assert found is not None
                yield name, found
            else:
                yield name, Found(entry, InTar(self, child))

    def opaque(self, path: str) -> bool:
        """As LayerForm says."""
        return path in self._listing.opaque

    def digests(self, paths: Collection[str]) -> Mapping[str, bytes]:
        """As TarFiles says. The first time, the files of the whole layer are hashed, and kept in its listing."""
        known = self._listing.digests(paths)
        if known is None:
            every = self._listing.files()
            self._listing.learn({path: hashed(data) for path, _, data in self.read(every)})
            if self._keep is not None:
                self._keep(self._listing)
            known = self._listing.digests(paths)
            assert known is not None
        return known

    def read(self, paths: Collection[str]) -> Iterator[tuple[str, int, BinaryIO]]:
        """As TarFiles says. The tar is read up to the last file that is wanted."""
        members = self._listing.members
        # The first member of a file's name has its bytes: one whose name comes again is found by number instead.
        numbered = {members[path]: path for path in paths if path in members}
        named = {path for path in paths if path not in members}
        if not numbered and not named:
            return
        with self._opener() as stream, ReadAhead(Decompressed(stream, self._where)) as pieces:
            for number, (entry, data) in enumerate(read_tar(cast(BinaryIO, pieces), self._where)):
                if data is None:
                    continue
                path = numbered.pop(number, "")
                if not path:
                    if entry.path not in named:
                        continue
                    path = entry.path
                    named.discard(path)
                yield path, entry.size, data
                if not numbered and not named:
                    return
        lost = next(iter((*named, *numbered.values())))
        raise KezuriError.of(f"{self._where} has no {lost!r}, though its listing says so")
