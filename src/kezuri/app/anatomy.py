"""Images taken apart: from wherever they are, layer by layer, nothing unpacked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from kezuri.anatomy.values import Anatomy, Maker
from kezuri.app.distant_image import DistantImage, in_place, in_registry
from kezuri.app.image_files import ImagePath, kept_image
from kezuri.app.layer_makers import makers
from kezuri.app.layer_sources import Traffic
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.platform import Platform

if TYPE_CHECKING:
    from kezuri.anatomy.dissection import Dissection
    from kezuri.app.anatomy_layers import ReadLayer


class Named(NamedTuple):
    """An image by the name that a user gives it, and the platform that is wanted; empty for this machine's."""

    name: str
    platform: str = ""


def anatomy(settings: Settings, image: Named, traffic: Traffic | None = None) -> Anatomy:
    """The figures of an image. They are kept in the store: a second look reads no layer. KezuriError when there is no
    such image, or its layers cannot be had."""
    from kezuri.app.anatomy_kept import KeptAnatomies

    with Session(settings, reading=True) as session, _found(session, image, traffic) as found:
        kept = KeptAnatomies(session.store)
        key = kept.key(found.config, found.blobs, found.makers, found.digest)
        known = kept.load(key)
        if known is None:
            from kezuri.anatomy.summary import summarise

            known = summarise(found.dissection())
            if not any(layer.unread for layer in known.layers):
                kept.save(key, known)
        return known._replace(name=found.name)


@contextmanager
def opened_dissection(session: Session, image: Named, traffic: Traffic | None = None) -> "Iterator[Dissection]":
    """The image, found as `kezuri ls` finds it, whose pieces can be looked at as long as it is open: nothing is
    unpacked. A layer that is damaged, encrypted or elsewhere is `unread`, which the dissection's `told` says, too.
    KezuriError when there is no such image, or its layers cannot be had."""
    with _found(session, image, traffic) as found:
        yield found.dissection()


class _Found(NamedTuple):
    """An image of which no layer has been read: `layers` does that. `scratch` is a directory that is there then."""

    name: str
    digest: str
    config: ImageConfig
    blobs: Sequence[Descriptor]
    makers: Sequence[Maker]
    layers: "Callable[[], Sequence[ReadLayer]]"
    scratch: str

    def dissection(self) -> "Dissection":
        """The image with its layers read."""
        from kezuri.anatomy.dissection import Dissection, OwnLayer
        from kezuri.anatomy.naming import recorded_names

        own, told = [], []
        for number, read in enumerate(self.layers()):
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
                    read.records,
                )
            )
            if read.unread:
                told.append(f"layer {number + 1} could not be read: {read.unread}")
        entries = sum(not entry.empty_layer for entry in self.config.history)
        if self.config.history and entries != len(own):
            told.append(f"the image's history tells of {entries} layers, and it has {len(own)}")
        scratch = self.scratch
        return Dissection(self.name, self.config, own, self.digest, lambda image: recorded_names(image, scratch), told)


@contextmanager
def _found(session: Session, image: Named, traffic: Traffic | None) -> Iterator[_Found]:
    traffic = Traffic() if traffic is None else traffic
    word = ImagePath.parse(image.name).word
    with session.store.scratch("anatomy") as scratch:
        wanted = Platform.parse(image.platform) if image.platform else Platform.host()
        if word not in ("", "docker://", "store:"):
            with in_place(session, image.name, wanted, scratch) as distant:
                yield _elsewhere(session, distant, scratch)
            return
        name = image.name.removeprefix(word)
        if word != "docker://":
            kept = kept_image(session, name, image.platform, only=bool(word))
            if kept is not None:
                config, manifest = kept.config, kept.manifest

                def of_store() -> "Sequence[ReadLayer]":
                    from kezuri.app.anatomy_layers import of_store

                    return of_store(session, config.diff_ids, manifest.layers, scratch)

                yield _checked(
                    session, name, kept.digest, config, manifest.layers, manifest.annotations, of_store, scratch
                )
                return
        with in_registry(session, name, wanted, traffic, scratch) as distant:
            yield _elsewhere(session, distant, scratch)


def _elsewhere(session: Session, image: DistantImage, scratch: str) -> _Found:
    config = image.config()

    def of_distant() -> "Sequence[ReadLayer]":
        from kezuri.app.anatomy_layers import of_distant

        return of_distant(session, image, config.diff_ids, scratch)

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
) -> _Found:
    if len(config.diff_ids) != len(blobs):
        raise KezuriError.of(
            f"{name}: its config names {len(config.diff_ids)} layers and its manifest {len(blobs)}: damaged",
            exit_code=125,
        )
    return _Found(name, digest, config, blobs, makers(session, name, config, annotations), layers, scratch)
