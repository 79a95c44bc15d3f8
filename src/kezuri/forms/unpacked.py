"""How many bytes the files of layers have, which no manifest says: what docker calls the size of an image."""

from collections.abc import Sequence
from hashlib import sha256
from typing import BinaryIO, cast

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Descriptor
from kezuri.store.store import Store


class Unpacked:
    """Sizes of unpacked layers in one store. They are counted when a layer is packed, unpacked or listed; a layer of
    which nothing of this has been done is read once, when somebody asks."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counted: dict[str, int | None] = {}

    def sizes(self, diff_ids: Sequence[str], blobs: Sequence[Descriptor]) -> list[int | None]:
        """The bytes of each layer's files, in turn; None for one whose blob is not here, or is damaged."""
        known = self._store.database.facts.unpacked(diff_ids)
        return [
            known[diff_id] if diff_id in known else self._count(diff_id, blob) for diff_id, blob in zip(diff_ids, blobs)
        ]

    def total(self, diff_ids: Sequence[str], blobs: Sequence[Descriptor]) -> int | None:
        """The bytes of all of them together; None where one is not known."""
        sizes = self.sizes(diff_ids, blobs)
        return None if len(sizes) < len(diff_ids) or None in sizes else sum(cast(list[int], sizes))

    def _count(self, diff_id: str, blob: Descriptor) -> int | None:
        if diff_id not in self._counted:
            self._counted[diff_id] = self._read(diff_id, blob)
        return self._counted[diff_id]

    def _read(self, diff_id: str, blob: Descriptor) -> int | None:
        from kezuri.layer.decompression import Decompressed
        from kezuri.layer.read_ahead import ReadAhead
        from kezuri.layer.tar_reader import read_tar

        if not self._store.blobs.has(blob.digest):
            return None
        where, hasher, total = f"layer {blob.digest}", sha256(), 0
        try:
            with (
                open(self._store.blobs.path(blob.digest), "rb", buffering=0) as file,
                ReadAhead(Decompressed(file, where), hasher) as pieces,
            ):
                for entry, _ in read_tar(cast(BinaryIO, pieces), where):
                    if entry.kind == "file":
                        total += entry.size
        except (KezuriError, OSError):
            return None
        if f"sha256:{hasher.hexdigest()}" == diff_id:
            try:
                self._store.database.facts.put_unpacked(diff_id, total)
            except (KezuriError, OSError):
                pass  # A store that cannot be written is read again the next time.
        return total
