"""`--cache-from` and `--cache-to`: a build's imported and exported caches, wired from the concrete parts."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from kezuri.app.definition import Workbench
from kezuri.app.session import Session
from kezuri.build.foreign import ForeignLookup
from kezuri.diagnostics import KezuriError
from kezuri.forms.packing import Packing
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.reference import Reference
from kezuri.plan.operation import Plan
from kezuri.progress.calling_off import CallOff
from kezuri.progress.events import WorkName
from kezuri.progress.reporter import Reporter, Ticket
from kezuri.travel.carriers import Carrier, LayoutCarrier, RegistryCarrier
from kezuri.travel.document import CacheDocument, Record
from kezuri.travel.imported import Imported, Place, Progress
from kezuri.travel.places import CacheSource, CacheTarget, scoped

if TYPE_CHECKING:
    from kezuri.build.exporting import CacheBlobs, CacheContent
    from kezuri.export.image import LayerBlob
    from kezuri.step.cachemounts import Elsewhere

_MOST_MOUNTS = 2 << 30
"""How many bytes the packs of cache mounts may have together where no bound is given."""


def imported_caches(
    sources: tuple[CacheSource, ...],
    session: Session,
    reporter: Reporter,
    warn: Callable[[str], None],
    progress: Progress,
    cancel: CallOff,
) -> Imported | None:
    """The caches that a build reads, to be used in a `with`; None where it reads none."""

    @contextmanager
    def reading(name: str) -> Iterator[None]:
        with reporter.step(WorkName(f"importing cache manifest from {name}")):
            yield

    places = tuple(Place(str(source), partial(_carriers, session, source), source.mounts) for source in sources)
    return Imported(session.store, places, warn, reading, progress, cancel) if places else None


def _carriers(session: Session, source: CacheSource, held: ExitStack) -> tuple[Carrier, ...]:
    """What lies at a place: the cache of the scope, then that without one."""
    if source.kind == "local":
        tags = dict.fromkeys((scoped(source.tag or "latest", source.scope), source.tag or "latest"))
        return tuple(held.enter_context(LayoutCarrier(source.place, tag, source.digest)) for tag in tags)
    reference = Reference.parse(source.place)
    if reference.digest:
        return (RegistryCarrier(session.registry, reference),)
    tags = dict.fromkeys((scoped(reference.tag, source.scope), reference.tag))
    return tuple(RegistryCarrier(session.registry, reference._replace(tag=tag)) for tag in tags)


class Caches:
    """The caches of one build. Use `imported` in a `with`."""

    def __init__(
        self,
        sources: tuple[CacheSource, ...],
        targets: tuple[CacheTarget, ...],
        session: Session,
        reporter: Reporter,
        warn: Callable[[str], None],
        progress: Progress,
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
        self.imported = imported_caches(sources, session, reporter, warn, progress, cancel)

    def lookup(self, bench: Workbench) -> ForeignLookup:
        """The Lookup of a build with this workbench."""
        self._lookup = ForeignLookup(
            bench.keys, bench.results, bench.options, self._session.store.database, self._session.forms, self.imported
        )
        self._bench = bench
        return self._lookup

    # importing

    def ready(self, plan: Plan, ahead: list[tuple[int, int]]) -> None:
        """KezuriError when steps that come first need files which no cache has: what was found is to be looked up
        again then (see `gave_up`)."""
        if self._lookup is not None:
            self._lookup.ready(plan, ahead)

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
        if self._lookup is not None:
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

        def blobbed(place: tuple[int, int], bare: Record) -> Record:
            blob = made.get(place)
            return bare if blob is None else bare._replace(diff_id=blob.diff_id, blob=blob.descriptor, epoch=blob.epoch)

        return self._content(plan).records(blobbed).to_json()

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
        content = self._content(plan)
        document = content.document(target.mode, packing, target.most)
        if not target.mounts:
            self._write(target, document, content.blobs(document))
            return
        from kezuri.travel.mounts import Look, MountPacker

        owners = self._session.forms.owners
        with self._session.store.scratch("packs") as scratch:
            packer = MountPacker(scratch, Look(owners.user_marks, owners.recorded), self._cancel.check)
            most = target.most or _MOST_MOUNTS
            mounts = content.mounts(packer, self._bench.options, self._namespace, most, self._warn)
            document = document._replace(mounts=mounts)
            self._write(target, document, content.blobs(document, packer))

    def _content(self, plan: Plan) -> "CacheContent":
        from kezuri.build.exporting import CacheContent

        assert self._lookup is not None
        store, forms, reached = self._session.store, self._session.forms, self._lookup.reached
        return CacheContent(plan, reached, self._bench.inputs, store, forms, self.imported, self.unpacked)

    def unpacked(self, diff_ids: Collection[str]) -> dict[str, int]:
        """How many bytes the files of these layers have: what was counted here, else what an imported cache says."""
        said = self.imported.sizes(diff_ids) if self.imported is not None else {}
        return said | self._session.store.database.facts.unpacked(diff_ids)

    def _write(self, target: CacheTarget, document: CacheDocument, source: "CacheBlobs") -> None:
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


def _packing(target: CacheTarget, packing: Packing) -> Packing:
    if not target.compression:
        return packing
    kind = "none" if target.compression == "uncompressed" else target.compression
    return packing._replace(kind=kind, level=target.level)
