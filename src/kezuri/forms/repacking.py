"""A blob of the wanted kind is packed of a layer's directory, or of another blob."""

import os
import threading
from collections.abc import Iterable, Iterator
from typing import BinaryIO, cast

from kezuri.forms.packing import MEDIA_TYPES, Packer, Packing
from kezuri.forms.supply import Supply
from kezuri.forms.verification import HashedStream, Hasher, Verification, check
from kezuri.layer.entry import Entry, Item
from kezuri.linux.disk import disk_error
from kezuri.oci.descriptor import Descriptor
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

    def recompressed(self, layer: str, descriptor: Descriptor, packing: Packing) -> FormRow:
        """A layer that came from elsewhere, its tar as it is but compressed in the wanted way: it keeps its diff id.
        `descriptor` is its own blob, which stays when it is compressed like that already."""
        if _kind(descriptor.media_type) == packing.kind:
            return self._supply.of_image(layer, descriptor)
        from kezuri.layer.compression import compression
        from kezuri.layer.packer import compress

        chosen = compression(packing.kind, packing.level)
        with self._locks.setdefault(layer, threading.Lock()):
            known = self._store.database.form(layer, chosen.encoder)
            if known is not None and self._store.blobs.has(known.digest):
                return known

            def read(form: FormRow, hasher: Hasher) -> FormRow:
                with self._verification.tar(form) as tar, self._store.blobs.writer(hashed=True) as writer:
                    watched = HashedStream(tar, hasher)
                    packed = compress(cast(BinaryIO, watched), cast(BinaryIO, writer), chosen)
                    check(form, hasher)
                    digest = writer.commit_known(packed.digest)
                return FormRow(layer, chosen.encoder, digest, packed.size, MEDIA_TYPES[packing.kind], layer, True)

            made = self._verification.believed(layer, read)
            self._store.database.put_form(made)
            return made

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


def _kind(media_type: str) -> str:
    """How a layer of this media type is compressed."""
    return next((kind for kind in ("gzip", "zstd") if media_type.endswith(kind)), "none")


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
