"""How layers are packed into blobs, and the packing itself."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, cast

from kezuri.oci.descriptor import LAYER, LAYER_GZIP, LAYER_ZSTD, digest_of
from kezuri.store.schema import FormRow, dated_encoder
from kezuri.store.store import Store

if TYPE_CHECKING:
    from kezuri.layer.entry import Item


MEDIA_TYPES = {"gzip": LAYER_GZIP, "zstd": LAYER_ZSTD, "none": LAYER}
"""What a layer is that was compressed in one of the ways."""


class Packing(NamedTuple):
    """How layers leave: the kind of compression (`gzip`, `zstd`, `none`), its level, and the time that no
    modification time is later than (seconds since the epoch, None for no such time)."""

    kind: Literal["gzip", "zstd", "none"] = "gzip"
    level: int | None = None
    epoch: int | None = None


class Packer:
    """Packs layers into blobs of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def encoder(self, packing: Packing) -> str:
        """What names the blobs that this packing makes: same name, same bytes."""
        from kezuri.layer.compression import compression

        encoder = compression(packing.kind, packing.level).encoder
        facts = self._store.database.facts
        if facts.encoder(packing.kind, packing.level) != encoder:
            facts.put_encoder(packing.kind, packing.level, encoder)
        return dated_encoder(encoder, packing.epoch)

    def made(self, layer: str, packing: Packing) -> FormRow | None:
        """The blob that the encoder made which this store used last for such packing: found without loading it."""
        encoder = self._store.database.facts.encoder(packing.kind, packing.level)
        known = self._store.database.form(layer, dated_encoder(encoder, packing.epoch)) if encoder else None
        return known if known is not None and self._store.blobs.has(known.digest) else None

    def pack(
        self, layer: str, items: "Iterable[Item]", packing: Packing, check: Callable[[], None] | None = None
    ) -> FormRow:
        """Pack entries into a blob of the store and make it known as a form of the layer. `check` is called when
        everything was read and nothing is known yet; what it raises leaves nothing."""
        from kezuri.layer.compression import EMPTY_GZIP
        from kezuri.layer.packer import compression, pack

        with self._store.blobs.writer(hashed=True) as writer:
            packed = pack(items, cast(BinaryIO, writer), compression(packing.kind, packing.level), epoch=packing.epoch)
            if not packed.entries and packing.kind == "gzip":
                # A step that changed nothing has the same layer everywhere, so that registries share it.
                writer.restart()
                writer.write(EMPTY_GZIP)
                packed = packed._replace(digest=digest_of(EMPTY_GZIP), size=len(EMPTY_GZIP))
            if check is not None:
                check()
            digest = writer.commit_known(packed.digest)
        media = MEDIA_TYPES[packing.kind]
        form = FormRow(layer, self.encoder(packing), digest, packed.size, media, packed.diff_id)
        database = self._store.database
        with database.transaction():
            row = database.layer(layer)
            if row is None or not row.diff_id:
                database.put_layer(layer, diff_id=packed.diff_id)
            database.put_form(form)
            database.facts.put_unpacked(packed.diff_id, packed.content)
        return form
