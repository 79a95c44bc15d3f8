"""How much room the cache may take, as a value."""

from typing import NamedTuple


class Budget(NamedTuple):
    """What the cache may take, in bytes, each None when it does not matter: at most `most`; less, if the disk has not
    `free` left otherwise; never forced below `reserved`."""

    most: int | None = None
    free: int | None = None
    reserved: int | None = None

    def keep(self, total: int, free: int) -> int | None:
        """The bytes that the cache may keep, when it takes `total` and the disk has `free` left (BuildKit's rule); None
        for no limit."""
        if self == Budget():
            return None
        keep = self.most
        if self.free is not None:
            # Room that is there already asks for nothing to go.
            keep = min(total if keep is None else keep, total - max(0, self.free - free))
        return max(keep or 0, self.reserved or 0)
