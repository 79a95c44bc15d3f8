"""The forms of layers: directories, blobs and listings, made only when somebody needs them."""

import os
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from kezuri.forms.directories import Directories
from kezuri.forms.packing import Packer, Packing
from kezuri.forms.supply import Claims, Fetcher, ForeignLayer, Supply
from kezuri.oci.descriptor import Descriptor
from kezuri.progress.calling_off import CallOff
from kezuri.store.owners import Owners
from kezuri.store.schema import FormRow
from kezuri.store.store import Store, layer_name

if TYPE_CHECKING:
    from kezuri.forms.makers import Makers
    from kezuri.layer.entry import Item
    from kezuri.layer.listing import Onlooker
    from kezuri.tree.layers import ListedLayer
    from kezuri.tree.stack import StackView


class Forms:
    """Makes and finds the forms of layers. Threads may share it: each form is made once."""

    def __init__(
        self,
        store: Store,
        owners: Owners,
        fetcher: Fetcher,
        warn: Callable[[str], None] = lambda text: None,
        cancel: CallOff | None = None,
        epoch: int | None = None,
        claims: Claims | None = None,
        foreign: dict[str, ForeignLayer] | None = None,
    ) -> None:
        """`warn` hears what could not be made of a layer that is unpacked. `cancel` ends the reading of layers, with
        CalledOff, when it is set. `epoch` is the SOURCE_DATE_EPOCH of the build that asks, in seconds: what was made
        with an earlier one has lost times. `claims` are layers that are known already, `foreign` those of caches."""
        self.owners = owners
        self._store = store
        self._fetcher = fetcher
        self._warn = self.warn = warn
        self._cancel = cancel if cancel is not None else CallOff()
        self._claims: Claims = {} if claims is None else claims
        self._foreign: dict[str, ForeignLayer] = {} if foreign is None else foreign
        self._packer = Packer(store)
        self._directories = Directories(store, owners, epoch)
        self._supply = Supply(store, self._directories, self._packer, fetcher, self._claims, self._foreign)
        self._guard = threading.Lock()
        self._makers: Makers | None = None

    def for_epoch(self, epoch: int | None) -> "Forms":
        """The same layers for a build with this SOURCE_DATE_EPOCH (seconds, None for none)."""
        return Forms(
            self._store, self.owners, self._fetcher, self._warn, self._cancel, epoch, self._claims, self._foreign
        )

    def _made(self) -> "Makers":
        with self._guard:
            if self._makers is None:
                from kezuri.forms.makers import Makers

                self._makers = Makers.of(
                    *(self._store, self._directories, self._supply, self._packer),
                    *(self._fetcher, self._warn, self._cancel),
                )
            return self._makers

    @property
    def userxattr(self) -> bool:
        """Whether overlay's marks are in `user.` attributes."""
        return self.owners.user_marks

    @property
    def recorded(self) -> bool:
        """Whether owners are recorded in the attributes of the directories."""
        return self.owners.recorded

    def know_pulled(self, layer: str, descriptor: Descriptor) -> None:
        """Make a layer known that came, or can come, as a blob from elsewhere: see Supply.claim."""
        self._supply.claim(layer, descriptor)

    def know_foreign(self, layer: str, foreign: ForeignLayer) -> None:
        """Make a layer known that a cache of another machine has: see Supply.know."""
        self._supply.know(layer, foreign)

    def promised(self, layer: str, packing: Packing) -> FormRow | None:
        """The blob of the wanted kind that a cache has of the layer, here or not; None when it has none."""
        return self._supply.imported(layer, packing)

    def forget_foreign(self, layer: str) -> None:
        """A cache turned out not to have the layer that it gave."""
        self._supply.forget(layer)

    def keeps_times(self, epoch: int | None) -> bool:
        """Whether what was made with that SOURCE_DATE_EPOCH has the times that this build asks for."""
        return self._directories.keeps_times(epoch)

    def usable(self, layer: str) -> bool:
        """Whether some form of the layer is at hand, without fetching, from which this build's can be made."""
        return self._supply.usable(layer)

    # directories

    def is_unpacked(self, layer: str) -> bool:
        """Whether there is a directory of the layer that this build can use."""
        return bool(self._directories.known(layer))

    def is_listed(self, layer: str) -> bool:
        """Whether `view` shows the layer without reading it."""
        return os.path.exists(self.listing_path(layer)) or self.is_unpacked(layer)

    def listing_path(self, layer: str) -> str:
        """Where the layer's listing is written down, once it has one."""
        return self._store.path("listings", layer_name(layer))

    def unpacked(self, layers: Iterable[str]) -> bool:
        """Whether there are directories of all of the layers that this build can use."""
        return all(map(self.is_unpacked, layers))

    def publish_directory(self, layer: str, made: str, epoch: int | None = None) -> str:
        """Put a finished overlay directory of the store's scratch space in place as the layer's directory form; its
        path. `epoch`: the SOURCE_DATE_EPOCH in seconds that its times were cut off at."""
        return self._directories.publish(layer, made, epoch)

    def directory(self, layer: str, below: Sequence[str]) -> str:
        """The layer as an overlay directory, unpacked if need be. `below` are the layers under it, lowest first."""
        return self._directories.found(layer) or self._made().unpacking.directory(layer, below)

    def directories(self, layers: Sequence[str]) -> tuple[str, ...]:
        """The directories of a stack, topmost first, as overlay wants them."""
        return self._made().unpacking.directories(layers)

    def lay_out(self, layers: Sequence[str], mounted: bool) -> None:
        """Fetch the layers and unpack them, or only list what is in those that nothing is `mounted` on."""
        if mounted:
            self.directories(layers)
        else:
            self.fetch_missing(layers)
            self.view(layers)

    # views

    def view(self, layers: Sequence[str]) -> "StackView":
        """The stack seen as one tree; nothing is unpacked for it."""
        return self._made().listings.view(layers)

    def packed(self, layers: Sequence[str]) -> "tuple[ListedLayer, ...]":
        """Each layer of the stack, lowest first, as its tar has it: no right to read other users' files is needed."""
        listings = self._made().listings
        return tuple(listings.packed(layer, layers[:number]) for number, layer in enumerate(layers))

    def complete(self, layer: str, onlooker: "Onlooker | None" = None) -> "ListedLayer":
        """The layer as its tar has it, with the digests of its files and the size of the tar. An `onlooker` sees the
        files if they are read for it."""
        return self._made().listings.complete(layer, onlooker)

    # blobs

    def fetch_missing(self, layers: Sequence[str]) -> None:
        """Bring the blobs of layers that have no form here, several at a time; the first failure is raised."""
        if not all(map(self._supply.usable, layers)):
            self._made().fetching.missing(layers)

    def fetch_named(self, layers: Iterable[tuple[str, Descriptor]]) -> None:
        """Bring the very blobs that an image's manifest names for its layers, several at a time: see Fetching.named."""
        layers, blobs = tuple(layers), self._store.blobs
        # A build that finds all of them loads nothing of what fetches.
        if not all(blobs.has(blob.digest) and blobs.size(blob.digest) == blob.size for _, blob in layers):
            self._made().fetching.named(layers)

    def any_blob(self, layer: str, but: Collection[str] = ()) -> FormRow:
        """Some blob of the layer, fetched or packed if there is none, none of those with the digests of `but`.
        KezuriError when nothing of it is left."""
        return self._supply.some(layer, but)

    def base_blob(self, layer: str, descriptor: Descriptor) -> FormRow:
        """The blob as which a layer of an image leaves: the image's own, or another one that is verified and there."""
        return self._supply.of_image(layer, descriptor)

    def blob(self, layer: str, packing: Packing) -> FormRow:
        """The layer as a blob of the wanted kind. A layer that came from elsewhere stays as it came."""
        if any(form.pulled for form in self._store.database.forms(layer)):
            return self._supply.some(layer)
        imported = self._supply.imported(layer, packing)
        if imported is not None:
            here = imported.verified and self._store.blobs.has(imported.digest)
            return imported if here else self._made().verification.of_cache(layer, imported)
        return self._packer.made(layer, packing) or self._made().repacking.blob(layer, packing)

    def recompressed(self, layer: str, descriptor: Descriptor, packing: Packing) -> FormRow:
        """A layer of an image, with the same content, as a blob of the wanted kind: see Repacking.recompressed."""
        return self._made().repacking.recompressed(layer, descriptor, packing)

    def squashed(self, layers: Sequence[str], kept: int, packing: Packing) -> FormRow:
        """One layer, as a blob, that does what all but the lowest `kept` of the layers do: see Squashing."""
        return self._made().squashing.blob(layers, kept, packing)

    def pack(
        self, layer: str, items: "Iterable[Item]", packing: Packing, check: Callable[[], None] | None = None
    ) -> FormRow:
        """Pack entries into a blob of the store and make it known as a form of the layer: see Packer.pack."""
        return self._packer.pack(layer, items, packing, check)
