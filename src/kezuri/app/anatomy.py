"""Images taken apart: from wherever they are, layer by layer, nothing unpacked."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from kezuri.anatomy.dissection import Dissection, OwnLayer
from kezuri.anatomy.naming import recorded_names
from kezuri.anatomy.summary import summarise
from kezuri.anatomy.values import Anatomy
from kezuri.app.distant_image import in_place, in_registry
from kezuri.app.image_files import ImagePath, kept_image
from kezuri.app.layer_makers import makers
from kezuri.app.layer_sources import Traffic
from kezuri.app.request import Settings
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.platform import Platform
from kezuri.tree.layers import LayerForm, ListedLayer


class Named(NamedTuple):
    """An image by the name that a user gives it, and the platform that is wanted; empty for this machine's."""

    name: str
    platform: str = ""


def anatomy(settings: Settings, image: Named) -> Anatomy:
    """The figures of an image. KezuriError when there is no such image, or its layers cannot be had."""
    with Session(settings, reading=True) as session, opened_dissection(session, image) as dissection:
        from kezuri.anatomy.leftovers import rule_of

        return summarise(dissection, rule_of)


@contextmanager
def opened_dissection(session: Session, image: Named, traffic: Traffic | None = None) -> Iterator[Dissection]:
    """The image, found as `kezuri ls` finds it, whose pieces can be looked at as long as it is open: nothing is
    unpacked. KezuriError when there is no such image, or its layers cannot be had."""
    traffic = Traffic() if traffic is None else traffic
    word = ImagePath.parse(image.name).word
    with session.store.scratch("anatomy") as scratch:
        wanted = Platform.parse(image.platform) if image.platform else Platform.host()
        if word not in ("", "docker://", "store:"):
            with in_place(session, image.name, wanted, scratch) as distant:
                yield _dissection(
                    session, image.name, distant.config(), distant.layers, distant.files.whole(), scratch=scratch
                )
            return
        name = image.name.removeprefix(word)
        if word != "docker://":
            found = kept_image(session, name, image.platform, only=bool(word))
            if found is not None:
                session.forms.fetch_missing(found.config.diff_ids)
                layers = session.forms.packed(found.config.diff_ids)
                said = found.manifest.annotations
                yield _dissection(
                    session, name, found.config, found.manifest.layers, layers, found.digest, said, scratch
                )
                return
        with in_registry(session, name, wanted, traffic, scratch) as distant:
            yield _dissection(
                session, distant.name, distant.config(), distant.layers, distant.files.whole(), scratch=scratch
            )


def _dissection(
    session: Session,
    name: str,
    config: ImageConfig,
    blobs: Sequence[Descriptor],
    layers: Sequence[LayerForm],
    digest: str = "",
    annotations: Mapping[str, str] | None = None,
    scratch: str = "",
) -> Dissection:
    if len(config.diff_ids) != len(blobs):
        raise KezuriError.of(
            f"{name}: its config names {len(config.diff_ids)} layers and its manifest {len(blobs)}: damaged",
            exit_code=125,
        )
    made = makers(session, name, config, annotations)
    own = []
    for number, (diff_id, blob, form) in enumerate(zip(config.diff_ids, blobs, layers)):
        assert isinstance(form, ListedLayer)
        form.digests(form.listing.files())
        own.append(OwnLayer(diff_id, form, form.listing, made[number], blob.size, blob.digest, blob.media_type))
    return Dissection(name, config, own, digest, lambda image: recorded_names(image, scratch))
