"""Layers as listings of their entries, and stacks of layers seen as one tree."""

import os
import threading
from collections.abc import Sequence
from contextlib import suppress

from kezuri.diagnostics import KezuriError
from kezuri.forms.directories import Directories
from kezuri.forms.supply import Supply
from kezuri.forms.verification import Hasher, Verification
from kezuri.layer.listing import Listing, Onlooker
from kezuri.layer.view import AnythingBelow, View
from kezuri.store.schema import FormRow
from kezuri.store.store import Store, layer_name
from kezuri.tree.layers import DirectoryLayer, LayerForm, ListedLayer
from kezuri.tree.stack import StackView


class Listings:
    """The listings of layers. Threads may share it: each layer is listed once."""

    def __init__(self, store: Store, directories: Directories, supply: Supply, verification: Verification) -> None:
        self._store = store
        self._directories = directories
        self._supply = supply
        self._verification = verification
        self._locks: dict[str, threading.Lock] = {}
        self._listings: dict[str, Listing] = {}

    def view(self, layers: Sequence[str]) -> StackView:
        """The stack, lowest first, seen as one tree; nothing is unpacked for it."""
        return StackView([self._form(layer, layers[:i]) for i, layer in enumerate(layers)])

    def _form(self, layer: str, below: Sequence[str]) -> LayerForm:
        path = self._directories.found(layer)
        if path:
            owners = self._directories.owners
            return DirectoryLayer(path, owners.user_marks, owners.recorded)
        return self.packed(layer, below)

    def packed(self, layer: str, below: Sequence[str]) -> ListedLayer:
        """The layer as its tar has it, whether there is a directory of it or not: what is made of it then depends on
        the image alone, and needs no right to read other users' files."""
        return self._of_tar(layer, self._listing(layer, below))

    def complete(self, layer: str, onlooker: Onlooker | None = None) -> ListedLayer:
        """The layer as its tar has it, with the digests of all files and the size of the tar: all is read in one go,
        the first time, and only then the `onlooker` sees it. What hard links to lower layers lead to is not looked
        at."""
        return self._of_tar(layer, self._complete(layer, onlooker))

    def _of_tar(self, layer: str, listing: Listing) -> ListedLayer:
        # The listing says where in the plain bytes a file is: they have to be the bytes that were listed.
        form = self._supply.here(layer)
        if form is None or not form.verified:
            form = self._verification.hashed(layer)
        blob = self._store.blobs.path(form.digest)
        path = self._path(layer)
        keep = (lambda known: known.save(path)) if os.path.exists(path) else None
        return ListedLayer(listing, lambda: open(blob, "rb", buffering=0), f"layer {layer}", keep)

    def _listing(self, layer: str, below: Sequence[str]) -> Listing:
        with self._locks.setdefault(layer, threading.Lock()):
            known = self._listings.get(layer)
            if known is None:
                path = self._path(layer)
                known = Listing.load(path) if os.path.exists(path) else self._made(layer, below)
                self._listings[layer] = known
            return known

    def _complete(self, layer: str, onlooker: Onlooker | None) -> Listing:
        """The listing with all that can be known of the layer. A store that cannot be written, or is full, only means
        that it is made again the next time."""
        with self._locks.setdefault(layer, threading.Lock()):
            path = self._path(layer)
            known = self._listings.get(layer)
            if known is None:
                with suppress(OSError, KezuriError):
                    known = Listing.load(path)
            if known is None or not known.complete:
                known, form = self._read(layer, AnythingBelow(), True, onlooker)
                with suppress(OSError, KezuriError):
                    if form.epoch is None:
                        known.save(path)
                    self._store.database.facts.put_unpacked(form.diff_id, known.content())
            self._listings[layer] = known
            return known

    def _made(self, layer: str, below: Sequence[str]) -> Listing:
        listing, form = self._read(layer, self.view(below) if below else None)
        self.keep(layer, listing, form)
        return listing

    def _read(
        self, layer: str, lower: View | None, hashing: bool = False, onlooker: Onlooker | None = None
    ) -> tuple[Listing, FormRow]:
        """The listing of a blob that is believed to be the layer, and that blob."""

        def read(form: FormRow, hasher: Hasher) -> tuple[Listing, FormRow]:
            with open(self._store.blobs.path(form.digest), "rb", buffering=0) as blob:
                where = f"layer {layer}"
                listing = Listing.of_tar(blob, where, lower=lower, hasher=hasher, hashing=hashing, onlooker=onlooker)
                return listing, form

        return self._verification.believed(layer, read)

    def keep(self, layer: str, listing: Listing, form: FormRow) -> None:
        """Write down the listing that was made of a blob, unless the layer has one; none of what lost its times. How
        much the layer's files are is known then, too."""
        self._store.database.facts.put_unpacked(form.diff_id, listing.content())
        path = self._path(layer)
        if form.epoch is None and not os.path.exists(path):
            listing.save(path)

    def _path(self, layer: str) -> str:
        return self._store.path("listings", layer_name(layer))
