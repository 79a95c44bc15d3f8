"""What a build gives to a cache that is exported: the results that its operations came to, the blobs of their layers,
and the files of its cache mounts."""

import os
from collections.abc import Callable, Collection, Mapping
from typing import IO, TYPE_CHECKING

from kezuri.build.foreign import Reach, Reached
from kezuri.build.needs import Needs
from kezuri.diagnostics import KezuriError
from kezuri.forms.forms import Forms
from kezuri.forms.packing import Packing
from kezuri.keys.inputs import Inputs
from kezuri.keys.options import Options
from kezuri.oci.descriptor import Descriptor, valid_digest
from kezuri.plan.operation import Plan
from kezuri.store.store import Store
from kezuri.travel.document import CacheDocument, Record
from kezuri.travel.imported import Imported
from kezuri.travel.places import Mode

if TYPE_CHECKING:
    from kezuri.travel.document import MountRecord
    from kezuri.travel.mounts import MountPacker

Unpacked = Callable[[Collection[str]], dict[str, int]]
"""Gives how many bytes the files of these layers have, as far as that is known."""
Blobbed = Callable[[tuple[int, int], Record], Record]
"""Gives the record of the operation at a place the blob of its layer, or leaves it without one."""


class CacheContent:
    """What one build came to. `reached` says it, by the places of the plan's operations; `imported` are the caches that
    it has read."""

    def __init__(
        self,
        plan: Plan,
        reached: Mapping[tuple[int, int], Reached],
        inputs: Inputs,
        store: Store,
        forms: Forms,
        imported: Imported | None,
        unpacked: Unpacked,
    ) -> None:
        self._plan = plan
        self._unpacked = unpacked
        self._reached = reached
        self._reach = Reach(plan, reached)
        self._inputs = inputs
        self._store = store
        self._forms = forms
        self._imported = imported

    def records(self, blobbed: Blobbed) -> CacheDocument:
        """The document with a record for each operation whose result later builds may use."""
        database = self._store.database
        records: dict[str, Record] = {}
        for place, reached in sorted(self._reached.items()):
            if not reached.believable:
                continue
            key = reached.turn.key
            known = database.record(key)
            if known is not None and known.layer == reached.layer:
                row = database.layer(reached.layer)
                bare = Record(key, reached.layer, "", None, row.created if row else known.created, known.seconds)
            else:
                there = self._imported.record(reached.layer) if self._imported is not None else None
                if there is None:
                    continue
                bare = Record(key, reached.layer, "", None, there.created, there.seconds)
            filled = blobbed(place, bare)
            if key not in records or records[key].blob is None:
                records[key] = filled
        return CacheDocument(records, self._reach.selections(self._inputs))

    def document(self, mode: Mode, packing: Packing, most: int = 0) -> CacheDocument:
        """The document of a cache that has the layers itself, packed in this way: those of the result, or (`max`) of
        all stages; `most` is how many bytes they may have together (0 for no bound)."""
        wanted = Needs(self._plan).exported

        def blobbed(place: tuple[int, int], bare: Record) -> Record:
            return bare if mode == "min" and place[0] not in wanted else self._filled(bare, packing)

        document = self.records(blobbed)
        if most:
            document = document.within(most)
        return document._replace(sizes=self._sizes(document))

    def _filled(self, bare: Record, packing: Packing) -> Record:
        """The record with the blob that its layer leaves as. One that lies in a cache only, and is not needed here, is
        not fetched to find that out."""
        if self._imported is not None and not self._forms.usable(bare.layer):
            there = self._imported.record(bare.layer)
            if there is not None:
                return there if there.blob is None else there._replace(created=bare.created)
        form = self._forms.blob(bare.layer, packing)
        blob = Descriptor(form.media_type, form.digest, form.size)
        return bare._replace(diff_id=form.diff_id, blob=blob, epoch=form.epoch)

    def _sizes(self, document: CacheDocument) -> dict[str, int]:
        """Of the layers of the document, and of the base images below them, whose ids are their diff ids."""
        diff_ids = {record.diff_id for record in document.records.values() if record.diff_id}
        for reached in self._reached.values():
            diff_ids.update(layer for layer in reached.turn.before.layers if valid_digest(layer))
        return self._unpacked(diff_ids)

    def mounts(
        self, packer: "MountPacker", options: Options, namespace: str, most: int, warn: Callable[[str], None]
    ) -> "dict[str, MountRecord]":
        """The cache mounts of the plan, in packs of at most so many bytes together. Those that are not here, or cannot
        be read now, stay as a cache has them. `namespace` tells the build's from others of the same id."""
        from kezuri.plan.operation import RunOperation
        from kezuri.step.cachemounts import CacheMounts
        from kezuri.step.selections import Selections
        from kezuri.step.tasks import Given, Tasks
        from kezuri.travel.mounts import TooLarge

        self._forms.owners.enter()
        tasks = Tasks(self._inputs, options, Packing(), namespace)
        selections = Selections(self._forms, Given(self._inputs, options, ()))
        known = CacheMounts(self._store, self._forms.owners, selections)
        found: dict[str, MountRecord] = {}
        for reached in self._reached.values():
            operation = reached.turn.operation
            for mount in tasks.caches(operation, self._reach.state) if isinstance(operation, RunOperation) else ():
                id = known.portable(mount)
                if id in found:
                    continue
                record = self._imported.mount(id) if self._imported is not None else None
                with known.shown(mount) as directory:
                    if directory:
                        try:
                            record = packer.pack(id, directory, most)
                        except TooLarge:
                            warn(f"the cache mount {mount.id} is not exported: it is larger than the cache may be")
                            record = None
                        except KezuriError as error:
                            why = str(error).partition(chr(10))[0]
                            warn(f"the cache mount {mount.id} is not exported as it is now: {why}")
                if record is not None and record.size <= most:
                    most -= record.size
                    found[id] = record
        return found

    def blobs(self, document: CacheDocument, packer: "MountPacker | None" = None) -> "CacheBlobs":
        """What the document names, to be written where the cache goes."""
        return CacheBlobs(self._store, self._imported, document, packer)


class CacheBlobs:
    """The blobs of a cache that is written: those of the store, and of the caches that were read. A BlobSource."""

    def __init__(
        self, store: Store, imported: Imported | None, document: CacheDocument, packer: "MountPacker | None"
    ) -> None:
        self._store = store
        self._imported = imported
        self._packer = packer
        self._packs = {pack.digest for mount in document.mounts.values() for pack in mount.packs}
        self._layers = {r.blob.digest: r.layer for r in document.records.values() if r.blob is not None}

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """See BlobSource."""
        blobs = self._store.blobs
        if self._packer is not None and descriptor.digest in self._packs:
            path = self._packer.path(descriptor.digest)
            if not os.path.exists(path) and self._imported is not None:
                self._imported.bring(descriptor, path)
            return open(path, "rb", buffering=0)
        if not blobs.has(descriptor.digest) and self._imported is not None:
            layer = self._layers.get(descriptor.digest, "")
            if self._imported.knows(layer):
                self._imported.fetch(layer, descriptor)
        return blobs.open(descriptor)
