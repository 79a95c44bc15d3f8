"""Several layers are packed as one."""

import threading
from collections.abc import Sequence
from hashlib import sha256

from kezuri.forms.listings import Listings
from kezuri.forms.packing import Packer, Packing
from kezuri.oci.config import chain_id
from kezuri.store.schema import FormRow
from kezuri.store.store import Store
from kezuri.tree.squashed import readable_once, squashed


class Squashing:
    """Packs the upper layers of a stack as one, of their tars. Threads may share it."""

    def __init__(self, store: Store, listings: Listings, packer: Packer) -> None:
        self._store = store
        self._listings = listings
        self._packer = packer
        self._lock = threading.Lock()

    def blob(self, layers: Sequence[str], kept: int, packing: Packing) -> FormRow:
        """The blob of the layer that does, on the lowest `kept` of the layers, what all those above do. The layers are
        named by their diff ids; their blobs are here. The same stack gives the same blob, and is packed once."""
        name = f"squashed {kept} {chain_id(layers)}"
        layer = "sha256:" + sha256(name.encode()).hexdigest()
        with self._lock:
            made = self._packer.made(layer, packing)
            if made is not None:
                return made
            forms = [self._listings.packed(each, layers[:number]) for number, each in enumerate(layers)]
            with self._store.scratch("squash") as scratch:
                return self._packer.pack(layer, readable_once(squashed(forms, kept), scratch), packing)
