"""Collection: what nobody needs goes, never what a running build needs."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import time
from typing import NamedTuple

from kezuri.store.fetched import downloads, forget_downloads, git_directories
from kezuri.store.inventory import Inventory, Piece, disk_use
from kezuri.store.reach import Reach
from kezuri.store.store import Store, layer_name, remove_tree
from kezuri.store.worth import Candidate, ranked

_GRACE = 1200.0
"""Seconds by which a running build's lease reaches back: what was used shortly before is not noted as used again."""


class Gone(NamedTuple):
    """Something that was removed: `kind` is deleted (an image without a name), record, snapshot, blob, listing, mount,
    git, context or temporary; `size` bytes of the disk were freed."""

    kind: str
    name: str
    size: int


class Collection:
    """Collects one store. Runs one at a time; running builds are left in peace by what they have used."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reach = Reach(store)
        self._evicted: set[str] = set()
        """Blobs of base images that go although builds stand on these images."""

    def _free(self, used: float) -> bool:
        """Whether what was last used then is needed by no store that is open."""
        oldest = self._store.oldest_lease()
        return oldest is None or used < oldest - _GRACE

    @contextmanager
    def _sweep(self, used: float) -> Iterator[bool]:
        """Yields whether what was last used then may go. Until the block ends nobody else opens the store, so what is
        forgotten in it is not believed to be there by anybody; the bytes may go after it."""
        with self._store.lock("sweep"):
            yield self._free(used)

    # collecting

    def collect(
        self,
        *,
        everything: bool,
        before: float | None,
        keep_bytes: int | None,
        chosen: Callable[[Piece], bool] | None = None,
        untagged: bool = True,
    ) -> Iterator[Gone]:
        """Remove what is not needed and yield what went.

        Always: leftovers of dead processes, blobs and layers that neither an image nor a result needs. `everything`:
        all results, cache mounts and what was fetched too, images excepted. `untagged`: images without a name too,
        unless a filter or a limit is given, which concern the cache. `before` (seconds since the epoch): results,
        mounts, fetched sources and images without a name that were last used earlier. `chosen`: the pieces for which
        it holds. `keep_bytes`: of all these, the least worth first, until the cache takes no more bytes than that.
        """
        with self._store.lock("collect"):
            yield from self.leftovers()
            if keep_bytes is None and chosen is None:
                yield from self._images(before) if untagged else ()
                yield from self._records(everything, before)
                yield from self._mounts(everything, before)
                yield from self._git(everything, before)
                yield from self._indexes(everything, before)
                if before is not None:
                    forget_downloads(self._store, before)
            else:
                yield from self._unneeded(False)
                yield from self._chosen(everything, before, keep_bytes, chosen)
            yield from self._unneeded(everything and chosen is None and keep_bytes is None)
            if everything and chosen is None and keep_bytes is None:
                oldest = self._store.oldest_lease()
                self._store.database.drop_memos(1e18 if oldest is None else oldest - _GRACE)

    def _chosen(
        self,
        everything: bool,
        before: float | None,
        keep_bytes: int | None,
        chosen: Callable[[Piece], bool] | None,
    ) -> Iterator[Gone]:
        went = True
        while went:
            went = False
            for candidate in self.candidates(
                everything=everything, before=before, keep_bytes=keep_bytes, chosen=chosen
            ):
                for piece in candidate.pieces:
                    for gone in self._take(piece):
                        went = True
                        yield gone
            yield from self._unneeded(False)
            if keep_bytes is None:
                return
            # What two layers share is freed with the second of them: then there may be more to do.

    def _unneeded(self, everything: bool) -> Iterator[Gone]:
        yield from self._layers(everything)
        yield from self._blobs(everything)
        yield from self.orphans()

    def pieces(self) -> tuple[Piece, ...]:
        """Everything that the store holds."""
        return Inventory(self._store, self._reach.named_blobs(), self._reach.base_blobs()).pieces()

    def may_go(self, piece: Piece) -> bool:
        """Whether the piece is cache that no running build needs."""
        return not piece.named and self._free(piece.used)

    def candidates(
        self,
        *,
        everything: bool,
        before: float | None,
        keep_bytes: int | None,
        chosen: Callable[[Piece], bool] | None = None,
    ) -> Iterator[Candidate]:
        """What `collect` would remove, in its order: the least worth for its size first."""
        pieces = self.pieces()
        oldest = self._store.oldest_lease()
        limited = before is not None or chosen is not None
        budget = keep_bytes is not None
        if not (everything or limited or budget):
            pieces = tuple(piece for piece in pieces if piece.kind in ("internal", "untagged"))

        def may_go(piece: Piece) -> bool:
            return (
                not piece.named
                and (piece.kind != "untagged" or (chosen is None and not budget))
                and (oldest is None or piece.used < oldest - _GRACE)
                and (before is None or piece.used < before)
                and (chosen is None or chosen(piece))
            )

        total = self.cache_bytes() if keep_bytes is not None else 0
        gone: set[str] = set()
        for candidate in ranked(pieces, may_go, time()):
            if keep_bytes is not None and total <= keep_bytes:
                return
            total -= candidate.size
            gone.update(piece.id for piece in candidate.pieces)
            yield candidate
        for piece in pieces if keep_bytes is None else ():
            if piece.id not in gone and may_go(piece):
                yield Candidate((piece,), 0.0, piece.size)

    def _take(self, piece: Piece) -> Iterator[Gone]:
        """Remove one piece, unless it was used meanwhile."""
        if piece.kind == "regular":
            with self._sweep(piece.used) as free:
                if free and self._store.database.drop_record(piece.id, piece.used):
                    yield Gone("record", piece.title, 0)
        elif piece.kind == "image":
            yield from self._take_layer(piece)
        elif piece.kind == "exec.cachemount":
            yield from self._take_mount(piece.id, self._store.database.directory_of_mount(piece.id), piece.used)
        elif piece.kind == "source.git.checkout":
            for name, path, used in git_directories(self._store, True, None):
                if os.path.basename(path) == piece.id:
                    yield from self._take_git(name, path, used)
        elif piece.kind == "source.http":
            with self._sweep(piece.used) as free:
                if free:
                    self._store.database.drop_memos_about("download ", piece.id)
        elif piece.kind == "source.local":
            yield Gone("context", piece.title, _remove(self._store.path("contexts", piece.id)))

    def _take_layer(self, piece: Piece) -> Iterator[Gone]:
        """A layer of an image that no name holds: it is pulled again when a build needs it."""
        aside = ""
        database = self._store.database
        with self._sweep(piece.used) as free, database.transaction():
            row = database.layer(piece.layer)
            if not free or row is None or row.used != piece.used:
                return
            self._evicted.update(form.digest for form in database.forms(row.id))
            database.drop_layer(row.id)
            if row.directory and os.path.isdir(self._store.layer_directory(row.directory)):
                aside = self._aside(self._store.layer_directory(row.directory))
        yield Gone("snapshot", piece.title, _remove(aside) if aside else 0)

    def leftovers(self) -> Iterator[Gone]:
        """Clear away work in progress of processes that are dead."""
        directory = self._store.path("tmp")
        names = sorted(os.listdir(directory))
        # A process of another container is not to be seen from here, its lease is.
        living = {lease.partition("-")[0] for lease in self._store.leases()}
        for name in names:
            process = name.partition("-")[0]
            if process in living or (process.isdigit() and _alive(int(process))):
                continue
            yield Gone("temporary", name, _remove(os.path.join(directory, name)))
        self._unheld_locks()

    def _unheld_locks(self) -> None:
        """Remove the files of locks that nobody holds: there is one for every key that ever ran."""
        directory = self._store.path("locks")
        for name in os.listdir(directory):
            if not name.startswith(("key-", "layer-", "blob-", "mount-", "make-")):
                continue
            with self._store.lock(name, wait=False) as free:
                if free:
                    os.unlink(os.path.join(directory, name))

    def orphans(self) -> Iterator[Gone]:
        """Directories and listings of layers that are not known: of layers that went, of a layer that was made
        again, or of a process that was killed just then."""
        # Looked up again before it goes: a build may have put it there and written it down since.
        for name in set(os.listdir(self._store.path("layers"))) - self._known_directories():
            path = self._store.layer_directory(name)
            with self._sweep(_changed(path)) as free:
                if not free or name in self._known_directories():
                    continue
                aside = self._aside(path)
            yield Gone("snapshot", name, _remove(aside))
        directory = self._store.path("listings")
        for name in set(os.listdir(directory)) - self._known_listings():
            path = os.path.join(directory, name)
            size = 0
            with self._sweep(_changed(path)) as free:
                if free and name not in self._known_listings():
                    size = _remove(path)
            if size:
                yield Gone("listing", name, size)

    def _known_directories(self) -> set[str]:
        return {row.directory for row in self._store.database.layers()}

    def _known_listings(self) -> set[str]:
        return {layer_name(row.id) for row in self._store.database.layers()}

    def _aside(self, path: str) -> str:
        """Move a directory out of the way, at once; where it is now."""
        aside = self._store.blobs.scratch("gone")
        os.rename(path, aside)
        return aside

    def _images(self, before: float | None) -> Iterator[Gone]:
        """Images without a name, which their blobs follow."""
        for descriptor in self._store.names.untagged():
            kept = self._reach.kept_at(descriptor.digest)
            if before is not None and kept >= before:
                continue
            with self._sweep(kept) as free:
                if not free or self._reach.kept_at(descriptor.digest) != kept:
                    continue
                self._store.names.drop(descriptor.digest)
            yield Gone("deleted", descriptor.digest, 0)

    def _records(self, everything: bool, before: float | None) -> Iterator[Gone]:
        for record in sorted(self._store.database.records(), key=lambda r: r.used):
            if not (everything or (before is not None and record.used < before)) or not self._free(record.used):
                continue
            with self._sweep(record.used) as free:
                if not free or not self._store.database.drop_record(record.key, record.used):
                    continue
            yield Gone("record", record.title, 0)

    def _mounts(self, everything: bool, before: float | None) -> Iterator[Gone]:
        for identity, directory, used in self._store.database.mounts():
            if everything or (before is not None and used < before):
                yield from self._take_mount(identity, directory, used)

    def _take_mount(self, identity: str, directory: str, used: float) -> Iterator[Gone]:
        with self._sweep(used) as free:
            if not free or not self._store.database.drop_mount(identity, used):
                return
        name = self._store.database.memo(f"mount {identity}") or identity
        yield Gone("mount", name, _remove(self._store.path("mounts", directory)))

    def _git(self, everything: bool, before: float | None) -> Iterator[Gone]:
        for name, path, used in git_directories(self._store, everything, before):
            yield from self._take_git(name, path, used)

    def _indexes(self, everything: bool, before: float | None) -> Iterator[Gone]:
        directory = self._store.path("contexts")
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            used = _modified(path)
            if (everything or (before is not None and used < before)) and self._free(used):
                yield Gone("context", "digests of a context's files", _remove(path))

    def _take_git(self, name: str, path: str, used: float) -> Iterator[Gone]:
        with self._sweep(used) as free:
            if not free or _modified(path) != used:
                return
            aside = self._aside(path)
        yield Gone("git", name, _remove(aside))

    def _layers(self, everything: bool) -> Iterator[Gone]:
        """Layers that no result gives and no image holds; of layers that only images hold, the directories."""
        database = self._store.database
        needed = {record.layer for record in database.records()}
        named = self._reach.named_blobs()
        bases = set() if everything else self._reach.base_blobs() - self._evicted
        for row in database.layers():
            if row.id in needed or not self._free(row.used):
                continue
            digests = {form.digest for form in database.forms(row.id)}
            if digests & bases:
                continue
            aside = ""
            with self._sweep(row.used) as free, database.transaction():
                again = database.layer(row.id)
                if not free or again is None or again != row:
                    continue
                if not digests & named:
                    database.drop_layer(row.id)
                elif row.directory:
                    database.drop_directory(row.id)
                if row.directory and os.path.isdir(self._store.layer_directory(row.directory)):
                    aside = self._aside(self._store.layer_directory(row.directory))
            if aside:
                yield Gone("snapshot", row.id, _remove(aside))

    def _blobs(self, everything: bool) -> Iterator[Gone]:
        version = self._version()
        keep = self._needed_blobs(everything)
        for digest in sorted(self._store.blobs.digests()):
            if digest in keep:
                continue
            size, gone = 0, False
            with self._sweep(_changed(self._store.blobs.path(digest))) as free:
                if free and (now := self._version()) != version:
                    # A build came and went: what it made is needed by what it wrote down.
                    version, keep = now, self._needed_blobs(everything)
                if free and digest not in keep:
                    size = disk_use(self._store.blobs.path(digest))
                    gone = self._store.blobs.delete(digest) > 0
            if gone:
                yield Gone("blob", digest, size)

    def _needed_blobs(self, everything: bool) -> set[str]:
        keep = self._reach.named_blobs()
        if not everything:
            keep |= (self._reach.base_blobs() - self._evicted) | downloads(self._store)
        return keep | {form.digest for form in self._store.database.forms()}

    def _version(self) -> tuple[object, ...]:
        """What changes when somebody else writes down what is needed."""
        return (*self._store.database.rows("PRAGMA data_version")[0], self._store.names.version())

    # figures

    def usage(self) -> tuple[tuple[str, int, int], ...]:
        """(kind, how many, bytes on the disk) of everything in the store; the bytes add up to what `du` says."""
        rows = []
        seen: set[tuple[int, int]] = set()
        for kind, directory in (
            ("blobs", "blobs"),
            ("snapshots", "layers"),
            ("cache mounts", "mounts"),
            ("listings", "listings"),
            ("file digests", "contexts"),
            ("git repositories", "git"),
            ("temporary", "tmp"),
        ):
            path = self._store.path(directory)
            if not os.path.isdir(path):
                continue
            count = len(os.listdir(os.path.join(path, "sha256") if kind == "blobs" else path))
            rows.append((kind, count, disk_use(path, seen)))
        others = disk_use(self._store.root) - sum(size for _, _, size in rows)
        rows.append(("database and others", 1, max(0, others)))
        return tuple(rows)

    def cache_bytes(self) -> int:
        """What the cache takes on the disk, in bytes: everything but the blobs of images with a name, what is in
        progress, and the store's own records."""
        total = 0
        seen: set[tuple[int, int]] = set()
        for directory in ("blobs/sha256", "layers", "mounts", "listings", "contexts", "git"):
            path = self._store.path(directory)
            if os.path.isdir(path):
                # The directory itself stays, whatever goes.
                total += disk_use(path, seen) - os.lstat(path).st_blocks * 512
        for digest in self._reach.named_blobs():
            total -= disk_use(self._store.blobs.path(digest))
        return total

    def free_bytes(self) -> int:
        """What is left on the store's disk for ordinary users, in bytes."""
        status = os.statvfs(self._store.root)
        return status.f_bavail * status.f_frsize


def _changed(path: str) -> float:
    """When the file last changed in any way, in seconds since the epoch; the distant future when it is gone."""
    try:
        return os.lstat(path).st_ctime
    except FileNotFoundError:
        return float("inf")


def _modified(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return float("inf")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _remove(path: str) -> int:
    """The bytes on the disk that this freed."""
    if os.path.isdir(path) and not os.path.islink(path):
        size = disk_use(path)
        remove_tree(path)
        return size
    try:
        size = disk_use(path)
        os.unlink(path)
    except FileNotFoundError:
        return 0
    return size
