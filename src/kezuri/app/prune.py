"""`prune` and `du`: giving disk space back, and telling where it went."""

import os
from time import time

from kezuri.app.request import Removed, Settings
from kezuri.diagnostics import KezuriError
from kezuri.store.collection import Collection
from kezuri.store.store import Store


def prune(
    settings: Settings,
    *,
    all: bool = False,
    until: float | None = None,
    keep_bytes: int | None = None,
    filters: tuple[str, ...] = (),
) -> tuple[Removed, ...]:
    """Remove what is not needed; see Collection.collect. `until` is an age in seconds. Never what a running build
    needs. KezuriError for filters that are not supported."""
    if filters:
        raise KezuriError.of(f"prune does not support the filter {filters[0]!r} yet", hint="until=AGE", exit_code=2)
    _own_files_of_many_ids()
    with Store(settings.root) as store:
        before = None if until is None else time() - until
        gone = Collection(store).collect(everything=all, before=before, keep_bytes=keep_bytes)
        return tuple(Removed(g.kind, g.name, g.size) for g in gone)


def usage(settings: Settings) -> tuple[tuple[str, int, int], ...]:
    """(kind, how many, bytes) of what the store holds."""
    _own_files_of_many_ids()
    with Store(settings.root) as store:
        return Collection(store).usage()


def _own_files_of_many_ids() -> None:
    """Layers of an ordinary user hold files of subordinate ids, which only a user namespace can touch."""
    if os.geteuid() != 0:
        from kezuri.linux.userns import enter

        enter()
