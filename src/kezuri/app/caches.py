"""`--cache-from` and `--cache-to`: a build's imported and exported caches, wired from the concrete parts."""

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING

from kezuri.app.definition import Workbench
from kezuri.app.session import Session
from kezuri.build.foreign import ForeignLookup, Reach
from kezuri.build.needs import Needs
from kezuri.diagnostics import KezuriError
from kezuri.forms.packing import Packing
from kezuri.oci.descriptor import Descriptor, valid_digest
from kezuri.oci.reference import Reference
from kezuri.plan.operation import Plan
from kezuri.progress.calling_off import CallOff
from kezuri.progress.events import WorkName
from kezuri.progress.reporter import Reporter, Ticket
from kezuri.travel.carriers import Carrier, LayoutCarrier, RegistryCarrier
from kezuri.travel.document import CacheDocument, Record
from kezuri.travel.imported import Imported, Place
from kezuri.travel.places import CacheSource, CacheTarget, scoped

if TYPE_CHECKING:
    from kezuri.export.image import LayerBlob
    from kezuri.step.cachemounts import Elsewhere
    from kezuri.travel.document import MountRecord
    from kezuri.travel.mounts import MountPacker

_MOST_MOUNTS = 2 << 30
"""How many bytes the packs of cache mounts may have together where no bound is given."""


class Caches:
    """The caches of one build. Use it in a `with`."""

    def __init__(
        self,
        sources: tuple[CacheSource, ...],
        targets: tuple[CacheTarget, ...],
        session: Session,
        reporter: Reporter,
        warn: Callable[[str], None],
        progress: Callable[[str, int, int], None],
        cancel: CallOff,
        namespace: str,
        names: tuple[str, ...],
    ) -> None:
        """`namespace` tells the build's cache mounts from others of the same id; `names` are those of the image, in
        full."""
        self._targets = targets
        self._takes_mounts = any(source.mounts for source in sources)
        self._session = session
        self._reporter = reporter
        self._warn = warn
        self._cancel = cancel
        self._lookup: ForeignLookup | None = None
        self._namespace = namespace
        self._names = names
        self._ticket: Ticket | None = None
        self._promised: dict[str, tuple[str, Packing]] = {}
        self._sources = sources
        places = tuple(Place(str(source), partial(self._carriers, source), source.mounts) for source in sources)
        self.imported = Imported(session.store, places, warn, self._reading, progress, cancel) if places else None

    def lookup(self, bench: Workbench) -> ForeignLookup:
        """The Lookup of a build with this workbench."""
        self._lookup = ForeignLookup(
            bench.keys, bench.results, bench.options, self._session.store.database, self._session.forms, self.imported
        )
        self._bench = bench
        return self._lookup

    # importing

    def _carriers(self, source: CacheSource, held: ExitStack) -> tuple[Carrier, ...]:
        """What lies at a place: the cache of the scope, then that without one."""
        if source.kind == "local":
            tags = dict.fromkeys((scoped(source.tag or "latest", source.scope), source.tag or "latest"))
            return tuple(held.enter_context(LayoutCarrier(source.place, tag, source.digest)) for tag in tags)
        reference = Reference.parse(source.place)
        if reference.digest:
            return (RegistryCarrier(self._session.registry, reference),)
        tags = dict.fromkeys((scoped(reference.tag, source.scope), reference.tag))
        return tuple(RegistryCarrier(self._session.registry, reference._replace(tag=tag)) for tag in tags)

    @contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        with self._reporter.step(WorkName(f"importing cache manifest from {name}")):
            yield

    def ready(self, plan: Plan, ahead: list[tuple[int, int]]) -> None:
        """KezuriError when steps that come first need files which no cache has: what was found is to be looked up
        again then (see `gave_up`)."""
        if self.imported is None or self._lookup is None:
            return
        needed = Reach(plan, self._lookup.reached).needed(ahead)
        hollow = [one for one in needed if self.imported.is_hollow(one) and not self._session.forms.usable(one)]
        for layer in hollow:
            self.imported.lose(layer)
        if hollow:
            raise KezuriError.of("the cache has no files of a stage that is needed", exit_code=125)

    @property
    def gave_up(self) -> bool:
        """Whether results of a cache were lost: the build is to be gone through again."""
        return self.imported is not None and self.imported.gave_up

    def go_on(self) -> None:
        """It is gone through again."""
        for layer in self.imported.go_on() if self.imported is not None else ():
            self._session.forms.forget_foreign(layer)

    def adopt(self) -> None:
        """Keep what came of imported caches."""
        if self.imported is not None and self._lookup is not None:
            self._lookup.adopt()

    @property
    def mounts(self) -> "Elsewhere | None":
        """What has files of cache mounts that are not here; None when no cache may give them."""
        if self.imported is None or not self._takes_mounts:
            return None
        from kezuri.travel.mounts import Look

        imported, owners = self.imported, self._session.forms.owners

        def restore(id: str, directory: str) -> bool:
            return imported.restore(id, directory, Look(owners.user_marks, owners.recorded))

        return restore

    # exporting

    @property
    def inline(self) -> bool:
        """Whether the image is to carry its cache."""
        return any(target.kind == "inline" for target in self._targets)

    def unfetched(self, layer: str, packing: Packing) -> "LayerBlob | None":
        """The blob of a layer that lies in a registry and is not here, packed in this way; None when it is here, or
        lies elsewhere. The registry is noted as having it, for whoever pushes the image."""
        record = self.imported.record(layer) if self.imported is not None else None
        if self.imported is None or record is None or self._session.forms.usable(layer):
            return None
        repository, form = self.imported.repository(layer), self._session.forms.promised(layer, packing)
        if not repository or form is None:
            return None
        from kezuri.export.image import LayerBlob

        self._session.store.database.facts.put_sources((form.digest,), repository)
        self._promised[form.digest] = (layer, packing)
        return LayerBlob(form.diff_id, Descriptor(form.media_type, form.digest, form.size), record.created, form.epoch)

    def bring(self, descriptor: Descriptor) -> bool:
        """Bring a blob that `unfetched` promised; whether it is one of these. KezuriError when it cannot be had: its
        layer is lost then."""
        layer, packing = self._promised.get(descriptor.digest, ("", Packing()))
        if layer:
            self._session.forms.blob(layer, packing)
        return bool(layer)

    def inlined(self, plan: Plan, made: "dict[tuple[int, int], LayerBlob]") -> dict[str, object]:
        """The document that an image of these layers carries."""

        def record(place: tuple[int, int], bare: Record) -> Record:
            blob = made.get(place)
            return bare if blob is None else bare._replace(diff_id=blob.diff_id, blob=blob.descriptor, epoch=blob.epoch)

        return self._document(plan, record).to_json()

    def export(self, plan: Plan, packing: Packing) -> None:
        """Write the cache to every target; KezuriError when one of them cannot be written, after all were tried.
        `packing` is that of the image."""
        failure: KezuriError | None = None
        for target in self._targets:
            if target.kind == "inline":
                continue
            try:
                with self._reporter.step(WorkName(f"exporting cache to {target}")) as ticket:
                    self._ticket = ticket
                    self._export_whole(plan, target, _packing(target, packing))
            except KezuriError as error:
                if target.patient:
                    self._warn(f"the cache could not be exported to {target}: {str(error).partition(chr(10))[0]}")
                else:
                    failure = failure or error.hinted(
                        "the image itself was delivered; with ignore-error=true this is a warning"
                    )
        if failure is not None:
            raise failure

    def _export_whole(self, plan: Plan, target: CacheTarget, packing: Packing) -> None:
        """Write the cache to a target, without the layers that only a cache was said to have, and has not."""
        while True:
            try:
                self._export(plan, target, packing)
                return
            except KezuriError:
                if not self.gave_up:
                    raise
                self.go_on()

    def _export(self, plan: Plan, target: CacheTarget, packing: Packing) -> None:
        wanted = Needs(plan).exported

        def record(place: tuple[int, int], bare: Record) -> Record:
            return bare if target.mode == "min" and place[0] not in wanted else self._filled(bare, packing)

        document = self._document(plan, record)
        if target.most:
            document = document.within(target.most)
        document = document._replace(sizes=self._sizes(document))
        if not target.mounts:
            self._write(target, document, _Blobs(self._session, self.imported, document))
            return
        from kezuri.travel.mounts import Look, MountPacker

        owners = self._session.forms.owners
        with self._session.store.scratch("packs") as scratch:
            packer = MountPacker(scratch, Look(owners.user_marks, owners.recorded), self._cancel.check)
            document = document._replace(mounts=self._packed(plan, packer, target.most or _MOST_MOUNTS))
            self._write(target, document, _Blobs(self._session, self.imported, document, packer))

    def _packed(self, plan: Plan, packer: "MountPacker", most: int) -> "dict[str, MountRecord]":
        """The cache mounts of the plan. Those that are not here, or cannot be read now, stay as a cache has them."""
        from kezuri.plan.operation import RunOperation
        from kezuri.step.cachemounts import CacheMounts
        from kezuri.step.selections import Selections
        from kezuri.step.tasks import Given, Tasks
        from kezuri.travel.mounts import TooLarge

        assert self._lookup is not None
        session, bench = self._session, self._bench
        session.forms.owners.enter()
        tasks = Tasks(bench.inputs, bench.options, Packing(), self._namespace)
        known = CacheMounts(
            session.store, session.forms.owners, Selections(session.forms, Given(bench.inputs, bench.options, ()))
        )
        reach = Reach(plan, self._lookup.reached)
        found: dict[str, MountRecord] = {}
        for reached in self._lookup.reached.values():
            operation = reached.turn.operation
            for mount in tasks.caches(operation, reach.state) if isinstance(operation, RunOperation) else ():
                id = known.portable(mount)
                if id in found:
                    continue
                record = self.imported.mount(id) if self.imported is not None else None
                with known.shown(mount) as directory:
                    if directory:
                        try:
                            record = packer.pack(id, directory, most)
                        except TooLarge:
                            self._warn(
                                f"the cache mount {mount.id} is not exported: it is larger than the cache may be"
                            )
                            record = None
                        except KezuriError as error:
                            why = str(error).partition(chr(10))[0]
                            self._warn(f"the cache mount {mount.id} is not exported as it is now: {why}")
                if record is not None and record.size <= most:
                    most -= record.size
                    found[id] = record
        return found

    def _write(self, target: CacheTarget, document: CacheDocument, source: "_Blobs") -> None:
        if target.kind == "local":
            from kezuri.travel.layouts import CacheDirectory

            CacheDirectory(target.place).write(
                scoped(target.tag or "latest", target.scope),
                document.encode(),
                document.blobs(),
                source,
                self._cancel.check,
                self.imported.damaged if self.imported is not None else (),
            )
            return
        from kezuri.travel.registries import CacheRepository

        reference = Reference.parse(target.place)
        reference = reference._replace(tag=scoped(reference.tag, target.scope))
        CacheRepository(self._session.registry(), reference, self._sent).write(
            document.encode(), document.blobs(), source, self._known_in(reference)
        )

    def _sent(self, blob: Descriptor, current: int, total: int) -> None:
        if self._ticket is not None:
            self._ticket.status(blob.digest[:19], current, total, current >= total)

    def _known_in(self, reference: Reference) -> list[str]:
        """The repositories of the same registry that may have layers of this build: its images', and the caches'."""
        found: dict[str, None] = {}
        for name in (*self._names, *(source.place for source in self._sources if source.kind == "registry")):
            other = Reference.parse(name)
            if other.host == reference.host and other.path != reference.path:
                found[other.path] = None
        return list(found)

    def _filled(self, bare: Record, packing: Packing) -> Record:
        """The record with the blob that its layer leaves as. One that lies in a cache only, and is not needed here, is
        not fetched to find that out."""
        forms = self._session.forms
        if self.imported is not None and not forms.usable(bare.layer):
            there = self.imported.record(bare.layer)
            if there is not None:
                return there if there.blob is None else there._replace(created=bare.created)
        form = forms.blob(bare.layer, packing)
        blob = Descriptor(form.media_type, form.digest, form.size)
        return bare._replace(diff_id=form.diff_id, blob=blob, epoch=form.epoch)

    def unpacked(self, diff_ids: Collection[str]) -> dict[str, int]:
        """How many bytes the files of these layers have: what was counted here, else what an imported cache says."""
        said = self.imported.sizes(diff_ids) if self.imported is not None else {}
        return said | self._session.store.database.facts.unpacked(diff_ids)

    def _sizes(self, document: CacheDocument) -> dict[str, int]:
        """Of the layers of the document, and of the base images below them, whose ids are their diff ids."""
        diff_ids = {record.diff_id for record in document.records.values() if record.diff_id}
        for reached in self._lookup.reached.values() if self._lookup is not None else ():
            diff_ids.update(layer for layer in reached.turn.before.layers if valid_digest(layer))
        return self.unpacked(diff_ids)

    def _document(self, plan: Plan, record: Callable[[tuple[int, int], Record], Record]) -> CacheDocument:
        lookup = self._lookup
        assert lookup is not None
        database = self._session.store.database
        records: dict[str, Record] = {}
        for place, reached in sorted(lookup.reached.items()):
            if not reached.believable:
                continue
            key = reached.turn.key
            known = database.record(key)
            if known is not None and known.layer == reached.layer:
                row = database.layer(reached.layer)
                bare = Record(key, reached.layer, "", None, row.created if row else known.created, known.seconds)
            else:
                there = self.imported.record(reached.layer) if self.imported is not None else None
                if there is None:
                    continue
                bare = Record(key, reached.layer, "", None, there.created, there.seconds)
            filled = record(place, bare)
            if key not in records or records[key].blob is None:
                records[key] = filled
        return CacheDocument(records, Reach(plan, lookup.reached).selections(self._bench.inputs))


class _Blobs:
    """The blobs of a cache that is written: those of the store, and of the caches that were read."""

    def __init__(
        self,
        session: Session,
        imported: Imported | None,
        document: CacheDocument,
        packer: "MountPacker | None" = None,
    ) -> None:
        self._packer = packer
        self._packs = {pack.digest for mount in document.mounts.values() for pack in mount.packs}
        self._session = session
        self._imported = imported
        self._layers = {r.blob.digest: r.layer for r in document.records.values() if r.blob is not None}

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """See BlobSource."""
        blobs = self._session.store.blobs
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


def _packing(target: CacheTarget, packing: Packing) -> Packing:
    if not target.compression:
        return packing
    kind = "none" if target.compression == "uncompressed" else target.compression
    return packing._replace(kind=kind, level=target.level)
