"""Collection: what nobody needs goes, never what a running build needs."""

import os
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import chain
from time import time
from typing import NamedTuple

from kezuri.linux.ownership import Privilege
from kezuri.store.blobs import PARTIAL
from kezuri.store.store import Store, layer_name
from kezuri.upkeep.fetched import git_directories
from kezuri.upkeep.figures import Figures
from kezuri.upkeep.foreign_files import own_files
from kezuri.upkeep.inventory import Inventory
from kezuri.upkeep.piece import Piece
from kezuri.upkeep.reach import Reach
from kezuri.upkeep.removal import Gone, Removal, modified
from kezuri.upkeep.spared import Spared
from kezuri.upkeep.worth import Candidate, ranked

_RESUMABLE = 24 * 3600.0
"""Seconds for which builds leave the first bytes of a blob that nobody fetches any more."""


class Limits(NamedTuple):
    """What is to go from a store.

    With none of `everything`, `before`, `keep_bytes` and `chosen`: leftovers of dead processes, blobs and layers that
    neither an image nor a result needs. `everything`: all results, cache mounts and what was fetched too, images
    excepted. `untagged`: images without a name too, unless `chosen` or `keep_bytes` is given, which concern the cache;
    and parts of blobs whose fetching was interrupted. `before` (seconds since the epoch): what was last used earlier.
    `chosen`: the pieces for which it holds. `keep_bytes`: of all these, the least worth first, until the cache takes
    no more bytes than that.
    """

    everything: bool = False
    before: float | None = None
    keep_bytes: int | None = None
    chosen: Callable[[Piece], bool] | None = None
    untagged: bool = True

    def meets(self, piece: Piece) -> bool:
        """Whether the piece is of those that are to go, however much the cache takes."""
        wants_untagged = self.untagged and self.chosen is None and self.keep_bytes is None
        return (
            not piece.ties.named
            and (piece.kind != "untagged" or wants_untagged)
            and (self.untagged or not piece.id.startswith(f"{PARTIAL}/"))
            and (self.before is None or piece.use.used < self.before)
            and (self.chosen is None or self.chosen(piece))
        )


class Collector:
    """Collects one store. Runs one at a time; running builds are left in peace by what they have used.

    `privilege` is taken before directories of layers and cache mounts are looked into. KezuriError, before anything has
    gone, where the machine does not give it.
    """

    def __init__(self, store: Store, privilege: Privilege) -> None:
        self._store = store
        self._privilege = privilege
        self._reach = Reach(store)
        self._spared = Spared(store)
        self._removal = Removal(store, self._reach)
        self.figures = Figures(store, privilege, self._reach)

    def pieces(self, everything: bool = False) -> tuple[Piece, ...]:
        """All that the store holds. With `everything`, documents of images without a name count as needed by nobody."""
        own_files(self._store, self._privilege)
        return Inventory(self._store, self._reach, everything).pieces()

    def may_go(self, piece: Piece) -> bool:
        """Whether the piece is cache that no running build needs."""
        return not piece.ties.named and self._spared.free(piece.use.used)

    def candidates(self, limits: Limits) -> Iterator[Candidate]:
        """What `collect` would remove, in its order: the least worth for its size first. The sizes are what
        goes with each when those before it are gone."""
        return self._candidates(limits, self.pieces(limits.everything), frozenset())

    def _candidates(self, limits: Limits, pieces: Sequence[Piece], spared: Set[str]) -> Iterator[Candidate]:
        """Candidates among these pieces, without those whose ids are `spared`."""
        holders: dict[str, int] = {}
        for digest in (blob.digest for piece in pieces for blob in piece.ties.blobs):
            holders[digest] = holders.get(digest, 0) + 1
        since = self._spared.since()
        if limits._replace(untagged=True) == Limits():
            old = {os.path.basename(path) for _, path, _ in git_directories(self._store, False, None)}
            pieces = tuple(p for p in pieces if p.kind in ("internal", "untagged") or p.id in old)

        def may_go(piece: Piece) -> bool:
            return piece.id not in spared and limits.meets(piece) and (since is None or piece.use.used < since)

        keep_bytes = limits.keep_bytes
        total = self.figures.cache_bytes() if keep_bytes is not None else 0
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

    def collect(self, limits: Limits) -> Iterator[Gone]:
        """Remove what `candidates` gives for the same limits and yield what went, piece by piece."""
        with self._store.lock("collect"):
            known, spared = set[str](), set[str]()
            went = True
            while went:
                went = False
                pieces = self.pieces(limits.everything)
                # A layer is known as an image's by the image's manifest. Once that went it looks like another kind of
                # piece, so each piece is judged as it was when it was first seen.
                spared.update(piece.id for piece in pieces if piece.id not in known and not limits.meets(piece))
                known.update(piece.id for piece in pieces)
                candidates = self._candidates(limits, pieces, spared)
                going = [piece for candidate in candidates for piece in candidate.pieces]
                for gone in self._take_all(going, limits.everything):
                    went = True
                    yield gone
                # What two layers share is freed with the second of them: then there may be more to do.
                went = went and limits.keep_bytes is not None
            self._removal.unheld_locks()
            self._removal.orphaned_referrers()
            if limits.everything and limits.chosen is None and limits.keep_bytes is None:
                since = self._spared.since()
                self._store.database.facts.drop(float("inf") if since is None else since)

    def _take_all(self, pieces: Sequence[Piece], everything: bool) -> Iterator[Gone]:
        """Remove the pieces, and what of their layers nobody else needs: nothing else."""
        database = self._store.database
        layers = {piece.ties.layer for piece in pieces if piece.ties.layer}
        self._reach.evict(form.digest for layer in layers for form in database.forms(layer))
        blobs: set[str] = set()
        for piece in pieces:
            if piece.kind == "untagged":
                self._reach.image_blobs(piece.id, blobs)
        layers.update(form.layer for form in database.forms() if form.digest in blobs)
        blobs.update(piece.id for piece in pieces if piece.id.startswith("sha256:"))
        for layer in layers:
            blobs.update(form.digest for form in database.forms(layer))
        for piece in pieces:
            yield from self._removal.take(piece)
        yield from self._removal.layers(everything, layers)
        yield from self._removal.blobs(everything, blobs)
        names = {piece.id for piece in pieces} | {f"listings/{layer_name(layer)}" for layer in layers}
        yield from self._removal.orphans(names.__contains__)
        yield from self._removal.leftovers(names.__contains__)

    def abandoned(self) -> Iterator[Gone]:
        """Clear away what nobody goes on with: leftovers, and after a day what there is of a blob whose fetching was
        interrupted."""
        yield from self._removal.leftovers()
        for path in self._store.partials():
            if modified(path) < time() - _RESUMABLE:
                yield from self._removal.take_partial(path)


def _freed(piece: Piece, holders: dict[str, int]) -> int:
    """What there is less of when the piece goes: a blob with the last of the pieces that hold it. `holders` counts
    these, and is brought up to date."""
    size = piece.size
    for blob in piece.ties.blobs:
        holders[blob.digest] -= 1
        size += blob.size * ((holders[blob.digest] == 0) - blob.counted)
    return size
