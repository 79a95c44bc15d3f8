"""The bills of images, kept in the store: they are found again as long as nothing that they come from has changed."""

from collections.abc import Sequence
from typing import Any, Final

import kezuri
from kezuri.advisories.coordinates import Distribution
from kezuri.anatomy.values import Maker
from kezuri.app import kept_json
from kezuri.app.anatomy_kept import code
from kezuri.oci.config import ImageConfig
from kezuri.oci.descriptor import Descriptor
from kezuri.packages.package import Package
from kezuri.sbom.values import Bill, BillLayer, Component
from kezuri.store.store import Store

_MAGIC: Final = b"kezuri bill 1\n"
_MOST: Final = 512 << 20
_ROOMS: Final = ("anatomy", "packages", "sbom", "advisories")
"""The rooms that bills come from: with other code they may be other ones."""


class KeptBills:
    """The bills that a store keeps, in a file for each image: see `kept_json`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def key(self, config: ImageConfig, blobs: Sequence[Descriptor], makers: Sequence[Maker], digest: str) -> str:
        """What the bill of an image depends on, as a name: its config and layers, and what made them."""
        import json
        from hashlib import sha256

        layers = [(blob.media_type, blob.digest, blob.size) for blob in blobs]
        text = json.dumps([kezuri.__version__, code(_ROOMS), digest, config.to_json(), layers, makers])
        return sha256(text.encode()).hexdigest()[:40]

    def load(self, key: str) -> Bill | None:
        """The bill that was kept; None where there is none, or it is damaged."""
        row = kept_json.load(self._path(key), _MAGIC, _MOST)
        try:
            return None if row is None else _bill(row)
        except (ValueError, TypeError):
            return None

    def save(self, key: str, bill: Bill) -> None:
        """Keep the bill, if the disk takes it."""
        kept_json.save(self._path(key), _MAGIC, bill)

    def _path(self, key: str) -> str:
        return self._store.path("listings", f"bill-{key}")


def _bill(row: list[Any]) -> Bill:
    """Tuples of tuples again as values. ValueError or TypeError where they are others."""
    found = Bill._make(row)
    distribution = Distribution._make(found.distribution)
    return found._replace(
        distribution=distribution._replace(like=tuple(distribution.like)),
        layers=tuple(map(BillLayer._make, found.layers)),
        components=tuple([_component(*each) for each in found.components]),
        told=tuple(found.told),
    )


def _component(row: Sequence[Any], layer: int, evidence: Sequence[str], foreign: bool) -> Component:
    package = Package._make(row)
    package = package._replace(files=tuple(package.files), directories=tuple(package.directories))
    return Component(package, layer, tuple(evidence), foreign)
