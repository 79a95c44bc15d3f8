"""Data of one origin while it is read: entries or signals one after the other, and what is known of them afterwards."""

from collections.abc import Iterator
from typing import Literal, Protocol

from kezuri.advisories.losses import Losses
from kezuri.advisories.values import Entry, Signal

Format = Literal["osv", "debian", "secdb", "rustsec", "node", "kev", "epss"]
FORMATS: tuple[Format, ...] = ("osv", "debian", "secdb", "rustsec", "node", "kev", "epss")


class Reading(Protocol):
    """Data of one origin. It can be walked through once. `date` (that of the data itself, RFC 3339, empty where it has
    none) and `ecosystems` (pairs of ecosystem and release) are whole when the walk is over; so are `losses`, what could
    not be read. Entries of one id may come several times, each about other packages: they are one advisory, whose
    packages are those of all of them. What makes all of it useless (no JSON, cut short) is a KezuriError that names the
    file.
    """

    format: Format
    name: str
    """As in `DataSet`: `osv/PyPI`, `debian`, `alpine/v3.20`, `kev`, … What is read anew under a name replaces it."""
    address: str
    """The path that it is read from."""
    licence: str
    date: str
    ecosystems: set[tuple[str, str]]
    losses: Losses

    def __iter__(self) -> Iterator[Entry | Signal]: ...
