"""What git sources left in the store: copies of repositories, and checkouts of them."""

import os
import time
from collections.abc import Iterator

from kezuri.store.store import Store

_CHECKOUT = 48 * 3600.0
"""Seconds for which a checkout is kept that nobody uses: it can be made again from the repository's copy."""


def git_directories(store: Store, everything: bool, before: float | None) -> Iterator[tuple[str, str, float]]:
    """The directories that may go when nobody uses them: a name, the path, and when it was last used. Of repositories
    those last used before the moment, and of checkouts those of the last two days stay; with `everything` none."""
    for kind in ("trees", "repositories"):
        directory = store.path("git", kind)
        try:
            names = sorted(os.listdir(directory))
        except FileNotFoundError:
            continue
        for name in names:
            path = os.path.join(directory, name)
            try:
                used = os.stat(path).st_mtime
            except FileNotFoundError:
                continue
            old = before is not None and used < before
            if everything or old or (kind == "trees" and used < time.time() - _CHECKOUT):
                yield f"git {kind} {name}", path, used
