"""Images taken apart: from wherever they are, layer by layer, nothing unpacked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from kezuri.anatomy.values import Anatomy, Maker
from kezuri.app.distant_image import DistantImage
from kezuri.app.image_files import StoredImage, located
from kezuri.app.layer_makers import makers
from kezuri.app.layer_sources import Traffic
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor, Manifest

if TYPE_CHECKING:
    from kezuri.anatomy.dissection import Dissection
    from kezuri.anatomy.records import LayerRecords
    from kezuri.app.anatomy_layers import ReadLayer


class Named(NamedTuple):
    """An image by the name that a user gives it, and the platform that is wanted; empty for this machine's. `base` is
    its base image, or how many layers that has, as a user knows it; empty where it is to be found out."""

    name: str
    platform: str = ""
    base: str = ""


def anatomy(settings: Settings, image: Named, traffic: Traffic | None = None) -> Anatomy:
    """The figures of an image. They are kept in the store: a second look reads no layer. KezuriError when there is no
    such image, or its layers cannot be had."""
    with Session(settings, reading=True) as session, found_image(session, image, traffic) as found:
        return _figures(session, found)


@contextmanager
def opened_dissection(session: Session, image: Named, traffic: Traffic | None = None) -> "Iterator[Dissection]":
    """The image, found as `kezuri ls` finds it, whose pieces can be looked at as long as it is open: nothing is
    unpacked. A layer that is damaged, encrypted or elsewhere is `unread`, which the dissection's `told` says, too.
    KezuriError when there is no such image, or its layers cannot be had."""
    with found_image(session, image, traffic) as found:
        yield found.dissection()


@contextmanager
def opened_with_figures(
    session: Session, image: Named, traffic: Traffic | None = None
) -> "Iterator[tuple[Dissection, Anatomy]]":
    """The image as `opened_dissection` gives it, and its figures as `anatomy` does, its layers read once."""
    with found_image(session, image, traffic) as found:
        dissection = found.dissection()
        yield dissection, _figures(session, found, dissection)


def _figures(session: Session, found: "FoundImage", dissection: "Dissection | None" = None) -> Anatomy:
    from kezuri.app.anatomy_kept import KeptAnatomies

    kept = KeptAnatomies(session.store)
    key = kept.key(found.config, found.blobs, found.makers, found.digest)
    known = kept.load(key)
    if known is None:
        from kezuri.anatomy.summary import summarise

        image = found.dissection() if dissection is None else dissection
        known = summarise(image)
        if image.naming.whole and not any(layer.unread for layer in known.layers):
            kept.save(key, known)
    return known._replace(name=found.name)


class FoundImage(NamedTuple):
    """An image of which no layer has been read: `layers` reads them; `scratch` is a directory of its own meanwhile."""

    name: str
    digest: str
    config: ImageConfig
    blobs: Sequence[Descriptor]
    makers: Sequence[Maker]
    layers: "Callable[[], Sequence[ReadLayer]]"
    scratch: str
    session: Session

    def dissection(self) -> "Dissection":
        """The image with its layers read."""
        from kezuri.anatomy.dissection import Dissection, OwnLayer
        from kezuri.anatomy.naming import RecordedNames, recorded_names
        from kezuri.app.anatomy_layers import keep_records

        own, told = [], []
        reads = self.layers()
        for number, read in enumerate(reads):
            blob, listing = self.blobs[number], read.form.listing
            own.append(
                OwnLayer(
                    self.config.diff_ids[number],
                    read.form,
                    listing,
                    self.makers[number],
                    blob.size,
                    blob.digest,
                    blob.media_type,
                    read.unread,
                )
            )
            if read.unread:
                told.append(f"layer {number + 1} could not be read: {read.unread}")
        entries = sum(not entry.empty_layer for entry in self.config.history)
        if self.config.history and entries != len(own):
            told.append(f"the image's history tells of {entries} layers, and it has {len(own)}")

        def naming(image: Dissection) -> RecordedNames:
            return recorded_names(image, self.scratch, [read.records for read in reads], keep)

        def keep(layer: int, records: "LayerRecords") -> None:
            if not reads[layer].unread:
                keep_records(self.session, self.config.diff_ids[layer], records)

        return Dissection(self.name, self.config, own, self.digest, naming, told)


@contextmanager
def found_image(session: Session, image: Named, traffic: Traffic | None = None) -> Iterator[FoundImage]:
    """The image, found as `kezuri ls` finds it: none of its layers is read before somebody asks for them. KezuriError
    when there is no such image."""
    with _found(session, image, traffic) as found:
        if image.base:
            from kezuri.app.named_base import with_base

            config = found.config
            makers = with_base(session, found.name, found.makers, config.diff_ids, image.base, image.platform)
            found = found._replace(makers=makers)
        yield found


@contextmanager
def image_of_documents(
    session: Session, name: str, digest: str, config: ImageConfig, manifest: Manifest
) -> Iterator[FoundImage]:
    """An image of which the documents are at hand and the layers in the store, as `found_image` gives it. The store
    need not know the image; `name` is what a user calls it."""

    def of_store() -> "Sequence[ReadLayer]":
        from kezuri.app.anatomy_layers import of_store

        return of_store(session, config.diff_ids, manifest.layers, scratch, Traffic())

    for layer, descriptor in zip(config.diff_ids, manifest.layers):
        session.forms.know_pulled(layer, descriptor)
    with session.store.scratch("anatomy") as scratch:
        yield _checked(session, name, digest, config, manifest.layers, manifest.annotations, of_store, scratch)


@contextmanager
def _found(session: Session, image: Named, traffic: Traffic | None) -> Iterator[FoundImage]:
    traffic = Traffic() if traffic is None else traffic
    with (
        session.store.scratch("anatomy") as scratch,
        located(session, image.name, image.platform, traffic, scratch) as found,
    ):
        if isinstance(found, StoredImage):
            yield _stored(session, found, scratch, traffic)
        else:
            yield _elsewhere(session, found, scratch, traffic)


def _stored(session: Session, image: StoredImage, scratch: str, traffic: Traffic) -> FoundImage:
    config, manifest, digest = image.kept.config, image.kept.manifest, image.kept.digest

    def of_store() -> "Sequence[ReadLayer]":
        from kezuri.app.anatomy_layers import of_store

        return of_store(session, config.diff_ids, manifest.layers, scratch, traffic)

    return _checked(session, image.name, digest, config, manifest.layers, manifest.annotations, of_store, scratch)


def _elsewhere(session: Session, image: DistantImage, scratch: str, traffic: Traffic) -> FoundImage:
    config = image.config()

    def of_distant() -> "Sequence[ReadLayer]":
        from kezuri.app.anatomy_layers import of_distant

        return of_distant(session, image, config.diff_ids, scratch, traffic)

    return _checked(session, image.name, image.digest, config, image.layers, image.annotations, of_distant, scratch)


def _checked(
    session: Session,
    name: str,
    digest: str,
    config: ImageConfig,
    blobs: Sequence[Descriptor],
    annotations: Mapping[str, str],
    layers: "Callable[[], Sequence[ReadLayer]]",
    scratch: str,
) -> FoundImage:
    if len(config.diff_ids) != len(blobs):
        raise KezuriError.of(
            f"{name}: its config names {len(config.diff_ids)} layers and its manifest {len(blobs)}: damaged",
            exit_code=125,
        )
    return FoundImage(name, digest, config, blobs, makers(session, name, config, annotations), layers, scratch, session)
