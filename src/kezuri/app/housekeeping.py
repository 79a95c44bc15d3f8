"""What settings allow the cache is kept to, at the end of commands that make it grow."""

from time import time
from typing import NamedTuple

from kezuri.app.answers import Removed
from kezuri.app.budget import Budget
from kezuri.app.prune import forget_builds
from kezuri.app.request import Settings
from kezuri.linux.ownership import Privilege
from kezuri.store.database import FRESH
from kezuri.store.store import Store
from kezuri.upkeep.collector import Collector, Limits
from kezuri.upkeep.figures import Figures
from kezuri.upkeep.relief import is_full
from kezuri.upkeep.removal import Gone


class Standing(NamedTuple):
    """How the cache stands to what the settings allow, in bytes: what it takes, what the disk has left, and how much is
    to go for the limits of space."""

    used: int
    free: int
    excess: int


def budget_of(settings: Settings) -> Budget:
    """The limits of space that the settings have."""
    if settings.max_used_space is None and settings.min_free_space is None:
        return Budget()
    return Budget(settings.max_used_space, settings.min_free_space, settings.reserved_space)


def standing(settings: Settings) -> Standing:
    """How the cache stands to its limits now."""
    with Store(settings.root, frugal=is_full(settings.root)) as store:
        return _standing(settings, Figures(store, Privilege()))


def _standing(settings: Settings, figures: Figures) -> Standing:
    used, free = figures.cache_bytes(), figures.free_bytes()
    keep = budget_of(settings).keep(used, free)
    return Standing(used, free, 0 if keep is None else max(0, used - keep))


def keep_house(settings: Settings, since: float) -> tuple[Removed, ...]:
    """Remove what was not used for longer than the settings' `keep_age`, then what is worth least, until the limits of
    space are kept. Images stay, and so does what a running command uses, and what was used since shortly before `since`
    (seconds since the epoch). Where another process collects, that is left to it. KezuriError where the store does not
    let it."""
    # What was used a short time ago is not noted as used again.
    since -= FRESH
    with Store(settings.root, frugal=is_full(settings.root)) as store:
        with store.lock("collect", wait=False) as free:
            if not free:
                return ()
        collector = Collector(store, Privilege())
        gone: list[Gone] = []
        if settings.keep_age is not None:
            before = min(since, time() - settings.keep_age)
            gone += collector.collect(Limits(before=before, untagged=False))
            forget_builds(store, before)
        # How much room there is can be told without looking at the whole store.
        least = settings.min_free_space
        if settings.max_used_space is not None or (least is not None and collector.figures.free_bytes() < least):
            stands = _standing(settings, collector.figures)
            if stands.excess:
                keep = stands.used - stands.excess
                gone += collector.collect(Limits(before=since, keep_bytes=keep, untagged=False))
        return tuple(Removed(piece.kind, piece.name, piece.size) for piece in gone)
