"""`push`: images of the store to the registries of their names."""

import threading
from typing import TYPE_CHECKING, NamedTuple

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.images.held import held
from kezuri.images.kept import Kept, NoSuchImage, choose, kept
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.reference import Reference
from kezuri.progress.events import Listener, WorkName, warning
from kezuri.progress.reporter import Reporter, Ticket
from kezuri.store.store import Store
from kezuri.transfer.shipment import Shipment
from kezuri.transfer.stock import Stock
from kezuri.transfer.walking import Load, Walk

if TYPE_CHECKING:
    from kezuri.registry.upload import Uploaded


class PushedBlob(NamedTuple):
    """A blob of an image that was pushed: `how` it came to be in the repository, and the repository that it was taken
    over from, empty where that is not known."""

    digest: str
    size: int
    how: "Uploaded"
    source: str = ""


class Pushed(NamedTuple):
    """An image that was pushed by one tag. `single` is the digest of the index of which it is the one image that is
    here, empty where all of it was pushed."""

    name: Reference
    digest: str
    size: int
    layers: tuple[PushedBlob, ...]
    single: str = ""


def push(
    settings: Settings, name: str, listener: Listener, *, all_tags: bool = False, platform: str = ""
) -> tuple[Pushed, ...]:
    """Push the image of a name, or with `all_tags` those of all tags of a repository that the store has; of several
    platforms all, or only the one that was asked for. KezuriError when one cannot be pushed."""
    reference = Reference.parse(name, default_tag=not all_tags)
    if reference.digest:
        raise KezuriError.of(
            f"cannot push {name}: a push is by tag",
            hint=f"give it one: kezuri tag {name} {reference._replace(digest='', tag='TAG').familiar}",
            exit_code=2,
        )
    if all_tags and reference.tag:
        raise KezuriError.of(
            f"--all-tags pushes every tag of a repository, and {name} names one", hint="leave the tag out", exit_code=2
        )
    reporter = Reporter(listener)
    pushed = []
    with Session(settings, reading=True, warn=warning(listener)) as session:
        images = _of_repository(session.store, reference) if all_tags else [_named(session.store, reference)]
        told = Telling()
        stock = Stock(session.store, reference.familiar, session.registry)
        shipment = Shipment(session.store.database.facts, session.registry, stock, told)
        for image in images:
            target = image.reference if all_tags and image.reference is not None else reference
            load, single = _load(session.store, stock, image, platform, target)
            with reporter.step(WorkName(f"push {target.familiar}")) as ticket:
                told.ticket = ticket
                shipment.send(load, [target])
            blobs = told.blobs
            layers = tuple(
                blobs.get(layer.digest) or PushedBlob(layer.digest, layer.size, "there") for layer in load.layers
            )
            pushed.append(Pushed(target, load.root.descriptor.digest, len(load.root.raw), layers, single))
    return tuple(pushed)


class Telling:
    """Tells a ticket of blobs on their way, and remembers how each arrived."""

    def __init__(self) -> None:
        self.ticket: Ticket | None = None
        self.blobs: dict[str, PushedBlob] = {}
        self._lock = threading.Lock()

    def moved(self, repository: Reference, descriptor: Descriptor, current: int, total: int) -> None:
        """So many bytes of a blob are in a repository."""
        if self.ticket is not None:
            self.ticket.status(descriptor.digest[:19], current, total, current >= total)

    def arrived(self, repository: Reference, descriptor: Descriptor, how: "Uploaded", source: str) -> None:
        """A blob is in the repository."""
        with self._lock:
            known_from = source if how == "mounted" else ""
            self.blobs.setdefault(descriptor.digest, PushedBlob(descriptor.digest, descriptor.size, how, known_from))


def _named(store: Store, reference: Reference) -> Kept:
    """The image of that name. Without one, an image whose name differs in all that stands before the last part is
    likely to be meant: it was not tagged for its registry yet."""
    try:
        return held(store, reference.familiar)
    except NoSuchImage as error:
        names = [image.reference for image in kept(store) if image.reference is not None and image.reference.tag]
        last = reference.path.rpartition("/")[2]
        alike = [name for name in names if name.path.rpartition("/")[2] == last]
        if not alike or any(name.repository == reference.repository for name in alike):
            raise
        other = next((name for name in alike if name.tag == reference.tag), alike[0])
        raise NoSuchImage.of(
            f"no such image: {reference.familiar}",
            hint=f"give it the name first: kezuri tag {other.familiar} {reference.familiar}",
        ) from error


def _of_repository(store: Store, reference: Reference) -> list[Kept]:
    """The images of a repository's tags."""
    found = [
        image
        for image in kept(store)
        if image.reference is not None
        and image.reference.tag
        and not image.by_digest
        and image.reference.repository == reference.repository
    ]
    if not found:
        raise KezuriError.of(
            f"the store has no tag of {reference.familiar}", hint="`kezuri images` lists the names that there are"
        )
    return [held(store, image.name) for image in sorted(found, key=lambda image: image.name)]


def _load(store: Store, stock: Stock, image: Kept, platform: str, target: Reference) -> tuple[Load, str]:
    """What goes; and the index's digest where only the one image of it goes that is here."""
    if platform:
        found = choose(store, image.name or image.descriptor.digest, platform)
        root = Descriptor(found.manifest.media_type, found.digest, store.blobs.size(found.digest))
        return Walk(stock).load(stock.document(root)), ""
    load = Walk(stock, partial=True).load(stock.document(image.descriptor))
    if not load.lacking:
        return load, ""
    if len(load.below) == 1:
        return Walk(stock).load(load.below[0]), load.root.descriptor.digest
    lacking = ", ".join(str(d.platform) if d.platform else d.digest for d in load.lacking)
    raise KezuriError.of(
        f"cannot push {target.familiar} whole: the store has not the images for {lacking}",
        hint="pull them, or push the image of one platform: --platform OS/ARCH",
        exit_code=125,
    )
