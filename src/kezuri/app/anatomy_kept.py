"""The figures of images, kept in the store: they are found again as long as nothing that they come from has changed."""

import os
from collections.abc import Sequence
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
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor
from kezuri.store.store import Store

_MAGIC = b"kezuri anatomy 1\n"
_COUNTING = ("anatomy", "packages")
"""The rooms that figures come from: with other code they may be other ones."""
_MOST = 256 << 20


class KeptAnatomies:
    """The figures that a store keeps, in a file for each image. They are worth no more than the time that they spare:
    what cannot be read or written is passed over in silence."""

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
        import json
        import zlib

        try:
            with open(self._path(key), "rb") as file:
                raw = file.read(_MOST)
            if not raw.startswith(_MAGIC):
                return None
            return _anatomy(json.loads(zlib.decompress(raw[len(_MAGIC) :])))
        except (OSError, ValueError, TypeError, zlib.error):
            return None

    def save(self, key: str, anatomy: Anatomy) -> None:
        """Keep the figures, if the disk takes them."""
        import json
        import zlib

        from kezuri.linux.replacement import replacement

        with suppress(OSError), replacement(self._path(key), durable=False) as file:
            file.write(_MAGIC + zlib.compress(json.dumps(anatomy).encode(), 1))

    def _path(self, key: str) -> str:
        return self._store.path("listings", f"anatomy-{key}")


def code() -> list[int]:
    """When the code that makes the figures was changed last, room by room."""
    found = []
    for room in _COUNTING:
        directory = os.path.join(os.path.dirname(kezuri.__file__), room)
        with suppress(OSError), os.scandir(directory) as files:
            found.append(max((file.stat().st_mtime_ns for file in files if file.name.endswith(".py")), default=0))
    return found


def _anatomy(row: list[Any]) -> Anatomy:
    """Tuples of tuples again as values. ValueError or TypeError where they are others."""
    (
        name,
        digest,
        platform,
        layers,
        owners,
        waste,
        leftovers,
        duplicates,
        largest,
        files,
        directories,
        told,
        packages,
    ) = row
    return Anatomy(
        name,
        digest,
        platform,
        tuple(LayerShare(number, diff_id, Maker(*maker), *rest) for number, diff_id, maker, *rest in layers),
        tuple(OwnerShare(Owner(*who), size, lost, count, _pairs(by)) for who, size, lost, count, by in owners),
        tuple(Waste(fate, layer, by, _heap(heap)) for fate, layer, by, heap in waste),
        tuple(Leftover(kind, layer, _heap(heap), rule) for kind, layer, heap, rule in leftovers),
        tuple(
            Duplicate(content, size, copies, tuple(paths), of_base)
            for content, size, copies, paths, of_base in duplicates
        ),
        _pairs(largest),
        files,
        directories,
        tuple(told),
        tuple(Owner(*package) for package in packages),
    )


def _heap(row: list[Any]) -> Heap:
    files, size, largest = row
    return Heap(files, size, _pairs(largest))


def _pairs(rows: list[Any]) -> tuple[tuple[Any, Any], ...]:
    return tuple((first, second) for first, second in rows)
