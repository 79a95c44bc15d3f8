"""The first room on a full disk: what nobody misses, and what can be removed without writing anything."""

import os
from contextlib import suppress

from kezuri.store.blobs import lock_partial
from kezuri.store.store import Store, remove_tree
from kezuri.upkeep.leftovers import Leftovers

_LITTLE = 1 << 20
"""Bytes that a collection may have to write."""


def is_full(root: str) -> bool:
    """Whether the store's disk has so little room, or so few inodes, that a collection cannot count on writing."""
    try:
        status = os.statvfs(root)
    except OSError:
        return False
    few = status.f_files > 0 and status.f_favail < 16
    # Some file systems (ramfs) do not count.
    return few or (status.f_blocks > 0 and status.f_bavail * status.f_frsize < _LITTLE)


def relieve(root: str) -> None:
    """Remove from the store, which must not be open, leftovers of dead processes, parts of blobs that nobody fetches
    and digests of context files, which the next build computes again."""
    store = Store(root)
    with suppress(OSError):
        for name in Leftovers(store).dead():
            remove_tree(store.path("tmp", name))
    for path in store.partials():
        held = lock_partial(path)
        if held >= 0:
            with suppress(OSError):
                os.unlink(path)
            os.close(held)
    with suppress(OSError):
        for entry in os.scandir(store.path("contexts")):
            os.unlink(entry.path)
