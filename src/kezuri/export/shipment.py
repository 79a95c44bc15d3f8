"""An image on its way to registries: its blobs, its documents by their digests, and its tags at the very end."""

import io
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import IO, TYPE_CHECKING, Protocol

from kezuri.diagnostics import KezuriError
from kezuri.export.cargo import Cargo
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.reference import Reference
from kezuri.store.blobs import missing
from kezuri.store.store import Store

if TYPE_CHECKING:
    from kezuri.registry.client import Registry
    from kezuri.registry.upload import Uploaded


class Told(Protocol):
    """Hears of a shipment. Threads may call it."""

    def moved(self, repository: Reference, descriptor: Descriptor, current: int, total: int) -> None:
        """So many bytes of a blob are in a repository."""
        ...

    def arrived(self, repository: Reference, descriptor: Descriptor, how: "Uploaded", source: str) -> None:
        """A blob is in a repository; `source` is the repository that it was taken over from, empty where that is not
        known."""
        ...


class Stock:
    """The blobs of a store, as they are pushed from. One that is not there is brought from a registry that is known to
    have it. `documents` are at hand, whatever the store has. `bring` is asked first for a blob that is not there, and
    says whether it has brought it."""

    def __init__(
        self,
        store: Store,
        registry: "Callable[[], Registry]",
        documents: Mapping[str, bytes] | None = None,
        bring: Callable[[Descriptor], bool] | None = None,
    ) -> None:
        self._asked_first = bring
        self._store = store
        self._registry = registry
        self._documents = documents if documents is not None else {}

    def read(self, digest: str) -> bytes | None:
        """A document; None when it is not there."""
        known = self._documents.get(digest)
        if known is not None:
            return known
        return self._store.blobs.read(digest) if self._store.blobs.has(digest) else None

    def open(self, descriptor: Descriptor) -> IO[bytes]:
        """A blob from its start. KezuriError when nobody has it."""
        known = self._documents.get(descriptor.digest)
        if known is not None:
            return io.BytesIO(known)
        if not self._store.blobs.has(descriptor.digest):
            self._bring(descriptor)
        return self._store.blobs.open(descriptor)

    def _bring(self, descriptor: Descriptor) -> None:
        if self._asked_first is not None and self._asked_first(descriptor):
            return
        failure: KezuriError | None = None
        for repository in self._store.database.facts.sources(descriptor.digest):
            try:
                reference = Reference.parse(repository, default_tag=False)
                self._registry().fetch(reference, descriptor, self._store.blobs)
                return
            except KezuriError as error:
                failure = error
        raise failure if failure is not None else missing(descriptor.digest)


class Shipment:
    """Takes images to repositories. Blobs may be sent ahead, while an image is not finished yet: they have no name, and
    nobody sees them before its manifest is there."""

    def __init__(self, store: Store, registry: "Callable[[], Registry]", stock: Stock, told: Told) -> None:
        self._facts = store.database.facts
        self._registry = registry
        self._stock = stock
        self._told = told
        self._ahead: dict[tuple[str, str], threading.Event] = {}
        self._there: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def check(self, references: Iterable[Reference]) -> None:
        """KezuriError when one of the repositories may not be written to: known before anything is made."""
        for reference in _repositories(references):
            self._registry().writable(reference)

    def ahead(self, references: Iterable[Reference], descriptor: Descriptor) -> None:
        """Send a blob before the image that it belongs to is there. What goes wrong goes wrong again when the image is
        sent, and is told then."""
        for repositories in _rounds(references):
            wanted = []
            ended = threading.Event()
            with self._lock:
                for repository in repositories:
                    place = (repository.repository, descriptor.digest)
                    if place not in self._ahead and place not in self._there:
                        self._ahead[place] = ended
                        wanted.append((repository, descriptor))
            try:
                self._upload(wanted)
            except (KezuriError, OSError):
                pass
            finally:
                ended.set()

    def send(self, cargo: Cargo, references: Iterable[Reference]) -> None:
        """Have the image at all of the references. KezuriError naming what could not be done."""
        wanted = tuple(references)
        self.carry(cargo, wanted)
        self.publish(cargo, wanted)

    def carry(self, cargo: Cargo, references: Iterable[Reference]) -> None:
        """Have everything of the image in every repository, so that nothing is left to be done but to let the tags
        stand for it. One that gets no tag has the image by its digest then."""
        wanted = tuple(dict.fromkeys(references))
        tagged = [reference for reference in wanted if reference.tag]
        *below, (root, raw) = cargo.documents
        registry = self._registry()
        for repositories in _rounds(wanted):
            self._bring(repositories, cargo.blobs)
            for repository in repositories:
                for document, content in below:
                    registry.put(repository._replace(digest=document.digest), content, document.media_type)
                if len(tagged) != 1 or not any(r.repository == repository.repository for r in tagged):
                    # A registry that does not take the image says so before any tag has changed.
                    registry.put(repository._replace(digest=root.digest), raw, root.media_type)

    def publish(self, cargo: Cargo, references: Iterable[Reference]) -> None:
        """Let the tags stand for the image, all of them or none."""
        root, raw = cargo.documents[-1]
        self._tag(root, raw, [reference for reference in dict.fromkeys(references) if reference.tag])

    def _bring(self, repositories: Iterable[Reference], blobs: Iterable[Descriptor]) -> None:
        """Have blobs in repositories; those that were sent ahead are waited for."""
        wanted = [(repository, blob) for blob in blobs for repository in repositories]
        for repository, blob in wanted:
            ahead = self._ahead.get((repository.repository, blob.digest))
            while ahead is not None and not ahead.wait(0.5):
                pass
        self._upload([pair for pair in wanted if (pair[0].repository, pair[1].digest) not in self._there])

    def _upload(self, rest: list[tuple[Reference, Descriptor]]) -> None:
        if not rest:
            return
        how = self._registry().upload_each(rest, self._stock, self._told.moved, self._facts.sources_beside)
        arrived: dict[str, list[str]] = {}
        for repository, blob in rest:
            sources = self._facts.sources_beside(repository, blob.digest)
            self._told.arrived(
                repository, blob, how[(repository, blob.digest)], sources[0] if len(sources) == 1 else ""
            )
            self._there.add((repository.repository, blob.digest))
            arrived.setdefault(repository.repository, []).append(blob.digest)
        for name, digests in arrived.items():
            self._facts.put_sources(digests, name)

    def _tag(self, root: Descriptor, raw: bytes, references: list[Reference]) -> None:
        registry = self._registry()
        before = {reference: registry.named(reference) for reference in references} if len(references) > 1 else {}
        done: list[Reference] = []
        try:
            for reference in references:
                registry.put(reference, raw, root.media_type)
                done.append(reference)
        except KezuriError as error:
            if not done:
                raise
            raise self._undone(error, root.digest, done, before) from error

    def _undone(
        self, error: KezuriError, digest: str, done: list[Reference], before: Mapping[Reference, str]
    ) -> KezuriError:
        """Let the tags that went over to the image name what they named before; the error, with what became of them.
        A tag that somebody else has moved meanwhile is left alone."""
        registry = self._registry()
        left = []
        for reference in reversed(done):
            try:
                if before[reference] == digest or registry.named(reference) != digest:
                    continue
                if before[reference]:
                    old = registry.document(reference._replace(tag="", digest=before[reference]))
                    registry.put(reference._replace(digest=""), old.raw, old.descriptor.media_type)
                else:
                    registry.delete(reference)
            except KezuriError:
                left.append(reference.familiar)
        note = "the tags that were pushed before it name what they named before"
        if left:
            note = f"these tags name the new image already, and could not be taken back: {', '.join(left)}"
        hints = (f"{d.hint}\n{note}".lstrip() for d in error.diagnostics)
        return KezuriError(
            *(d._replace(hint=hint) for d, hint in zip(error.diagnostics, hints)), exit_code=error.exit_code
        )


def _repositories(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """Each repository once, without tag and digest."""
    return tuple(dict.fromkeys(reference._replace(tag="", digest="") for reference in references))


def _rounds(references: Iterable[Reference]) -> list[list[Reference]]:
    """The repositories in the order in which they are brought blobs: those of a round at the same time. Of one registry
    there is one in a round, for the next ones take over what that has got."""
    rounds: list[list[Reference]] = []
    for repository in _repositories(references):
        free = (one for one in rounds if all(other.host != repository.host for other in one))
        there = next(free, None)
        if there is None:
            rounds.append([repository])
        else:
            there.append(repository)
    return rounds
