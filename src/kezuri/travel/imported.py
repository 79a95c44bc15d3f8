"""Results that other machines have paid for: asked for by key, their layers fetched when somebody needs the files."""

import os
import threading
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from kezuri.diagnostics import KezuriError
from kezuri.linux.disk import is_full
from kezuri.oci.descriptor import Descriptor
from kezuri.progress.calling_off import CallOff
from kezuri.registry.sink import DirectoryWriter
from kezuri.store.store import Store
from kezuri.travel.carriers import Carrier
from kezuri.travel.document import CacheDocument, MountRecord, Record

if TYPE_CHECKING:
    from kezuri.travel.mounts import Look

Progress = Callable[[str, int, int], None]
"""Receives the digest of a blob that is being fetched, the bytes that have come and the bytes in all."""


class Place(NamedTuple):
    """A cache that a build reads. `name` is what it is called in messages; `open` opens what lies there, in the order
    in which it is asked, and is called when the first result is wanted; `mounts`: cache mounts are taken from there,
    too."""

    name: str
    open: Callable[[ExitStack], tuple[Carrier, ...]]
    mounts: bool = False


class _Source:
    def __init__(self, name: str, carrier: Carrier, documents: tuple[CacheDocument, ...], mounts: bool) -> None:
        self.name = name
        self.mounts = mounts
        self.carrier = carrier
        self.documents = documents


class _OneFile:
    """A sink for one blob, which becomes a file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def has(self, digest: str) -> bool:
        """Whether it is there."""
        return os.path.exists(self._path)

    def writer(self, descriptor: Descriptor) -> DirectoryWriter:
        """The blob."""
        return DirectoryWriter(self._path, descriptor)


class Foreign(NamedTuple):
    """A result of another machine, and the name of the cache that says so."""

    record: Record
    name: str


class Imported:
    """The caches that a build reads. Use it in a `with`; threads share it.

    A cache that cannot be read is told of once, through `warn`, and is as if it were empty. A layer that cannot be had,
    or turns out to be another one, is lost: from then on no result gives it, and `gave_up` tells the builder to go
    through its plan again.
    """

    def __init__(
        self,
        store: Store,
        places: tuple[Place, ...],
        warn: Callable[[str], None],
        reading: Callable[[str], AbstractContextManager[object]],
        progress: Progress,
        cancel: CallOff,
    ) -> None:
        """`reading` is told the name of each cache while its records are read."""
        self._store = store
        self._places = places
        self._warn = warn
        self._reading = reading
        self._progress = progress
        self._cancel = cancel
        self._held = ExitStack()
        self._lock = threading.Lock()
        self._sources: list[_Source] | None = None
        self._layers: dict[str, tuple[Record, _Source]] = {}
        self._lost: set[str] = set()
        self._distrusted: set[str] = set()
        self._complained: set[str] = set()
        self._losses: dict[str, int] = {}
        self._news = False
        self.damaged: set[str] = set()
        """The digests of blobs that are not to be relied on where they lie."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    # asking

    def find(self, key: str, usable: Callable[[Record], bool]) -> Foreign | None:
        """What the first cache says that knows the key, and has files for it where another one has none; passed over is
        what is not `usable`."""
        best: Foreign | None = None
        for source in self._opened():
            if source.name in self._distrusted:
                continue
            for document in source.documents:
                record = document.records.get(key)
                if record is None or record.layer in self._lost or not usable(record):
                    continue
                with self._lock:
                    known = self._layers.get(record.layer)
                    if known is None or (known[0].blob is None and record.blob is not None):
                        self._layers[record.layer] = (record, source)
                    elif record.blob is not None and known[0].diff_id != record.diff_id:
                        continue  # two caches say different things of one layer
                if record.blob is not None:
                    return Foreign(record, source.name)
                best = best or Foreign(record, source.name)
        return best

    def selection(self, key: str) -> str:
        """The digest of what an instruction selects from a stage or an image; empty when no cache knows it."""
        for source in self._opened():
            if source.name not in self._distrusted:
                for document in source.documents:
                    found = document.selections.get(key)
                    if found:
                        return found
        return ""

    def digests(self) -> frozenset[str]:
        """All digests of what instructions select from stages and images that some cache knows."""
        sources = (source for source in self._opened() if source.name not in self._distrusted)
        return frozenset(
            found for source in sources for document in source.documents for found in document.selections.values()
        )

    def sizes(self, diff_ids: Collection[str]) -> dict[str, int]:
        """How many bytes the files of these layers have, as the caches say that were read. None is read for this."""
        found: dict[str, int] = {}
        for source in self._sources or ():
            for document in source.documents if source.name not in self._distrusted else ():
                found = {id: document.sizes[id] for id in diff_ids if id in document.sizes} | found
        return found

    def knows(self, layer: str) -> bool:
        """Whether the layer is one that a cache gave."""
        return layer in self._layers

    def record(self, layer: str) -> Record | None:
        """The record that gave the layer; None for one that was lost."""
        known = self._layers.get(layer)
        return None if known is None or layer in self._lost else known[0]

    def repository(self, layer: str) -> str:
        """The repository of a registry in which the layer's blob lies; empty when it lies elsewhere."""
        known = self._layers.get(layer)
        return known[1].carrier.repository if known is not None and layer not in self._lost else ""

    def is_hollow(self, layer: str) -> bool:
        """Whether the caches know the layer's result and have none of its files."""
        known = self._layers.get(layer)
        return known is not None and known[0].blob is None

    # layers

    def fetch(self, layer: str, descriptor: Descriptor) -> None:
        """Bring the blob of a layer that a cache gave. When it cannot be had, the layer is lost."""
        record, source = self._layers[layer]
        if layer in self._lost:
            raise KezuriError.of(f"the layer {layer} of the cache {source.name} is lost", exit_code=125)
        if record.blob is None:
            self.lose(layer)
            raise KezuriError.of(f"the cache {source.name} has no files of the layer {layer}", exit_code=125)
        blobs = self._store.blobs
        try:
            with self._store.lock(f"blob-{descriptor.digest[7:47]}", cancel=self._cancel):
                if not blobs.has(descriptor.digest):
                    source.carrier.fetch(
                        descriptor, blobs, lambda now, whole: self._progress(descriptor.digest, now, whole)
                    )
        except KezuriError as error:
            if not self._cancel.is_set() and not is_full(error):  # A disk of ours that is full is no cache's fault.
                self.lose(layer, str(error).partition("\n")[0])
            raise

    def lose(self, layer: str, why: str = "") -> None:
        """Give no result any more that has this layer. With a reason it is the cache's fault, and told; a cache at
        fault twice is not believed any more."""
        with self._lock:
            known = self._layers.get(layer)
            if known is None or layer in self._lost:
                return
            self._lost.add(layer)
            self._news = True
            name = known[1].name
            if not why:
                return
            if known[0].blob is not None:
                self.damaged.add(known[0].blob.digest)
            self._losses[name] = self._losses.get(name, 0) + 1
            first, distrusted = self._losses[name] == 1, self._losses[name] > 1
            if distrusted:
                self._distrusted.add(name)
                self._lost.update(other for other, (_, source) in self._layers.items() if source.name == name)
                documents = known[1].documents
                self.damaged.update(blob.digest for document in documents for blob in document.blobs())
        if first:
            said = _without(name, why)
            self._warn(f"the cache {name} is damaged, and what it lacks is built: {said}")

    @property
    def gave_up(self) -> bool:
        """Whether something was lost since `go_on`: results that were found before are none any more."""
        return self._news

    def go_on(self) -> tuple[str, ...]:
        """The ids of all lost layers. Call it before the results are looked up again: `gave_up` begins anew."""
        with self._lock:
            self._news = False
            return tuple(self._lost)

    # cache mounts

    def restore(self, id: str, directory: str, look: "Look") -> bool:
        """Put the files of a cache mount into an empty directory; whether a cache that may give mounts has it and all
        of it came. Otherwise the directory may hold some of it."""
        for source in self._opened():
            for document in source.documents if source.mounts else ():
                record = document.mounts.get(id)
                if record is not None:
                    return self._restored(record, directory, look, source)
        return False

    def mount(self, id: str) -> MountRecord | None:
        """What a cache says of a cache mount."""
        for source in self._opened():
            for document in source.documents if source.mounts else ():
                if id in document.mounts:
                    return document.mounts[id]
        return None

    def bring(self, descriptor: Descriptor, path: str) -> None:
        """Bring a pack of a cache mount to a path of this machine; KezuriError when no cache has it."""
        failure: KezuriError | None = None
        for source in self._opened():
            if not any(descriptor in m.packs for d in source.documents for m in d.mounts.values()):
                continue
            try:
                self._bring(source, descriptor, path)
                return
            except KezuriError as error:
                failure = failure or error
        raise failure or KezuriError.of(f"blob {descriptor.digest} is in no cache that was read", exit_code=125)

    def _restored(self, record: MountRecord, directory: str, look: "Look", source: _Source) -> bool:
        from kezuri.travel.mounts import restore

        try:
            with self._store.scratch("packs") as scratch:

                def fetch(descriptor: Descriptor, path: str) -> None:
                    self._cancel.check()
                    self._bring(source, descriptor, path)

                restore(record, directory, scratch, look, fetch, source.name)
                return True
        except KezuriError as error:
            if source.name not in self._complained:
                self._complained.add(source.name)
                said = _without(source.name, str(error).partition("\n")[0])
                if is_full(error):
                    self._warn(f"a cache mount begins empty: {said}")
                else:
                    self._warn(f"a cache mount begins empty, for the cache {source.name} is damaged: {said}")
            return False

    def _bring(self, source: _Source, descriptor: Descriptor, path: str) -> None:
        source.carrier.fetch(descriptor, _OneFile(path))

    # opening

    def _opened(self) -> list[_Source]:
        with self._lock:
            if self._sources is None:
                self._sources = [source for place in self._places for source in self._open(place)]
            return self._sources

    def _open(self, place: Place) -> list[_Source]:
        try:
            with self._reading(place.name):
                found, failure = [], None
                for carrier in place.open(self._held):
                    try:
                        found.append(_Source(place.name, carrier, carrier.documents(), place.mounts))
                    except KezuriError as error:
                        failure = failure or error
                if not found and failure is not None:
                    raise failure
                return found
        except KezuriError as error:
            diagnostic = error.diagnostics[0]
            hint = f" ({diagnostic.hint.partition(chr(10))[0]})" if diagnostic.hint else ""
            said = _without(place.name, diagnostic.message)
            self._warn(f"the cache {place.name} is not used: {said}{hint}")
            return []


def _without(name: str, text: str) -> str:
    """What is said of a cache, without its name, to which an error of a registry adds the tag."""
    place, colon, rest = text.partition(": ")
    return rest if colon and (place == name or place.startswith((f"{name}:", f"{name}@"))) else text
