"""`pull`: an image from a registry into the store, whole and with its name."""

from collections.abc import Callable

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.oci.descriptor import Descriptor, read_document
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.operation import BaseImage, ImageSource
from kezuri.progress.events import Listener, WorkName, warning
from kezuri.progress.reporter import Reporter, Ticket
from kezuri.store.names import CHOSEN_FROM


def pull(
    settings: Settings,
    name: str,
    platform: str,
    listener: Listener,
    layers: Callable[[str, bool], None] = lambda digest, there: None,
) -> str:
    """Fetch the image with all its layers and give it its name; the digest of its manifest. `layers` hears of each
    layer's blob, and whether it was there already. KezuriError when it cannot be had whole."""
    reference = Reference.parse(name)
    wanted = Platform.parse(platform) if platform else Platform.host()
    reporter = Reporter(listener)
    current: list[Ticket] = []

    def told(digest: str, done: int, total: int) -> None:
        if current:
            current[-1].status(digest[:19], done, total, done == total)

    with Session(settings, pull=True, progress=told, warn=warning(listener)) as session:
        with reporter.step(WorkName(f"load metadata for {reference}")):
            image = session.images.resolve(ImageSource("registry", name), wanted)
        if not all(session.store.blobs.has(layer.digest) for layer in image.layers):
            _clear_away(session)
        with reporter.step(WorkName(f"pull {reference.familiar}")) as ticket:
            current.append(ticket)
            there = [session.store.blobs.has(layer.digest) for layer in image.layers]
            keep(session, reference, image)
        for layer, was_there in zip(image.layers, there):
            layers(layer.digest, was_there)
        return image.digest


def _clear_away(session: Session) -> None:
    """Remove what a killed pull or build left behind, before this one needs the space."""
    from kezuri.upkeep.collector import Collector

    for _ in Collector(session.store, session.privilege).abandoned():
        pass


def keep(session: Session, reference: Reference, image: BaseImage) -> None:
    """Fetch every blob that the image's manifest names, then let the reference stand for it: by its digest where it has
    one, as docker does (the tag beside a digest says nothing), else by its tag."""
    for layer, descriptor in zip(image.config.diff_ids, image.layers):
        session.forms.know_pulled(layer, descriptor)
    session.forms.fetch_named(zip(image.config.diff_ids, image.layers))
    blobs = session.store.blobs
    index = session.images.chosen_from(image.digest)
    manifest = Descriptor(
        read_document(blobs.read(image.digest), image.name).media_type,
        image.digest,
        blobs.size(image.digest),
        {CHOSEN_FROM: index} if index else {},
        image.config.platform if image.config.platform.architecture else None,
    )
    session.store.names.put(str(reference._replace(tag="") if reference.digest else reference), manifest)
