"""The parts that make forms of layers, put together: a build that finds everything loads none of them."""

from collections.abc import Callable
from typing import NamedTuple, Self

from kezuri.forms.directories import Directories
from kezuri.forms.fetching import Fetching
from kezuri.forms.listings import Listings
from kezuri.forms.packing import Packer
from kezuri.forms.repacking import Repacking
from kezuri.forms.squashing import Squashing
from kezuri.forms.supply import Fetcher, Supply
from kezuri.forms.unpacking import Unpacking
from kezuri.forms.verification import Verification
from kezuri.progress.calling_off import CallOff
from kezuri.store.store import Store


class Makers(NamedTuple):
    """What makes the forms of one store's layers."""

    fetching: Fetching
    listings: Listings
    unpacking: Unpacking
    repacking: Repacking
    squashing: Squashing
    verification: Verification

    @classmethod
    def of(
        cls,
        store: Store,
        directories: Directories,
        supply: Supply,
        packer: Packer,
        fetcher: Fetcher,
        warn: Callable[[str], None],
        cancel: CallOff,
    ) -> Self:
        """The parts, which work together."""
        verification = Verification(store, supply, cancel)
        fetching = Fetching(store, supply, fetcher)
        listings = Listings(store, directories, supply, verification)
        return cls(
            fetching,
            listings,
            Unpacking(store, directories, fetching, listings, verification, warn),
            Repacking(store, supply, packer, verification),
            Squashing(store, listings, packer),
            verification,
        )
