"""What is to go goes from a store, unless somebody has used it meanwhile."""

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from kezuri.linux import cgroups
from kezuri.linux.usage import disk_use
from kezuri.store.blobs import PARTIAL, lock_partial
from kezuri.store.store import Store, remove_tree
from kezuri.upkeep.fetched import git_directories
from kezuri.upkeep.leftovers import Leftovers
from kezuri.upkeep.piece import Piece
from kezuri.upkeep.reach import Reach
from kezuri.upkeep.spared import Spared


class Gone(NamedTuple):
    """Something that was removed: `kind` is deleted (an image without a name), record, snapshot, blob, listing, mount,
    git, context or temporary; `size` bytes of the disk were freed."""

    kind: str
    name: str
    size: int


class Removal:
    """Removes from one store. Each thing is looked at again before it goes, while nobody can open the store."""

    def __init__(self, store: Store, reach: Reach) -> None:
        self._store = store
        self._reach = reach
        self._spared = Spared(store)
        self._leftovers = Leftovers(store)

    def take(self, piece: Piece) -> Iterator[Gone]:
        """Remove one piece, unless it was used meanwhile."""
        if piece.kind == "regular":
            with self._spared.taking(piece.use.used) as free:
                if free and self._store.database.drop_record(piece.id, piece.use.used):
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
            with self._spared.taking(piece.use.used) as free:
                if free:
                    self._store.database.facts.drop_download(piece.id)
        elif piece.kind == "source.local":
            yield Gone("context", piece.title, _remove(self._store.path("contexts", piece.id)))
        elif piece.kind == "untagged":
            with self._spared.taking(piece.use.used) as free:
                free = free and self._reach.kept_at(piece.id) == piece.use.used
                if free:
                    self._store.names.drop(piece.id)
            if free:
                yield Gone("deleted", piece.id, 0)
        elif piece.id.startswith(f"{PARTIAL}/"):
            yield from self.take_partial(self._store.path(piece.id))

    def _take_layer(self, piece: Piece) -> Iterator[Gone]:
        """A layer of an image that no name holds: it is pulled again when a build needs it."""
        database = self._store.database
        with self._spared.taking(piece.use.used) as free, database.transaction():
            row = database.layer(piece.ties.layer)
            if not free or row is None or row.used != piece.use.used:
                return
            aside = self._all_aside(row.id)
            database.drop_layer(row.id)
        yield Gone("snapshot", piece.title, sum(map(_remove, aside)))

    def _take_mount(self, piece: Piece) -> Iterator[Gone]:
        with self._spared.taking(piece.use.used) as free:
            mount = self._store.database.find_mount(piece.id)
            if not free or mount is None or not self._store.database.drop_mount(mount.id, piece.use.used):
                return
        yield Gone("mount", mount.name or mount.id, _remove(self._store.path("mounts", mount.directory)))

    def _take_git(self, name: str, path: str, used: float) -> Iterator[Gone]:
        with self._spared.taking(used) as free:
            if not free or modified(path) != used:
                return
            aside = self._aside(path)
        if aside:
            yield Gone("git", name, _remove(aside))

    def take_partial(self, path: str) -> Iterator[Gone]:
        held = lock_partial(path)
        if held >= 0:
            size = _remove(path)
            os.close(held)
            yield Gone("temporary", os.path.basename(path), size)

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

    def layers(self, everything: bool, only: set[str]) -> Iterator[Gone]:
        """Of these layers those that no result gives and no image holds; of layers that only images hold, the
        directories and the blobs that these images do not name."""
        database = self._store.database
        needed = {record.layer for record in database.records()}
        named = self._reach.named_blobs()
        bases = self._reach.standing_blobs(everything)
        for row in database.layers():
            if row.id not in only or row.id in needed or not self._spared.free(row.used):
                continue
            digests = {form.digest for form in database.forms(row.id)}
            if digests & bases:
                continue
            with self._spared.taking(row.used) as free, database.transaction():
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

    def blobs(self, everything: bool, only: set[str]) -> Iterator[Gone]:
        """Of these blobs those that nothing needs any more."""
        version = self._version()
        keep = self._reach.needed_blobs(everything)
        for digest in sorted(only - keep):
            size, gone = 0, False
            with self._spared.taking(changed(self._store.blobs.path(digest))) as free:
                if free and (now := self._version()) != version:
                    # A build came and went: what it made is needed by what it wrote down.
                    version, keep = now, self._reach.needed_blobs(everything)
                if free and digest not in keep:
                    size = disk_use(self._store.blobs.path(digest))
                    gone = self._store.blobs.delete(digest) > 0
            if gone:
                yield Gone("blob", digest, size)

    def _version(self) -> tuple[object, ...]:
        """What changes when somebody else writes down what is needed."""
        return (*self._store.database.rows("PRAGMA data_version")[0], self._store.names.version())

    def orphans(self, chosen: Callable[[str], bool] = lambda name: True) -> Iterator[Gone]:
        """Directories and listings of layers that are not known: of layers that went, of a layer that was made
        again, or of a process that was killed just then."""
        # Looked up again before it goes: a build may have put it there and written it down since.
        for name in self._leftovers.directories():
            path = self._store.layer_directory(name)
            if not chosen(f"layers/{name}"):
                continue
            with self._spared.taking(changed(path)) as free:
                if not free or not self._leftovers.is_directory(name):
                    continue
                aside = self._aside(path)
            if aside:
                yield Gone("snapshot", name, _remove(aside))
        for name in self._leftovers.listings():
            path = self._store.path("listings", name)
            if not chosen(f"listings/{name}"):
                continue
            size = 0
            with self._spared.taking(changed(path)) as free:
                if free and self._leftovers.is_listing(name):
                    size = _remove(path)
            if size:
                yield Gone("listing", name, size)

    def leftovers(self, chosen: Callable[[str], bool] = lambda name: True) -> Iterator[Gone]:
        """Clear away work in progress of processes that are dead, and their control groups."""
        cgroups.sweep_all()
        for name in self._leftovers.dead():
            path = self._store.path("tmp", name)
            if chosen(f"tmp/{name}"):
                size = _remove(path)
                # What belongs to ids that this user namespace lacks stays.
                if not os.path.lexists(path):
                    yield Gone("temporary", name, size)

    def orphaned_referrers(self) -> None:
        """Forget what referred to images that went, once its own document went with them."""
        for entry in self._store.names.referring():
            if not self._store.blobs.has(entry.digest):
                self._store.names.drop(entry.digest)

    def unheld_locks(self) -> None:
        """Remove the files of locks that nobody holds: there is one for every key that ever ran."""
        directory = self._store.path("locks")
        for name in os.listdir(directory):
            if not name.startswith(("key-", "layer-", "blob-", "mount-", "make-", "volume-", "container-")):
                continue
            with self._store.lock(name, wait=False) as free:
                if free:
                    try:
                        os.unlink(os.path.join(directory, name))
                    except OSError:
                        pass  # An empty file more does no harm.


def changed(path: str) -> float:
    """When the file last changed in any way, in seconds since the epoch; the distant future when it is gone."""
    try:
        return os.lstat(path).st_ctime
    except FileNotFoundError:
        return float("inf")


def modified(path: str) -> float:
    """When the file's content last changed, in seconds since the epoch; the distant future when it is gone."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return float("inf")


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
