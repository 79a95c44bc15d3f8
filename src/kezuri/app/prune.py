"""`prune` and `du`: giving disk space back, and telling where it went."""

import os
from time import time
from typing import NamedTuple

from kezuri.app.answers import Removed
from kezuri.app.budget import Budget
from kezuri.app.request import Settings
from kezuri.linux.ownership import Privilege
from kezuri.store.store import Store
from kezuri.upkeep.choice import choice
from kezuri.upkeep.collector import Collector, Limits
from kezuri.upkeep.figures import Figures
from kezuri.upkeep.piece import Piece
from kezuri.upkeep.relief import is_full, relieve
from kezuri.upkeep.worth import Candidate, worth


class Valued(NamedTuple):
    """A piece of the store, what it is worth (seconds that keeping it is expected to save), and whether it may go."""

    piece: Piece
    worth: float
    in_use: bool


def prune(
    settings: Settings,
    *,
    all: bool = False,
    until: float | None = None,
    filters: tuple[str, ...] = (),
    budget: Budget | None = None,
) -> tuple[Removed, ...]:
    """Remove what is not needed; see Collector.collect. `until` is an age in seconds. Never what a running build
    needs. KezuriError for filters that are not understood."""
    privilege = Privilege()
    if is_full(settings.root):
        privilege.own()
        relieve(settings.root)
    with _opened(settings) as store:
        collector = Collector(store, privilege)
        gone = collector.collect(_limits(collector, all, until, filters, budget))
        removed = tuple(Removed(g.kind, g.name, g.size) for g in gone)
        if all or until is not None:
            forget_builds(store, time() if all or until is None else time() - until)
        return removed


def forget_builds(store: Store, before: float) -> None:
    """Forget the builds of the journal that were last made before the moment (seconds since the epoch), and what only
    they spoke of. The last one of a project that is still there stays: it tells that results were pruned."""
    from kezuri.cache.file_lists import FileLists
    from kezuri.cache.journal import Journal

    journal = Journal(store.database)
    there = (heading.asked for heading in journal.headings())
    journal.forget(before, {asked.project for asked in there if os.path.isdir(asked.context)})
    oldest = store.oldest_lease()
    FileLists(store.database).forget_all_but(journal.digests(), time() if oldest is None else oldest)


def foresee_prune(
    settings: Settings,
    *,
    all: bool = False,
    until: float | None = None,
    filters: tuple[str, ...] = (),
    budget: Budget | None = None,
) -> tuple[Candidate, ...]:
    """What `prune` would remove now, in its order."""
    with _opened(settings, reading=True) as store:
        collector = Collector(store, Privilege())
        return tuple(collector.candidates(_limits(collector, all, until, filters, budget)))


def _limits(
    collector: Collector,
    everything: bool,
    until: float | None,
    filters: tuple[str, ...],
    budget: Budget | None,
) -> Limits:
    """What is to go now, for an age in seconds and what the user chose."""
    keep = None
    if budget is not None and budget != Budget():
        keep = budget.keep(collector.figures.cache_bytes(), collector.figures.free_bytes())
    chosen = choice(filters, lambda piece: not collector.may_go(piece)) if filters else None
    return Limits(everything, None if until is None else time() - until, keep, chosen)


def usage(settings: Settings) -> tuple[tuple[str, int, int], ...]:
    """(kind, how many, bytes) of what the store holds."""
    with _opened(settings, reading=True) as store:
        return Figures(store, Privilege()).usage()


def inventory(settings: Settings, filters: tuple[str, ...] = (), until: float | None = None) -> tuple[Valued, ...]:
    """Every piece that the store holds and the filters choose, the largest first; with `until` (seconds) those that
    were not used for so long."""
    with _opened(settings, reading=True) as store:
        collector, now = Collector(store, Privilege()), time()
        chosen = choice(filters, lambda piece: not collector.may_go(piece))
        pieces = [p for p in collector.pieces() if chosen(p) and (until is None or p.use.used < now - until)]
        pieces.sort(key=lambda piece: (-piece.size, piece.id))
        return tuple(Valued(piece, worth(piece, now), not collector.may_go(piece)) for piece in pieces)


def _opened(settings: Settings, reading: bool = False) -> Store:
    """The store, which writes as little as it can where its disk is full."""
    return Store(settings.root, is_full(settings.root), reading)
