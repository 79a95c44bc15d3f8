"""What goes with images whose names are taken away: blobs and layers that nothing else needs."""

from collections.abc import Iterable, Iterator

from kezuri.diagnostics import KezuriError
from kezuri.images.kept import Kept, config_of, manifests
from kezuri.keys.state import base_id
from kezuri.linux.ownership import Privilege
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor, Manifest
from kezuri.store.store import Store
from kezuri.upkeep.collector import Collector, Limits
from kezuri.upkeep.inventory import state_before
from kezuri.upkeep.piece import Piece
from kezuri.upkeep.removal import Gone


class Leaving:
    """Images of a store that are about to lose their names. Make it before they do.

    Builds keep the layers of the images that they asked a registry for, whether these have names or not. A pulled image
    that is removed takes its layers along nevertheless, unless a cached result stands on them.
    """

    def __init__(self, store: Store, images: Iterable[Kept]) -> None:
        self._store = store
        asked = {digest for _, digest in store.database.facts.images()}
        pulled: set[str] = set()
        for image in images:
            for digest, manifest, _ in self._read(image.descriptor):
                if digest in asked:
                    pulled.update(layer.digest for layer in manifest.layers)
        self._layers = pulled - self._stood_upon(asked) if pulled else pulled

    def _stood_upon(self, asked: set[str]) -> set[str]:
        """The layers' blobs of images that cached results stand on."""
        states = {state_before(record.components) for record in self._store.database.records()}
        return {
            layer.digest
            for image in asked
            if self._store.blobs.has(image)
            for _, manifest, config in self._read(Descriptor("", image, 0))
            if base_id(config) in states
            for layer in manifest.layers
        }

    def _read(self, descriptor: Descriptor) -> Iterator[tuple[str, Manifest, ImageConfig]]:
        """The images that a descriptor stands for, without what is damaged or not there."""
        try:
            found = manifests(self._store, descriptor)
        except KezuriError:
            return
        for digest, manifest in found:
            try:
                config = config_of(self._store, manifest, digest)
            except KezuriError:
                continue
            yield digest, manifest, config

    def collect(self) -> Iterator[Gone]:
        """Now that they have no names: remove what nothing needs any more, piece by piece."""
        collector = Collector(self._store, Privilege())
        if self._layers:
            yield from collector.collect(Limits(chosen=self._is_left))
        yield from collector.collect(Limits(untagged=False))

    def _is_left(self, piece: Piece) -> bool:
        return piece.kind == "image" and any(blob.digest in self._layers for blob in piece.ties.blobs)
