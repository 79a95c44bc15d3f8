"""A whole image opened for the checks: its config and the files of each layer, from wherever the image is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from kezuri.app.distant_image import DistantImage
from kezuri.app.image_files import located
from kezuri.app.layer_sources import Traffic
from kezuri.app.session import Session
from kezuri.diagnostics import KezuriError
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import is_foreign
from kezuri.tree.layers import LayerForm


class Whole(NamedTuple):
    """An image whose layers can be looked into as long as it is open. `names` are those that the store has for it;
    `scratch` is a directory that is there meanwhile."""

    name: str
    config: ImageConfig
    layers: tuple[LayerForm, ...]
    scratch: str
    names: tuple[str, ...] = ()


@contextmanager
def opened_whole(session: Session, image: str, platform: str, traffic: Traffic) -> Iterator[Whole]:
    """The image by the name that a user gives it, found as `kezuri ls` finds it: nothing is unpacked or kept. Layers of
    an image that is elsewhere are brought into scratch space, compressed, while they are looked at. KezuriError when
    there is no such image, or its layers cannot be had."""
    with (
        session.store.scratch("check") as scratch,
        located(session, image, platform, traffic, scratch) as found,
    ):
        if isinstance(found, DistantImage):
            yield _whole(found, scratch)
        else:
            kept = found.kept
            session.forms.fetch_missing(kept.config.diff_ids)
            layers = _layers(session, kept.config.diff_ids)
            yield Whole(found.name, kept.config, layers, scratch, _names(session, kept.digest))


def reads_everything() -> bool:
    """Whether no file of this machine is closed to us."""
    return os.geteuid() == 0


def _layers(session: Session, layers: tuple[str, ...]) -> tuple[LayerForm, ...]:
    """The layers of an image of the store. Directories of layers are quicker to look into than tars, but only root can
    read all that is in them."""
    if reads_everything():
        return session.forms.view(layers).layers
    return session.forms.packed(layers)


def _whole(image: DistantImage, scratch: str) -> Whole:
    """An image that is elsewhere, with all its layers. KezuriError where they cannot be those of its config."""
    config = image.config()
    for layer in image.layers:
        if is_foreign(layer):
            raise KezuriError.of(
                f"{image.name}: the layer {layer.digest[:19]} may not be distributed, so that its files are not there",
                hint="an image with such layers (mostly of Windows) cannot be checked",
            )
    named, there = len(config.diff_ids), len(image.layers)
    if named != there:
        raise KezuriError.of(
            f"{image.name}: its config names {named} layers and its manifest {there}: damaged", exit_code=125
        )
    return Whole(image.name, config, image.files.whole(), scratch)


def _names(session: Session, digest: str) -> tuple[str, ...]:
    """The names that the store has for the image of this manifest."""
    names = session.store.names.all().items()
    return tuple(sorted(name for name, descriptor in names if descriptor.digest == digest))
