"""What files a content digest stands for, kept so that a later difference can be told file by file."""

import zlib
from typing import Literal

from kezuri.store.database import Database

MOST_FILES = 200_000
"""A selection of more files than this is known by its digest only."""

MOST_BYTES = 64 << 20
"""What all listings together may take; those that were kept longest ago go first."""

_TOO_MANY = "# too many\n"


Origin = Literal["context", "stage"]
"""Where files lie: in a context, or in a stage or an image. The same files have other paths there."""


class Listings:
    """The listings of a store, by digest and by where the files lie."""

    def __init__(self, database: Database, most_bytes: int = MOST_BYTES) -> None:
        self._database = database
        self._most_bytes = most_bytes

    def keep(self, digest: str, listing: str, origin: Origin = "context") -> None:
        """Keep a listing, a line for each file. The oldest ones make room."""
        name = _name(digest, origin)
        if listing.count("\n") > MOST_FILES:
            listing = _TOO_MANY
        data = zlib.compress(listing.encode("utf-8", "surrogateescape"), 1)
        with self._database.transaction():
            self._database.put_listing(name, data)
            total = 0
            for known, size in self._database.listings():
                total += size
                if total > self._most_bytes and known != name:
                    self._database.drop_listing(known)

    def find(self, digest: str, origin: Origin = "context") -> str | None:
        """The listing, at worst with the paths that the files have elsewhere; None when it is not known (any more)."""
        other: Origin = "stage" if origin == "context" else "context"
        data = self._database.listing(_name(digest, origin)) or self._database.listing(_name(digest, other))
        if not data:
            return None
        text = zlib.decompress(data).decode("utf-8", "surrogateescape")
        return None if text == _TOO_MANY else text

    def forget_all_but(self, digests: set[str], before: float) -> None:
        """Forget what nobody can ask for any more, of what was kept before the moment (seconds since the epoch): later
        ones may be of a build that is not in the journal yet."""
        with self._database.transaction():
            for known, kept in self._database.listing_times():
                if known.partition(" ")[0] not in digests and kept < before:
                    self._database.drop_listing(known)


def _name(digest: str, origin: Origin) -> str:
    return digest if origin == "context" else f"{digest} of a stage"
