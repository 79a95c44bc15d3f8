"""Data of one origin while it is read: entries or signals one after the other, and what is known of them afterwards."""

from collections.abc import Iterator
from typing import Literal

from kezuri.advisories.losses import Losses
from kezuri.advisories.values import Entry, Signal

Format = Literal["osv", "debian", "secdb", "rustsec", "node", "kev", "epss"]
FORMATS: tuple[Format, ...] = ("osv", "debian", "secdb", "rustsec", "node", "kev", "epss")


class Reading:
    """Data of one origin, which can be walked through once.

    `name` is as in `DataSet`: what is read anew under a name replaces it. `address` is the path that is read. `date`
    (that of the data itself, RFC 3339, empty where it has none) and `ecosystems` (pairs of ecosystem and release that
    it tells of) are whole when the walk is over; so are `losses`, what could not be read. Entries of one id may come
    several times, each about other packages: they are one advisory, whose packages are those of all of them. What makes
    all of it useless (no JSON, cut short, an archive that is damaged) is a KezuriError that names the file.
    """

    format: Format

    def __init__(self, path: str, name: str, licence: str = "") -> None:
        self.address = path
        self.name = name
        self.licence = licence
        self.date = ""
        self.ecosystems: set[tuple[str, str]] = set()
        self.losses = Losses()

    def __iter__(self) -> Iterator[Entry | Signal]:
        raise NotImplementedError
