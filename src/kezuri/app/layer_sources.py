"""Where the layers of an image are read that is not unpacked: the store, a registry, another place of this machine."""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO, cast

from kezuri.app.session import Session
from kezuri.oci.descriptor import Descriptor
from kezuri.oci.reference import Reference

if TYPE_CHECKING:
    from kezuri.registry.client import Registry
    from kezuri.registry.sink import DirectorySink
    from kezuri.transfer.doors import Source as PlaceSource


class Traffic:
    """How many bytes of layers came over the network, and how many all layers that are not here have."""

    def __init__(
        self, listen: Callable[[], None] = lambda: None, warn: Callable[[str], None] = lambda text: None
    ) -> None:
        """`listen` is called whenever something came, perhaps from several threads, and now and then while layers are
        listed; `warn` hears of credentials that cannot be asked for."""
        self._listen = listen
        self.warn = warn
        self._lock = threading.Lock()
        self.came = 0
        self.listed = 0
        """How many files of layers were listed; of layers that were known before none are."""
        self.whole = 0
        self.source = ""
        """Where they came from; empty when nothing had to come."""

    def list_file(self) -> None:
        """Take note of a file of a layer that is being listed."""
        self.listed += 1
        if not self.listed % 256:
            self._listen()

    def count(self, size: int) -> None:
        """Take note of bytes that came."""
        with self._lock:
            self.came += size
        self._listen()


class InStore:
    """The layers of an image of the store."""

    def __init__(self, session: Session) -> None:
        self._blobs = session.store.blobs

    def open(self, layer: Descriptor) -> BinaryIO:
        from kezuri.images.distant import Checked

        path = self._blobs.path(layer.digest)
        return cast(BinaryIO, Checked(open(path, "rb", buffering=0), layer, "the store"))

    def fetch(self, layers: Sequence[Descriptor], sink: "DirectorySink") -> None:
        """Nothing is brought: they are here."""


class InRegistry:
    """The layers of an image of a registry; those that the store has are read there."""

    def __init__(self, session: Session, reference: Reference, traffic: Traffic) -> None:
        self._session = session
        self._reference = reference
        self._traffic = traffic

    def open(self, layer: Descriptor) -> BinaryIO:
        blobs = self._session.store.blobs
        if blobs.has(layer.digest):
            return cast(BinaryIO, open(blobs.path(layer.digest), "rb", buffering=0))
        return cast(BinaryIO, self._registry.stream(self._reference, layer, self._traffic.count))

    def fetch(self, layers: Sequence[Descriptor], sink: "DirectorySink") -> None:
        lacking = [layer for layer in layers if not self._session.store.blobs.has(layer.digest)]
        known: dict[str, int] = {}

        def came(layer: Descriptor, current: int, total: int) -> None:
            # Fewer than before where a blob is begun anew: what came before came nevertheless.
            self._traffic.count(max(0, current - known.get(layer.digest, 0)))
            known[layer.digest] = current

        self._registry.fetch_all(self._reference, lacking, sink, came)

    @property
    def _registry(self) -> "Registry":
        return self._session.registry()


class InPlace:
    """The layers of an image of this machine that is not in the store."""

    def __init__(self, source: "PlaceSource") -> None:
        self._source = source

    def open(self, layer: Descriptor) -> BinaryIO:
        from kezuri.images.distant import Checked

        return cast(BinaryIO, Checked(self._source.open(layer), layer, self._source.where))

    def fetch(self, layers: Sequence[Descriptor], sink: "DirectorySink") -> None:
        """Nothing is brought: what is on this machine is read where it is."""
