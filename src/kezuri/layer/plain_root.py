"""A plain root directory, seen as the layers below the one that is applied onto it."""

import os
import stat

from kezuri.diagnostics import KezuriError
from kezuri.layer.entry import Entry
from kezuri.layer.upper import entry_of, status_at
from kezuri.linux.links import TooManyLinks, follow


class PlainRoot:
    """The View of one directory that is no stack of layers. It is looked at anew each time, for it changes."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def lookup(self, path: str) -> Entry | None:
        """As `View.lookup`."""
        end = path.find("/")
        while end >= 0:
            above = status_at(f"{self._directory}/{path[:end]}")
            if above is None or not stat.S_ISDIR(above.st_mode):
                return None
            end = path.find("/", end + 1)
        where = f"{self._directory}/{path}" if path else self._directory
        status = status_at(where)
        entry = entry_of(where, path, status) if status is not None else None
        return entry if entry is not None and entry.kind != "whiteout" else None

    def resolve(self, path: str) -> str:
        """As `View.resolve`."""

        def target(at: str, more: bool) -> str | None:
            entry = self.lookup(at)
            return entry.link if entry is not None and entry.kind == "symlink" else None

        try:
            return follow(path, target)
        except TooManyLinks:
            raise KezuriError.of(f"too many symbolic links on the way to {path}") from None

    def read(self, path: str, limit: int = 10 << 20) -> bytes | None:
        """As `View.read`."""
        real = self.resolve(path)
        entry = self.lookup(real)
        if entry is None or entry.kind != "file":
            return None
        try:
            with open(os.open(f"{self._directory}/{real}", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                data = file.read(limit + 1)
        except OSError as error:
            raise KezuriError.of(f"cannot read {path!r}: {error.strerror}") from error
        return data if len(data) <= limit else None
