"""The database of advisories: one SQLite file, written aside and published by rename, and asked by names."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Self

from kezuri.advisories.values import Advisory, Affected, DataSet, Signal


class Hit(NamedTuple):
    """What the database has about a name: the package as an advisory is about it, and the advisory's key."""

    key: int
    affected: Affected


class Database:
    """A database that is open for reading; use it in a `with`. Opening reads nothing but its first page."""

    @classmethod
    def open(cls, path: str) -> Self:
        """KezuriError where there is none (with what to do), where it is damaged, or made by a newer kezuri."""
        raise NotImplementedError(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        raise NotImplementedError

    def data(self) -> Sequence[DataSet]:
        """What is in it."""
        raise NotImplementedError

    def covers(self, ecosystem: str, release: str) -> bool:
        """Whether data about this ecosystem and release is there at all."""
        raise NotImplementedError((ecosystem, release))

    def about(self, ecosystem: str, release: str, names: Iterable[str]) -> Iterator[tuple[str, Hit]]:
        """What it has about any of these names, as (name, hit). Withdrawn advisories are left out."""
        raise NotImplementedError((ecosystem, release, names))

    def advisories(self, keys: Iterable[int]) -> Mapping[int, Advisory]:
        """The advisories of these keys."""
        raise NotImplementedError(keys)

    def signals(self, cves: Iterable[str]) -> Mapping[str, Signal]:
        """How urgent these are, as far as anything is known."""
        raise NotImplementedError(cves)
