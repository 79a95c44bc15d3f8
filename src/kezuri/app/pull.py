"""`pull`: an image from a registry into the store."""

from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.build.reporting import Reporter, Ticket
from kezuri.oci.descriptor import MANIFEST, Descriptor
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference
from kezuri.plan.operation import ImageSource
from kezuri.progress.events import Listener
from kezuri.store.collection import Collection


def pull(settings: Settings, name: str, platform: str, listener: Listener) -> str:
    """Fetch the image with all its layers and give it its name; the digest of its manifest. KezuriError when it
    cannot be had whole."""
    reference = Reference.parse(name)
    wanted = Platform.parse(platform) if platform else Platform.host()
    reporter = Reporter(listener)
    current: list[Ticket] = []

    def told(digest: str, done: int, total: int) -> None:
        if current:
            current[-1].status(digest[:19], done, total, done == total)

    with Session(settings, pull=True, progress=told) as session:
        # What a killed pull or build left behind goes before this one needs the space.
        for _ in Collection(session.store).abandoned():
            pass
        with reporter.step(f"load metadata for {reference}"):
            image = session.images.resolve(ImageSource("registry", name), wanted)
        with reporter.step(f"pull {reference.familiar}") as ticket:
            current.append(ticket)
            for layer, descriptor in zip(image.config.diff_ids, image.layers):
                session.forms.know_pulled(layer, descriptor)
            session.forms.fetch_missing(image.config.diff_ids)
        size = session.store.blobs.size(image.digest)
        if reference.tag:
            descriptor = Descriptor(MANIFEST, image.digest, size, platform=image.config.platform)
            session.store.names.put(str(reference._replace(digest="")), descriptor)
        return image.digest
