"""Collection: what nobody needs goes, never what a running build needs."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from time import time
from typing import NamedTuple

from kezuri.store.blobs import PARTIAL, lock_partial
from kezuri.store.store import Store, layer_name, remove_tree
from kezuri.upkeep.fetched import git_directories
from kezuri.upkeep.inventory import Inventory, Piece, disk_use
from kezuri.upkeep.reach import Reach
from kezuri.upkeep.worth import Candidate, ranked

_GRACE = 1200.0
"""Seconds by which a running build's lease reaches back: what was used shortly before is not noted as used again."""
_RESUMABLE = 24 * 3600.0
"""Seconds for which builds leave the first bytes of a blob that nobody fetches any more."""


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
        """Blobs that are to go although builds stand on images that have them."""

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
        """Remove what `candidates` gives for the same arguments and yield what went, piece by piece.

        With none of `everything`, `before`, `keep_bytes` and `chosen`: leftovers of dead processes, blobs and layers
        that neither an image nor a result needs. `everything`: all results, cache mounts and what was fetched too,
        images excepted. `untagged`: images without a name too, unless `chosen` or `keep_bytes` is given, which concern
        the cache; and parts of blobs whose fetching was interrupted. `before` (seconds since the epoch): what was last
        used earlier. `chosen`: the pieces for which it holds. `keep_bytes`: of all these, the least worth first, until
        the cache takes no more bytes than that.
        """
        with self._store.lock("collect"):
            went = True
            while went:
                went = False
                candidates = self.candidates(
                    everything=everything, before=before, keep_bytes=keep_bytes, chosen=chosen, untagged=untagged
                )
                for gone in self._take_all(
                    [piece for candidate in candidates for piece in candidate.pieces], everything
                ):
                    went = True
                    yield gone
                # What two layers share is freed with the second of them: then there may be more to do.
                went = went and keep_bytes is not None
            self._unheld_locks()
            if everything and chosen is None and keep_bytes is None:
                oldest = self._store.oldest_lease()
                self._store.database.facts.drop(1e18 if oldest is None else oldest - _GRACE)

    def _take_all(self, pieces: Sequence[Piece], everything: bool) -> Iterator[Gone]:
        """Remove the pieces, and what of their layers nobody else needs: nothing else."""
        layers = {piece.layer for piece in pieces if piece.layer}
        self._evicted.update(form.digest for layer in layers for form in self._store.database.forms(layer))
        blobs: set[str] = set()
        for piece in pieces:
            if piece.kind == "untagged":
                self._reach.image_blobs(piece.id, blobs)
        layers.update(form.layer for form in self._store.database.forms() if form.digest in blobs)
        blobs.update(piece.id for piece in pieces if piece.id.startswith("sha256:"))
        for layer in layers:
            blobs.update(form.digest for form in self._store.database.forms(layer))
        for piece in pieces:
            yield from self._take(piece)
        yield from self._layers(everything, layers)
        yield from self._blobs(everything, blobs)
        names = {piece.id for piece in pieces} | {f"listings/{layer_name(layer)}" for layer in layers}
        yield from self.orphans(names.__contains__)
        yield from self.leftovers(names.__contains__)

    def pieces(self, everything: bool = False) -> tuple[Piece, ...]:
        """All that the store holds. With `everything`, documents of images without a name count as needed by nobody."""
        held = Inventory(self._store, self._reach.named_blobs(), self._reach.base_blobs(), everything).pieces()
        return (*held, *self._loose(everything, {piece.id for piece in held}))

    def _loose(self, everything: bool, held: set[str]) -> Iterator[Piece]:
        """What belongs to nothing: by its path, blobs by their digests."""
        needed = self._needed_blobs(everything)
        found = [(f"tmp/{name}", "left behind by a process that died") for name in self._dead()]
        found += [(f"layers/{name}", "a directory of no layer") for name in self._unknown("layers")]
        found += [(f"listings/{name}", "a listing of no layer") for name in self._unknown("listings")]
        found += [(d, "a blob that nothing needs") for d in self._store.blobs.digests() if d not in needed]
        for name, title in found:
            path = self._store.blobs.path(name) if name.startswith("sha256:") else self._store.path(name)
            used = _changed(path)
            if used < float("inf") and name not in held:
                # What a dead process left is in no one's use, however new it is.
                used = 0.0 if name.startswith("tmp/") else used
                yield Piece(name, "internal", title, disk_use(path), used, used, 1, 0.0)

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
        untagged: bool = True,
    ) -> Iterator[Candidate]:
        """What `collect` would remove, in its order: the least worth for its size first. The sizes are what
        goes with each when those before it are gone."""
        pieces = self.pieces(everything)
        holders: dict[str, int] = {}
        for digest in (blob[0] for piece in pieces for blob in piece.blobs):
            holders[digest] = holders.get(digest, 0) + 1
        oldest = self._store.oldest_lease()
        limited = before is not None or chosen is not None
        budget = keep_bytes is not None
        if not (everything or limited or budget):
            old = {os.path.basename(path) for _, path, _ in git_directories(self._store, False, None)}
            pieces = tuple(p for p in pieces if p.kind in ("internal", "untagged") or p.id in old)

        def may_go(piece: Piece) -> bool:
            return (
                not piece.named
                and (piece.kind != "untagged" or (untagged and chosen is None and not budget))
                and (untagged or not piece.id.startswith(f"{PARTIAL}/"))
                and (oldest is None or piece.used < oldest - _GRACE)
                and (before is None or piece.used < before)
                and (chosen is None or chosen(piece))
            )

        total = self.cache_bytes() if keep_bytes is not None else 0
        gone: set[str] = set()
        first = ranked(pieces, may_go, time())
        # Then what frees nothing by itself: what others hold, too.
        others = (Candidate((piece,), 0.0, piece.size) for piece in pieces if piece.id not in gone and may_go(piece))
        for candidate in chain(first, others):
            if keep_bytes is not None and total <= keep_bytes:
                return
            going = tuple(piece._replace(size=_freed(piece, holders)) for piece in candidate.pieces)
            # Work in progress is not counted as cache.
            total -= sum(piece.size for piece in going if not piece.id.startswith("tmp/"))
            gone.update(piece.id for piece in going)
            yield Candidate(going, candidate.worth, sum(piece.size for piece in going))

    def _take(self, piece: Piece) -> Iterator[Gone]:
        """Remove one piece, unless it was used meanwhile."""
        if piece.kind == "regular":
            with self._sweep(piece.used) as free:
                if free and self._store.database.drop_record(piece.id, piece.used):
                    yield Gone("record", piece.title, 0)
        elif piece.kind == "image":
            yield from self._take_layer(piece)
        elif piece.kind == "exec.cachemount":
            yield from self._take_mount(piece)
        elif piece.kind == "source.git.checkout":
            for name, path, used in git_directories(self._store, True, None):
                if os.path.basename(path) == piece.id:
                    yield from self._take_git(name, path, used)
        elif piece.kind == "source.http":
            with self._sweep(piece.used) as free:
                if free:
                    self._store.database.facts.drop_download(piece.id)
        elif piece.kind == "source.local":
            yield Gone("context", piece.title, _remove(self._store.path("contexts", piece.id)))
        elif piece.kind == "untagged":
            with self._sweep(piece.used) as free:
                free = free and self._reach.kept_at(piece.id) == piece.used
                if free:
                    self._store.names.drop(piece.id)
            if free:
                yield Gone("deleted", piece.id, 0)
        elif piece.id.startswith(f"{PARTIAL}/"):
            yield from self._take_partial(self._store.path(piece.id))

    def _take_layer(self, piece: Piece) -> Iterator[Gone]:
        """A layer of an image that no name holds: it is pulled again when a build needs it."""
        database = self._store.database
        with self._sweep(piece.used) as free, database.transaction():
            row = database.layer(piece.layer)
            if not free or row is None or row.used != piece.used:
                return
            aside = self._all_aside(row.id)
            database.drop_layer(row.id)
        yield Gone("snapshot", piece.title, sum(map(_remove, aside)))

    def abandoned(self) -> Iterator[Gone]:
        """Clear away what nobody goes on with: leftovers, and after a day what there is of a blob whose fetching was
        interrupted."""
        yield from self.leftovers()
        for path in self._store.partials():
            if _modified(path) < time() - _RESUMABLE:
                yield from self._take_partial(path)

    def leftovers(self, chosen: Callable[[str], bool] = lambda name: True) -> Iterator[Gone]:
        """Clear away work in progress of processes that are dead."""
        for name in self._dead():
            path = self._store.path("tmp", name)
            if chosen(f"tmp/{name}"):
                size = _remove(path)
                # What belongs to ids that this user namespace lacks stays.
                if not os.path.lexists(path):
                    yield Gone("temporary", name, size)

    def _dead(self) -> list[str]:
        names = sorted(os.listdir(self._store.path("tmp")))
        # A process of another container is not to be seen from here, its lease is.
        living = {lease.partition("-")[0] for lease in self._store.leases()}
        return [
            name
            for name in names
            if (process := name.partition("-")[0]) not in living and not (process.isdigit() and _alive(int(process)))
        ]

    def _take_partial(self, path: str) -> Iterator[Gone]:
        held = lock_partial(path)
        if held >= 0:
            size = _remove(path)
            os.close(held)
            yield Gone("temporary", os.path.basename(path), size)

    def _unheld_locks(self) -> None:
        """Remove the files of locks that nobody holds: there is one for every key that ever ran."""
        directory = self._store.path("locks")
        for name in os.listdir(directory):
            if not name.startswith(("key-", "layer-", "blob-", "mount-", "make-")):
                continue
            with self._store.lock(name, wait=False) as free:
                if free:
                    try:
                        os.unlink(os.path.join(directory, name))
                    except OSError:
                        pass  # An empty file more does no harm.

    def orphans(self, chosen: Callable[[str], bool] = lambda name: True) -> Iterator[Gone]:
        """Directories and listings of layers that are not known: of layers that went, of a layer that was made
        again, or of a process that was killed just then."""
        # Looked up again before it goes: a build may have put it there and written it down since.
        for name in self._unknown("layers"):
            path = self._store.layer_directory(name)
            if not chosen(f"layers/{name}"):
                continue
            with self._sweep(_changed(path)) as free:
                if not free or name in self._known_directories():
                    continue
                aside = self._aside(path)
            if aside:
                yield Gone("snapshot", name, _remove(aside))
        for name in self._unknown("listings"):
            path = self._store.path("listings", name)
            if not chosen(f"listings/{name}"):
                continue
            size = 0
            with self._sweep(_changed(path)) as free:
                if free and name not in self._known_listings():
                    size = _remove(path)
            if size:
                yield Gone("listing", name, size)

    def _unknown(self, kind: str) -> set[str]:
        """What lies in the directory of directories or of listings and belongs to no layer."""
        known = self._known_directories() if kind == "layers" else self._known_listings()
        return set(os.listdir(self._store.path(kind))) - known

    def _known_directories(self) -> set[str]:
        return {row.name for row in self._store.database.directories()}

    def _known_listings(self) -> set[str]:
        return {layer_name(row.id) for row in self._store.database.layers()}

    def _all_aside(self, layer: str) -> list[str]:
        """Move the layer's directories out of the way; where they are now."""
        paths = (self._store.layer_directory(row.name) for row in self._store.database.directories(layer))
        return [aside for path in paths if os.path.isdir(path) and (aside := self._aside(path))]

    def _aside(self, path: str) -> str:
        """Move a directory out of the way, at once; where it is now. Empty when its owner is a stranger here and has
        to move it."""
        aside = self._store.blobs.scratch("gone")
        try:
            os.rename(path, aside)
        except PermissionError:
            return ""
        return aside

    def _take_mount(self, piece: Piece) -> Iterator[Gone]:
        with self._sweep(piece.used) as free:
            mount = self._store.database.find_mount(piece.id)
            if not free or mount is None or not self._store.database.drop_mount(mount.id, piece.used):
                return
        yield Gone("mount", mount.name or mount.id, _remove(self._store.path("mounts", mount.directory)))

    def _take_git(self, name: str, path: str, used: float) -> Iterator[Gone]:
        with self._sweep(used) as free:
            if not free or _modified(path) != used:
                return
            aside = self._aside(path)
        if aside:
            yield Gone("git", name, _remove(aside))

    def _layers(self, everything: bool, only: set[str]) -> Iterator[Gone]:
        """Of these layers those that no result gives and no image holds; of layers that only images hold, the
        directories and the blobs that these images do not name."""
        database = self._store.database
        needed = {record.layer for record in database.records()}
        named = self._reach.named_blobs()
        bases = set() if everything else self._reach.base_blobs() - self._evicted
        for row in database.layers():
            if row.id not in only or row.id in needed or not self._free(row.used):
                continue
            digests = {form.digest for form in database.forms(row.id)}
            if digests & bases:
                continue
            with self._sweep(row.used) as free, database.transaction():
                again = database.layer(row.id)
                if not free or again is None or again != row:
                    continue
                aside = self._all_aside(row.id)
                if not digests & named:
                    database.drop_layer(row.id)
                else:
                    database.drop_directory(row.id)
                    for form in database.forms(row.id):
                        if form.digest not in named:
                            database.drop_form(row.id, form.encoder)
            if aside:
                yield Gone("snapshot", row.id, sum(map(_remove, aside)))

    def _blobs(self, everything: bool, only: set[str]) -> Iterator[Gone]:
        """Of these blobs those that nothing needs any more."""
        version = self._version()
        keep = self._needed_blobs(everything)
        for digest in sorted(only - keep):
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
            keep |= (self._reach.base_blobs() - self._evicted) | self._store.database.facts.downloaded()
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
            ("partial blobs", PARTIAL),
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
        for directory in ("blobs/sha256", "layers", "mounts", "listings", "contexts", "git", PARTIAL):
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


def _freed(piece: Piece, holders: dict[str, int]) -> int:
    """What there is less of when the piece goes: a blob with the last of the pieces that hold it. `holders` counts
    these, and is brought up to date."""
    size = piece.size
    for digest, count, counted in piece.blobs:
        holders[digest] -= 1
        size += count * ((holders[digest] == 0) - counted)
    return size


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
        # What belongs to ids that this user namespace lacks stays.
        return size - disk_use(path)
    try:
        size = disk_use(path)
        os.unlink(path)
    except FileNotFoundError:
        return 0
    return size
