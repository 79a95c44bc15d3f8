"""The document of a cache: which key gave which layer, as which blob, and what was found out on the way.

It holds no files, no commands and no values: a key is a digest of what a step depends on, and says nothing to anybody
who does not know all of that.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from kezuri.diagnostics import KezuriError
from kezuri.oci.descriptor import Descriptor, canonical, valid_digest
from kezuri.oci.fields import Fields

ARTIFACT = "application/vnd.kezuri.cache.v1"
"""The artifact type of a manifest that is a cache."""
CONFIG_TYPE = "application/vnd.kezuri.cache.config.v1+json"
"""The media type of the document, which is the config of that manifest."""
INLINE = "dev.kezuri.cache.v1"
"""The field of an image's config that holds the document of an inline cache."""

_VERSION = 1
_KEY = re.compile(r"[0-9a-f]{64}\Z")
_RUN = re.compile(r"run-[0-9a-f]{32}\Z")
_MOUNT = re.compile(r"[0-9a-f]{32}\Z")
_SELECTION = re.compile(r"[\x21-\x7e]{1,200}\Z")
_MOST = 100_000
"""How many records and selections a document may have."""

BlobOf = Callable[[str, str], Descriptor | None]
"""Gives the blob that a manifest names, by its digest and the diff id of its layer; None when it names none such."""


_NO_MOUNTS: Mapping[str, "MountRecord"] = {}
_NO_SIZES: Mapping[str, int] = {}


class Record(NamedTuple):
    """The step with this key gave this layer. `blob` is None where the cache says what the result is and does not have
    its files (`mode=min`). `created` and `epoch` (a SOURCE_DATE_EPOCH, None for none) are seconds since 1970; `seconds`
    is what the step took."""

    key: str
    layer: str
    diff_id: str = ""
    blob: Descriptor | None = None
    created: float = 0.0
    seconds: float = 0.0
    epoch: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As the JSON object."""
        out: dict[str, Any] = {"key": self.key, "layer": self.layer}
        if self.blob is not None:
            out |= {"diffID": self.diff_id, "blob": self.blob.digest}
            if self.epoch is not None:
                out["epoch"] = self.epoch
        out |= {"created": self.created, "seconds": round(self.seconds, 3)}
        return out


class MountRecord(NamedTuple):
    """A cache mount: an id that is the same on every machine, the packs of its files in order, and how many bytes they
    are unpacked."""

    id: str
    packs: tuple[Descriptor, ...]
    plain: int

    @property
    def size(self) -> int:
        """How many bytes the packs have."""
        return sum(pack.size for pack in self.packs)

    def to_json(self) -> dict[str, Any]:
        """As the JSON object."""
        return {"id": self.id, "packs": [pack.digest for pack in self.packs], "plain": self.plain}


class CacheDocument(NamedTuple):
    """The records of a cache by key, the digests of what instructions select from stages and images, by the keys under
    which a store remembers them, and the cache mounts by id. `sizes` says of layers, by diff id, how many bytes their
    files have, as far as that was known; those of base images are among them. Nobody checks it: it is for showing."""

    records: Mapping[str, Record]
    selections: Mapping[str, str]
    mounts: Mapping[str, MountRecord] = _NO_MOUNTS
    sizes: Mapping[str, int] = _NO_SIZES

    @classmethod
    def parse(cls, data: bytes, where: str, blob_of: BlobOf) -> "CacheDocument":
        """From the raw bytes; KezuriError naming `where` when they are none. What is wrong in a single record makes
        that record no result."""
        return cls.of(Fields.parse(data, where), blob_of)

    @classmethod
    def of(cls, fields: Fields, blob_of: BlobOf) -> "CacheDocument":
        """From the JSON object."""
        if fields.number("version") != _VERSION:
            raise fields.wrong("version", f"is not {_VERSION}: another version of kezuri wrote it")
        raw = fields.raw("records")
        if not isinstance(raw, list) or len(raw) > _MOST:
            raise fields.wrong("records", f"is no list of at most {_MOST}")
        records: dict[str, Record] = {}
        for entry in fields.objects("records"):
            record = _record(entry, blob_of)
            if record is not None:
                records.setdefault(record.key, record)
        selections = fields.map("selections")
        if len(selections) > _MOST:
            raise fields.wrong("selections", f"has more than {_MOST} entries")
        found = {k: v for k, v in selections.items() if _KEY.match(k) and _SELECTION.match(v)}
        mounts = (_mount(entry, blob_of) for entry in fields.objects("mounts"))
        return cls(records, found, {mount.id: mount for mount in mounts if mount is not None}, _sizes(fields))

    def to_json(self) -> dict[str, Any]:
        """As the JSON object, in an order that depends on nothing else."""
        return {
            "version": _VERSION,
            "records": [self.records[key].to_json() for key in sorted(self.records)],
            "selections": {key: self.selections[key] for key in sorted(self.selections)},
            **({"mounts": [self.mounts[id].to_json() for id in sorted(self.mounts)]} if self.mounts else {}),
            **({"sizes": {diff_id: self.sizes[diff_id] for diff_id in sorted(self.sizes)}} if self.sizes else {}),
        }

    def encode(self) -> bytes:
        """As the bytes that are published."""
        return canonical(self.to_json())

    def within(self, most: int) -> "CacheDocument":
        """The cache with layers of at most so many bytes: those that spared the least time for their size keep their
        records and lose their files."""
        records, left = dict(self.records), most
        worth = sorted(
            (r for r in records.values() if r.blob is not None),
            key=lambda r: (-(r.seconds + 0.01) / (r.blob.size + 1 if r.blob is not None else 1), r.key),
        )
        for record in worth:
            assert record.blob is not None
            if record.blob.size <= left:
                left -= record.blob.size
            else:
                records[record.key] = record._replace(blob=None, diff_id="", epoch=None)
        return self._replace(records=records)

    def blobs(self) -> tuple[Descriptor, ...]:
        """The blobs of the layers and the packs of the mounts, each once."""
        found = {r.blob.digest: r.blob for r in self.records.values() if r.blob is not None}
        found |= {pack.digest: pack for mount in self.mounts.values() for pack in mount.packs}
        return tuple(found[digest] for digest in sorted(found))


def _record(fields: Fields, blob_of: BlobOf) -> Record | None:
    try:
        key, layer = fields.text("key"), fields.text("layer")
        diff_id, digest = fields.text("diffID"), fields.text("blob")
        epoch = fields.number("epoch") if "epoch" in fields else None
    except KezuriError:
        return None
    # The layer of a COPY follows from its key, and that of a RUN is random: no record can speak of another's layer.
    if not _KEY.match(key) or not (layer == f"copy-{key}" or _RUN.match(layer)):
        return None
    created, seconds = _number(fields.raw("created")), _number(fields.raw("seconds"))
    if not digest:
        return Record(key, layer, created=created, seconds=seconds)
    blob = blob_of(digest, diff_id) if valid_digest(digest) and valid_digest(diff_id) else None
    return None if blob is None else Record(key, layer, diff_id, blob, created, seconds, epoch)


def _sizes(fields: Fields) -> dict[str, int]:
    raw = fields.raw("sizes")
    if not isinstance(raw, dict) or len(raw) > _MOST:
        return {}
    sound = {k: v for k, v in raw.items() if valid_digest(k) and isinstance(v, int) and not isinstance(v, bool)}
    return {diff_id: size for diff_id, size in sound.items() if 0 <= size < 1 << 53}


def _mount(fields: Fields, blob_of: BlobOf) -> MountRecord | None:
    try:
        id, digests, plain = fields.text("id"), fields.texts("packs"), fields.number("plain")
    except KezuriError:
        return None
    packs = tuple(blob_of(digest, "") if valid_digest(digest) else None for digest in digests[:_MOST])
    found = tuple(pack for pack in packs if pack is not None)
    if not _MOUNT.match(id) or len(found) != len(digests) or plain < 0:
        return None
    return MountRecord(id, found, plain)


def _number(value: object) -> float:
    """A number of seconds; 0 for what is none, or before 1970, or later than year 9999."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    # Compared before it is converted: a whole number may be larger than any float.
    return float(value) if 0 <= value < 253_402_300_800 else 0.0
