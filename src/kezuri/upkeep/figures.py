"""How much of the disk a store takes."""

import os

from kezuri.linux.ownership import Privilege
from kezuri.linux.usage import disk_use
from kezuri.store.blobs import PARTIAL
from kezuri.store.store import Store
from kezuri.upkeep.foreign_files import own_files
from kezuri.upkeep.reach import Reach


class Figures:
    """Counts one store. All figures are bytes on the disk, as `du` counts them. `privilege` is taken to look into
    directories of layers and cache mounts."""

    def __init__(self, store: Store, privilege: Privilege, reach: Reach | None = None) -> None:
        self._store = store
        self._privilege = privilege
        self._reach = Reach(store) if reach is None else reach

    def usage(self) -> tuple[tuple[str, int, int], ...]:
        """(kind, how many, bytes on the disk) of everything in the store; the bytes add up to what `du` says."""
        own_files(self._store, self._privilege)
        rows = []
        seen: set[tuple[int, int]] = set()
        for kind, directory in (
            ("blobs", "blobs"),
            ("snapshots", "layers"),
            ("cache mounts", "mounts"),
            ("volumes", "volumes"),
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
        """What the cache takes: everything but the blobs of images with a name, what is in progress, and the store's
        own records."""
        own_files(self._store, self._privilege)
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
        """What is left on the store's disk for ordinary users."""
        status = os.statvfs(self._store.root)
        return status.f_bavail * status.f_frsize
