"""A blob of the wanted kind is packed of a layer's directory, or of another blob."""

import os
import threading
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from kezuri.forms.packing import Packer, Packing
from kezuri.forms.supply import Supply
from kezuri.forms.verification import HashedStream, Hasher, Verification, check
from kezuri.layer.entry import Entry, Item
from kezuri.linux.disk import disk_error
from kezuri.store.schema import FormRow
from kezuri.store.store import Store

_IN_MEMORY = 1 << 20
"""Bytes of a file that are held in memory while a blob is made of another one."""


class Repacking:
    """Packs layers as they are wanted. Threads may share it: each layer is packed once at a time."""

    def __init__(self, store: Store, supply: Supply, packer: Packer, verification: Verification) -> None:
        self._store = store
        self._supply = supply
        self._packer = packer
        self._verification = verification
        self._locks: dict[str, threading.Lock] = {}

    def blob(self, layer: str, packing: Packing) -> FormRow:
        """The layer, which was made here, as a blob of the wanted kind."""
        encoder = self._packer.encoder(packing)
        with self._locks.setdefault(layer, threading.Lock()):
            known = self._store.database.form(layer, encoder)
            if known is not None and self._store.blobs.has(known.digest):
                return known
            return self._supply.packed(layer, packing) or self._repacked(layer, packing)

    def _repacked(self, layer: str, packing: Packing) -> FormRow:
        """A blob made of another one, entry by entry: that needs neither a directory nor the right to own its files."""
        from kezuri.layer.tar_reader import read_tar

        def read(form: FormRow, hasher: Hasher) -> FormRow:
            with self._store.scratch("repack") as scratch, self._verification.tar(form) as tar:
                watched = HashedStream(tar, hasher)

                def verify() -> None:
                    watched.drain()
                    check(form, hasher)

                entries = read_tar(cast(BinaryIO, watched), f"layer {layer}")
                items = with_content(entries, os.path.join(scratch, "content"))
                return self._packer.pack(layer, items, packing, verify)

        return self._verification.believed(layer, read)


def with_content(entries: Iterable[tuple[Entry, BinaryIO | None]], path: str) -> Iterator[Item]:
    """The entries of a tar as items. The bytes of a large file lie at `path` until the next item is asked for."""
    for entry, data in entries:
        if data is None or entry.size <= _IN_MEMORY:
            yield entry, data.read() if data is not None else None
            continue
        try:
            with open(path, "wb") as file:
                while piece := data.read(_IN_MEMORY):
                    file.write(piece)
        except OSError as error:
            raise disk_error(error, path) from error
        yield entry, path
