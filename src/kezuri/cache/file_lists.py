"""What files a content digest stands for, kept so that a later difference can be told file by file."""

import zlib
from time import time
from typing import Literal

from kezuri.store.database import Database

MOST_FILES = 200_000
"""A selection of more files than this is known by its digest only."""

MOST_BYTES = 64 << 20
"""What all file lists together may take; those that were kept longest ago go first."""

_TOO_MANY = "# too many\n"


Origin = Literal["context", "stage"]
"""Where files lie: in a context, or in a stage or an image. The same files have other paths there."""


class FileLists:
    """The file lists of a store, by digest and by where the files lie."""

    def __init__(self, database: Database, most_bytes: int = MOST_BYTES) -> None:
        self._database = database
        self._most_bytes = most_bytes

    def keep(self, digest: str, file_list: str, origin: Origin = "context") -> None:
        """Keep a list, a line for each file. The oldest ones make room."""
        name = _name(digest, origin)
        if file_list.count("\n") > MOST_FILES:
            file_list = _TOO_MANY
        data = zlib.compress(file_list.encode("utf-8", "surrogateescape"), 1)
        with self._database.transaction():
            self._database.run("INSERT OR REPLACE INTO listing VALUES (?, ?, ?)", name, time(), data)
            total = 0
            for known, size in self.sizes():
                total += size
                if total > self._most_bytes and known != name:
                    self._drop(known)

    def sizes(self) -> list[tuple[str, int]]:
        """(name, bytes that it takes) of every list, those that were kept last first."""
        rows = self._database.rows("SELECT digest, length(data) FROM listing ORDER BY kept DESC")
        return [(str(name), int(size)) for name, size in rows]  # type: ignore[call-overload]

    def find(self, digest: str, origin: Origin = "context") -> str | None:
        """The list, at worst with the paths that the files have elsewhere; None when it is not known (any more)."""
        other: Origin = "stage" if origin == "context" else "context"
        data = self._data(_name(digest, origin)) or self._data(_name(digest, other))
        if not data:
            return None
        text = zlib.decompress(data).decode("utf-8", "surrogateescape")
        return None if text == _TOO_MANY else text

    def forget_all_but(self, digests: set[str], before: float) -> None:
        """Forget what nobody can ask for any more, of what was kept before the moment (seconds since the epoch): later
        ones may be of a build that is not in the journal yet."""
        with self._database.transaction():
            for (known,) in self._database.rows("SELECT digest FROM listing WHERE kept < ?", before):
                if str(known).partition(" ")[0] not in digests:
                    self._drop(str(known))

    def _data(self, name: str) -> bytes:
        row = self._database.row("SELECT data FROM listing WHERE digest = ?", name)
        return b"" if row is None else bytes(row[0])  # type: ignore[call-overload]

    def _drop(self, name: str) -> None:
        self._database.run("DELETE FROM listing WHERE digest = ?", name)


def _name(digest: str, origin: Origin) -> str:
    return digest if origin == "context" else f"{digest} of a stage"
