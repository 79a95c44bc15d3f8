"""Cache mounts: directories that outlive builds, shared, private or locked (BuildKit's RUN --mount=type=cache)."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from kezuri.linux.directory import make_plain
from kezuri.plan.key import state_of
from kezuri.step.seeding import make_seeded
from kezuri.step.selections import Selections
from kezuri.step.task import Cache
from kezuri.store.owners import Owners
from kezuri.store.store import Store, remove_tree

_MOST_PRIVATE = 64

Elsewhere = Callable[[str, str], bool]
"""Puts the files of a cache mount, by the id that it has on every machine, into an empty directory; whether it has them
and all went well. Otherwise the directory may hold some of them."""


class CacheMounts:
    """Hands out the directories of cache mounts and keeps the promises of their sharing modes."""

    def __init__(
        self, store: Store, owners: Owners, selections: Selections, elsewhere: Elsewhere | None = None
    ) -> None:
        """`elsewhere` may have the files of caches that are not here."""
        self._elsewhere = elsewhere
        self._store = store
        self._owners = owners
        self._selections = selections

    @contextmanager
    def hold(self, mounts: Sequence[Cache], cancel: threading.Event) -> Iterator[list[str]]:
        """The directories for a step that runs now, in the order of its mounts. `locked` waits until no other step
        holds one, or CalledOff is raised because `cancel` is set; `private` gives one that no other step holds.

        Mounts of one cache are one directory, shared as the first of them says. Every step asks in the same order:
        none waits for one that waits for it.
        """
        identities = [self._identity(mount) for mount in mounts]
        first = dict(zip(reversed(identities), reversed(mounts), strict=True))
        with ExitStack() as held:
            found = {name: held.enter_context(self._one(name, first[name], cancel)) for name in sorted(first)}
            yield [found[identity] for identity in identities]

    def renew(self, families: Iterable[str]) -> None:
        """Have steps begin with empty caches in the place of those of these families (`--no-cache`): those with the
        same id, whatever seeded them. What a running step holds, of this build or another, stays its own until it
        ends."""
        database = self._store.database
        families = frozenset(families)
        for family in families:
            database.facts.put_generation(family, os.urandom(8).hex())
        for known in database.mounts():
            if known.family in families:
                self._drop(known.id)

    def _drop(self, name: str) -> None:
        """Remove the directory of a cache unless a step holds it."""
        with self._store.lock(f"mount-{name}", wait=False) as free:
            if free:
                self._store.database.forget_mount(name)
                remove_tree(self._store.path("mounts", name))

    @contextmanager
    def _one(self, identity: str, mount: Cache, cancel: threading.Event) -> Iterator[str]:
        name = ""
        try:
            with self._held(identity, mount, cancel) as (name, directory):
                yield directory
        finally:
            if name and self._identity(mount) != identity:
                # It was renewed meanwhile: nobody will ask for this directory again.
                self._drop(name)

    @contextmanager
    def _held(self, identity: str, mount: Cache, cancel: threading.Event) -> Iterator[tuple[str, str]]:
        if mount.sharing == "locked":
            with self._store.lock(f"mount-{identity}", cancel=cancel):
                yield identity, self._directory(identity, mount)
            return
        # Those who share hold it, too: it is not free for those who want it alone.
        for number in range(_MOST_PRIVATE):
            name = identity if number == 0 else state_of(identity, str(number))[:32]
            with self._store.lock(f"mount-{name}", wait=False, shared=mount.sharing == "shared") as free:
                if free:
                    yield name, self._directory(name, mount)
                    return
        with self._store.scratch("private") as scratch:
            yield "", scratch

    @contextmanager
    def shown(self, mount: Cache) -> Iterator[str]:
        """The directory of a cache, held against those who want it alone; empty when there is none, or one of them has
        it."""
        identity = self._identity(mount)
        with self._store.lock(f"mount-{identity}", wait=False, shared=True) as free:
            path = self._store.path("mounts", identity)
            there = free and self._store.database.find_mount(identity) is not None and os.path.isdir(path)
            yield path if there else ""

    def portable(self, mount: Cache) -> str:
        """The id that a cache has on every machine."""
        return state_of("mount", mount.namespace, mount.id, *_made_of(mount))[:32]

    def _identity(self, mount: Cache) -> str:
        owner, seed = _made_of(mount)
        generation = self._store.database.facts.generation(mount.family)
        # Files that were made under other ids would belong to nobody here.
        made_by = (self._owners.settled(), *([generation] if generation else []))
        return state_of("mount", mount.namespace, mount.id, owner, seed, *made_by)[:32]

    def _directory(self, identity: str, mount: Cache) -> str:
        known = self._store.database.mount(identity)
        path = self._store.path("mounts", identity)
        if known is not None and os.path.isdir(path):
            return path
        with self._store.lock(f"make-{identity}"):
            if not os.path.isdir(path):
                self._make(path, mount)
            self._store.database.put_mount(identity, identity, mount.id, mount.family)
        return path

    def _make(self, path: str, mount: Cache) -> None:
        with self._store.scratch("mount") as scratch:
            made = os.path.join(scratch, "m")
            # One that was renewed is to begin empty.
            if self._elsewhere is not None and not self._store.database.facts.generation(mount.family):
                make_plain(made)
                if self._elsewhere(self.portable(mount), made):
                    os.rename(made, path)
                    return
                remove_tree(made)
            mode = 0o755 if mount.mode is None else mount.mode
            seed = self._selections.select(mount.seed) if mount.seed is not None else ()
            owner = mount.uid or 0, mount.gid or 0
            make_seeded(made, seed, scratch, mode, owner, self._owners.recorded)
            os.rename(made, path)


def _made_of(mount: Cache) -> tuple[str, str]:
    # A mode or an owner makes another cache than the one without (BuildKit's seed reference does the same).
    owner = f"{mount.mode}:{mount.uid}:{mount.gid}" if _is_owned(mount) else ""
    return owner, mount.seed.digest if mount.seed is not None else ""


def _is_owned(mount: Cache) -> bool:
    return (mount.mode, mount.uid, mount.gid) != (None, None, None)
