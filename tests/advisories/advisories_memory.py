"""A database of advisories that lies in memory: the door that matching asks, without a file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self

from kezuri.advisories.database import Database, Hit
from kezuri.advisories.values import Advisory, DataSet, Entry, Signal


class Memory(Database):
    """Holds what it is given; `covered` are pairs of ecosystem and release, by default those that the entries name."""

    def __init__(
        self,
        entries: Sequence[Entry],
        signals: Sequence[Signal] = (),
        covered: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.entries = entries
        self.known = {each.cve: each for each in signals}
        self.covered = set(covered) | {(each.ecosystem, each.release) for entry in entries for each in entry.affected}
        self.asked: list[tuple[str, str, tuple[str, ...]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        pass

    def data(self) -> Sequence[DataSet]:
        return ()

    def covers(self, ecosystem: str, release: str) -> bool:
        return (ecosystem, release) in self.covered

    def about(self, ecosystem: str, release: str, names: Iterable[str]) -> Iterator[tuple[str, Hit]]:
        wanted = set(names)
        self.asked.append((ecosystem, release, tuple(sorted(wanted))))
        for key, entry in enumerate(self.entries):
            for affected in entry.affected:
                if (affected.ecosystem, affected.release) == (ecosystem, release) and affected.name in wanted:
                    yield affected.name, Hit(key, affected)

    def advisories(self, keys: Iterable[int]) -> Mapping[int, Advisory]:
        return {key: self.entries[key].advisory for key in keys}

    def signals(self, cves: Iterable[str]) -> Mapping[str, Signal]:
        return {cve: self.known[cve] for cve in cves if cve in self.known}
