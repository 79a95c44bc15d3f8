"""Layers are unpacked into overlay directories."""

import os
import threading
from collections.abc import Callable, Sequence

from kezuri.forms.directories import Directories
from kezuri.forms.fetching import Fetching
from kezuri.forms.listings import Listings
from kezuri.forms.verification import Hasher, Verification
from kezuri.layer.listing import Listing
from kezuri.layer.unpacker import unpack
from kezuri.linux.directory import make_plain
from kezuri.store.schema import FormRow
from kezuri.store.store import Store, layer_name

_MOST_LACKING = 5
"""How many things that could not be made of a layer are said one by one."""


class Unpacking:
    """Unpacks layers. Threads and processes may do so at the same time: each layer is unpacked once."""

    def __init__(
        self,
        store: Store,
        directories: Directories,
        fetching: Fetching,
        listings: Listings,
        verification: Verification,
        warn: Callable[[str], None],
    ) -> None:
        """`warn` hears what could not be made of a layer."""
        self._store = store
        self._directories = directories
        self._fetching = fetching
        self._listings = listings
        self._verification = verification
        self._warn = warn
        self._locks: dict[str, threading.Lock] = {}

    def directories(self, layers: Sequence[str]) -> tuple[str, ...]:
        """The directories of a stack, topmost first, as overlay wants them."""
        self._fetching.missing([layer for layer in layers if not self._directories.found(layer)])
        made = [self.directory(layer, layers[:i]) for i, layer in enumerate(layers)]
        return tuple(reversed(made))

    def directory(self, layer: str, below: Sequence[str]) -> str:
        """The layer as an overlay directory, unpacked if need be. `below` are the layers under it, lowest first."""
        found = self._directories.found(layer)
        if found:
            return found
        with (
            self._locks.setdefault(layer, threading.Lock()),
            self._store.lock(f"layer-{layer_name(layer)}"),
        ):
            return self._directories.found(layer) or self._unpack(layer, below)

    def _unpack(self, layer: str, below: Sequence[str]) -> str:
        owners = self._directories.owners
        owners.enter()  # it gives the files the owners that the image means
        lacking: list[str] = []
        with self._store.scratch("unpack") as scratch:
            lower = self._listings.view(below) if below else None

            def read(form: FormRow, hasher: Hasher) -> tuple[str, Listing, FormRow]:
                made = os.path.join(scratch, form.digest[7:])
                make_plain(made)
                lacking.clear()
                with open(self._store.blobs.path(form.digest), "rb", buffering=0) as blob:
                    listing = unpack(
                        blob,
                        made,
                        lower=lower,
                        userxattr=owners.user_marks,
                        recorded=owners.recorded,
                        where=f"layer {layer}",
                        hasher=hasher,
                        warn=lacking.append,
                    )
                return made, listing, form

            made, listing, form = self._verification.believed(layer, read)
            self._listings.keep(layer, listing, form)
            path = self._directories.publish(layer, made, form.epoch)
        for text in lacking[:_MOST_LACKING]:
            self._warn(text)
        if len(lacking) > _MOST_LACKING:
            self._warn(f"layer {layer}: {len(lacking) - _MOST_LACKING} more like these")
        return path
