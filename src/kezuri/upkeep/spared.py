"""What running builds have used is spared."""

from collections.abc import Iterator
from contextlib import contextmanager

from kezuri.store.store import Store

_GRACE = 1200.0
"""Seconds by which a running build's lease reaches back: what was used shortly before is not noted as used again."""


class Spared:
    """Tells what may go from a store that others have open."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def since(self) -> float | None:
        """What was used since this moment (seconds since the epoch) is spared; None when nobody else has the store
        open."""
        oldest = self._store.oldest_lease()
        return None if oldest is None else oldest - _GRACE

    def free(self, used: float) -> bool:
        """Whether what was last used then is needed by no store that is open."""
        since = self.since()
        return since is None or used < since

    @contextmanager
    def taking(self, used: float) -> Iterator[bool]:
        """Yields whether what was last used then may go. Until the block ends nobody else opens the store, so what is
        forgotten in it is not believed to be there by anybody; the bytes may go after it."""
        with self._store.lock("sweep"):
            yield self.free(used)
