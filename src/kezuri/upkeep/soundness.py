"""The check that everything in a store is as it should be."""

import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.linux.ownership import Privilege
from kezuri.store.store import Store
from kezuri.upkeep.foreign_files import own_files
from kezuri.upkeep.reach import Reach
from kezuri.upkeep.removal import Removal


class Finding(NamedTuple):
    """Something in the store that is not as it should be; `repaired` says that it was put right."""

    kind: str
    name: str
    detail: str
    repaired: bool


class Soundness:
    """Checks one store, and puts right what can be, for which `privilege` is taken."""

    def __init__(self, store: Store, privilege: Privilege) -> None:
        self._store = store
        self._privilege = privilege
        self._reach = Reach(store)
        self._removal = Removal(store, self._reach)

    def check(self, repair: bool) -> Iterator[Finding]:
        """Look at everything; yield what is wrong, having put it right if `repair`."""
        own_files(self._store, self._privilege)
        with self._store.lock("collect"):
            yield from self._check_blobs(repair)
            yield from self._check_names(repair)
            yield from self._check_layers(repair)
            for gone in self._removal.leftovers() if repair else ():
                yield Finding("temporary", gone.name, "left behind by a process that died", True)

    def _check_blobs(self, repair: bool) -> Iterator[Finding]:
        for digest in self._store.blobs.digests():
            if not self._store.blobs.is_sound(digest):
                if repair:
                    self._store.blobs.delete(digest)
                yield Finding("blob", digest, "its content has another digest", repair)
        for form in self._store.database.forms():
            if not form.pulled and not self._store.blobs.has(form.digest):
                if repair:
                    self._store.database.drop_form(form.layer, form.encoder)
                yield Finding("layer", form.layer, f"its blob {form.digest} is missing", repair)

    def _check_names(self, repair: bool) -> Iterator[Finding]:
        try:
            names = self._store.names.all()
        except KezuriError as error:
            if repair:
                os.rename(self._store.path("index.json"), self._store.path("index.json.damaged"))
            yield Finding("names", "index.json", str(error), repair)
            return
        for name, descriptor in names.items():
            for digest in self._missing(descriptor.digest):
                if repair:
                    self._store.names.delete(name)
                yield Finding("image", name, f"{digest} is missing", repair)
                break
        for descriptor in (*self._store.names.untagged(), *self._store.names.referring()):
            for digest in self._missing(descriptor.digest):
                if repair:
                    self._store.names.drop(descriptor.digest)
                yield Finding("image", descriptor.digest, f"{digest} is missing", repair)
                break

    def _missing(self, digest: str) -> Iterable[str]:
        seen: set[str] = set()
        if not self._store.blobs.has(digest):
            return (digest,)
        self._reach.image_blobs(digest, seen)
        return [d for d in sorted(seen) if not self._store.blobs.has(d)]

    def _check_layers(self, repair: bool) -> Iterator[Finding]:
        database = self._store.database
        for row in database.directories():
            if not os.path.isdir(self._store.layer_directory(row.name)):
                if repair:
                    database.drop_directory(row.layer, row.name)
                yield Finding("layer", row.layer, f"its directory {row.name} is missing", repair)
        for gone in self._removal.orphans() if repair else ():
            kind = "directory" if gone.kind == "snapshot" else gone.kind
            yield Finding(kind, gone.name, "belongs to no layer", True)
