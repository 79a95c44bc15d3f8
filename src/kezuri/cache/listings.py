"""What files a content digest stands for, kept so that a later difference can be told file by file."""

import zlib

from kezuri.store.database import Database

MOST_FILES = 200_000
"""A selection of more files than this is known by its digest only."""

MOST_BYTES = 64 << 20
"""What all listings together may take; those that were kept longest ago go first."""

_TOO_MANY = "# too many\n"


class Listings:
    """The listings of a store, by digest."""

    def __init__(self, database: Database, most_bytes: int = MOST_BYTES) -> None:
        self._database = database
        self._most_bytes = most_bytes

    def keep(self, digest: str, listing: str) -> None:
        """Keep a listing, a line for each file. The oldest ones make room."""
        if listing.count("\n") > MOST_FILES:
            listing = _TOO_MANY
        data = zlib.compress(listing.encode("utf-8", "surrogateescape"), 1)
        with self._database.transaction():
            self._database.put_listing(digest, data)
            total = 0
            for known, size in self._database.listings():
                total += size
                if total > self._most_bytes and known != digest:
                    self._database.drop_listing(known)

    def find(self, digest: str) -> str | None:
        """The listing; None when it is not known (any more)."""
        data = self._database.listing(digest)
        if not data:
            return None
        text = zlib.decompress(data).decode("utf-8", "surrogateescape")
        return None if text == _TOO_MANY else text

    def forget_all_but(self, digests: set[str]) -> None:
        """Forget what nobody can ask for any more."""
        with self._database.transaction():
            for known, _ in self._database.listings():
                if known not in digests:
                    self._database.drop_listing(known)
