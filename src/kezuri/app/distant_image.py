"""An image opened where it is, which is not the store: in a registry, a layout, an archive or another program."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kezuri.app.layer_sources import InPlace, InRegistry, Traffic
from kezuri.app.session import Session
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.platform import Platform
from kezuri.oci.reference import Reference

if TYPE_CHECKING:
    from kezuri.images.distant import DistantFiles


class DistantImage(NamedTuple):
    """An image whose files can be read as long as it is open. `config` reads its config, which not everybody needs;
    `digest` and `annotations` are its manifest's."""

    name: str
    layers: tuple[Descriptor, ...]
    files: "DistantFiles"
    config: Callable[[], ImageConfig]
    digest: str
    annotations: Mapping[str, str]


@contextmanager
def in_registry(
    session: Session, name: str, platform: Platform, traffic: Traffic, scratch: str
) -> Iterator[DistantImage]:
    """The image that a registry has by this name. Layers that the store has are read there; `traffic` learns of the
    others."""
    from kezuri.images.distant import DistantFiles

    reference = Reference.parse(name)
    found = session.registry().resolve(reference, platform)
    manifest = found.manifest
    layers = manifest.layers
    traffic.source = reference.familiar
    blobs = session.store.blobs
    traffic.whole = sum({d.digest: d.size for d in layers if not blobs.has(d.digest)}.values())
    with DistantFiles(reference.familiar, layers, InRegistry(session, reference, traffic), scratch) as files:
        yield DistantImage(
            reference.familiar, layers, files, lambda: found.config, found.descriptor.digest, manifest.annotations
        )


@contextmanager
def in_place(session: Session, image: str, platform: Platform, scratch: str) -> Iterator[DistantImage]:
    """The image at a place that `kezuri copy` knows, which is neither a registry nor the store."""
    from kezuri.app.transfers import Places
    from kezuri.images.distant import DistantFiles
    from kezuri.oci.descriptor import Manifest
    from kezuri.transfer.places import read_place
    from kezuri.transfer.walking import config_of, image_for

    with Places(session) as places:
        source = places.source(read_place(image))
        document = image_for(source, source.root(), platform)
        manifest, digest = document.content, document.descriptor.digest
        assert isinstance(manifest, Manifest)
        with DistantFiles(image, manifest.layers, InPlace(source), scratch) as files:
            config = partial(config_of, source, manifest)
            yield DistantImage(image, manifest.layers, files, config, digest, manifest.annotations)
