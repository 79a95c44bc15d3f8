"""The figures of images, kept in the store: they are found again as long as nothing that they come from has changed."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import kezuri
from kezuri.anatomy.values import (
    Anatomy,
    Duplicate,
    Heap,
    LayerShare,
    Leftover,
    Maker,
    Owner,
    OwnerShare,
    Waste,
)
from kezuri.app import kept_json
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor
from kezuri.store.store import Store

_MAGIC = b"kezuri anatomy 1\n"
_COUNTING = ("anatomy", "packages")
"""The rooms that figures come from: with other code they may be other ones."""
_MOST = 256 << 20


class KeptAnatomies:
    """The figures that a store keeps, in a file for each image: see `kept_json`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def key(self, config: ImageConfig, blobs: Sequence[Descriptor], makers: Sequence[Maker], digest: str) -> str:
        """What the figures of an image depend on, as a name. The bytes of layers do not come into it, for their digests
        do; what made them does, for that may be found out later."""
        import json
        from hashlib import sha256

        layers = [(blob.media_type, blob.digest, blob.size) for blob in blobs]
        text = json.dumps([kezuri.__version__, code(), digest, config.to_json(), layers, makers])
        return sha256(text.encode()).hexdigest()[:40]

    def load(self, key: str) -> Anatomy | None:
        """The figures that were kept; None where there are none, or they are damaged."""
        row = kept_json.load(self._path(key), _MAGIC, _MOST)
        try:
            return None if row is None else _anatomy(row)
        except (ValueError, TypeError):
            return None

    def save(self, key: str, anatomy: Anatomy) -> None:
        """Keep the figures, if the disk takes them."""
        kept_json.save(self._path(key), _MAGIC, anatomy)

    def _path(self, key: str) -> str:
        return self._store.path("listings", f"anatomy-{key}")


def code(rooms: Sequence[str] = _COUNTING) -> list[int]:
    """When the code that makes the figures was changed last, room by room."""
    found = []
    for room in rooms:
        directory = os.path.join(os.path.dirname(kezuri.__file__), room)
        with suppress(OSError), os.scandir(directory) as files:
            found.append(max((file.stat().st_mtime_ns for file in files if file.name.endswith(".py")), default=0))
    return found


def _anatomy(row: list[Any]) -> Anatomy:
    """Tuples of tuples again as values. ValueError or TypeError where they are others."""
    found = Anatomy._make(row)
    layers, owners = map(LayerShare._make, found.layers), map(OwnerShare._make, found.owners)
    waste, leftovers = map(Waste._make, found.waste), map(Leftover._make, found.leftovers)
    duplicates = map(Duplicate._make, found.duplicates)
    return found._replace(
        layers=tuple(each._replace(maker=Maker._make(each.maker)) for each in layers),
        owners=tuple(each._replace(owner=Owner._make(each.owner), layers=_pairs(each.layers)) for each in owners),
        waste=tuple(each._replace(heap=_heap(each.heap)) for each in waste),
        leftovers=tuple(each._replace(heap=_heap(each.heap)) for each in leftovers),
        duplicates=tuple(each._replace(paths=tuple(each.paths)) for each in duplicates),
        largest=_pairs(found.largest),
        told=tuple(found.told),
        packages=tuple(map(Owner._make, found.packages)),
    )


def _heap(row: Iterable[Any]) -> Heap:
    heap = Heap._make(row)
    return heap._replace(largest=_pairs(heap.largest))


def _pairs(rows: Iterable[Any]) -> tuple[tuple[Any, Any], ...]:
    return tuple((first, second) for first, second in rows)
