"""`copy`: an image from one place to another, and the places opened."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import NamedTuple, Self

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.images.kept import NoSuchImage
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.progress.events import Listener, WorkName, warning
from kezuri.progress.reporter import Reporter, Ticket
from kezuri.registry.image import Document
from kezuri.transfer.copying import Copied, Wish, copy
from kezuri.transfer.doors import Destination, Progress, Source
from kezuri.transfer.places import (
    ArchivePlace,
    DirectoryPlace,
    EnginePlace,
    LayoutPlace,
    Place,
    RegistryPlace,
    StorePlace,
    in_registry,
    read_place,
)


class CopyRequest(NamedTuple):
    """What `copy` is asked for: the two places as they were written, a platform or nothing for all of them, and whether
    what refers to the image goes along."""

    source: str
    target: str
    platform: str = ""
    referrers: bool = False


def copy_image(settings: Settings, request: CopyRequest, listener: Listener) -> Copied:
    """Copy it. KezuriError when it cannot be copied whole; then the destination is as it was, but for blobs that nobody
    sees."""
    source_place, target_place = read_place(request.source), read_place(request.target)
    wish = Wish(Platform.parse(request.platform) if request.platform else None, request.referrers)
    work = WorkName(f"copy {request.source} to {request.target}")
    session = Session(settings, reading=not isinstance(target_place, StorePlace), warn=warning(listener))
    with session, Places(session) as places, Reporter(listener).step(work) as ticket:
        source = places.source(source_place)
        with places.destination(target_place) as destination:
            return copy(source, destination, wish, told(ticket))


def told(ticket: Ticket) -> Progress:
    """What tells of the blobs in the step of the ticket."""

    finished: set[str] = set()

    def tell(descriptor: Descriptor, current: int, total: int) -> None:
        done = current >= total
        if descriptor.digest not in finished:
            ticket.status(descriptor.digest[:19], current, total, done)
        if done:
            finished.add(descriptor.digest)

    return tell


class Places:
    """Opens places. Use it in a `with`: what sources hold is let go of at its end."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._held = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.__exit__(kind, error, trace)

    def source(self, place: Place) -> Source:
        """What an image is copied from. KezuriError when there is nothing."""
        match place:
            case RegistryPlace():
                from kezuri.transfer.registries import RegistrySource

                return RegistrySource(self._session.registry(), place.reference, self._spool)
            case StorePlace():
                from kezuri.transfer.stored import StoreSource

                return StoreSource(self._session.store, place.name)
            case LayoutPlace():
                return self._layout(place)
            case DirectoryPlace():
                from kezuri.transfer.directories import DirectorySource

                return DirectorySource(place.directory)
            case ArchivePlace():
                return self._archive(place)
            case EnginePlace():
                return self._engine(place)

    def find(self, place: Place) -> tuple[Place, Source, Document]:
        """An image with what it is copied from and where that is: a name alone means the store's image if there is one
        of it, else the registry's."""
        source = self.source(place)
        try:
            return place, source, source.root()
        except NoSuchImage as error:
            try:
                elsewhere = in_registry(place)
            except KezuriError:
                raise error from None  # An id that the store does not have: it says so better.
            if elsewhere == place:
                raise
        source = self.source(elsewhere)
        return elsewhere, source, source.root()

    def _spool(self) -> str:
        """A directory of the store's scratch space that is removed at the end; that of a killed process goes with the
        next `prune`."""
        import shutil

        path = self._session.store.blobs.scratch("spool")
        self._held.callback(shutil.rmtree, path, True)
        return path

    @contextmanager
    def destination(self, place: Place) -> Iterator[Destination]:
        """Where an image is copied to: published when the block ends without an error."""
        match place:
            case RegistryPlace():
                yield at_registry(self._session, place.reference)
            case StorePlace():
                from kezuri.transfer.stored import StoreDestination

                reference = Reference.parse(place.name)
                if reference.digest:
                    raise KezuriError.of(f"a name cannot carry a digest: {place.name}", exit_code=2)
                yield StoreDestination(self._session.store, (str(reference),))
            case LayoutPlace():
                from kezuri.transfer.layouts import LayoutDestination

                if place.selector.startswith("sha256:"):
                    raise KezuriError.of(
                        f"an image is copied to a name, not to a digest: {place.selector}", exit_code=2
                    )
                yield LayoutDestination(place.directory, place.selector)
            case DirectoryPlace():
                from kezuri.transfer.directories import DirectoryDestination

                yield DirectoryDestination(place.directory)
            case ArchivePlace():
                from kezuri.export.destination import destination
                from kezuri.transfer.archives import ArchiveDestination, written

                with destination(place.file) as sink, written(sink, docker=place.form == "docker") as writer:
                    yield ArchiveDestination(writer, (place.selector,) if place.selector else ())
            case EnginePlace():
                from kezuri.transfer.archives import ArchiveDestination, written
                from kezuri.transfer.engines import loading

                name = str(Reference.parse(place.name))
                with loading(place.engine) as sink, written(sink, docker=True) as writer:
                    yield ArchiveDestination(writer, (name,))

    def _layout(self, place: LayoutPlace) -> Source:
        from kezuri.images.layout import open_layout
        from kezuri.transfer.layouts import LayoutSource

        return LayoutSource(self._held.enter_context(open_layout(place.directory)), place.selector)

    def _archive(self, place: ArchivePlace) -> Source:
        from kezuri.transfer.opening import open_archive

        archive = self._held.enter_context(open_archive(place.file))
        return archive.source(place.form, place.selector)

    def _engine(self, place: EnginePlace) -> Source:
        from kezuri.store.archive_file import ArchiveFile
        from kezuri.transfer.engines import saving
        from kezuri.transfer.opening import ImageArchive

        with saving(place.engine, place.name) as stream:
            file = ArchiveFile.read(stream, f"{place.engine} save {place.name}")
        archive = self._held.enter_context(ImageArchive(file))
        return archive.source("docker" if archive.docker is not None else "oci", "")


def at_registry(session: Session, reference: Reference) -> Destination:
    """A name in a registry."""
    from kezuri.transfer.registries import RegistryDestination

    return RegistryDestination(session.registry(), reference, session.store.database.facts)


def beside(session: Session, place: Place) -> Destination:
    """Where the place keeps what has no name."""
    if isinstance(place, RegistryPlace):
        return at_registry(session, place.reference._replace(tag="", digest=""))
    if isinstance(place, LayoutPlace):
        from kezuri.transfer.layouts import LayoutDestination

        return LayoutDestination(place.directory, "")
    from kezuri.transfer.stored import StoreDestination

    return StoreDestination(session.store, ())
